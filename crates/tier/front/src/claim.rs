//! Driver: a connection's place among all, and among those of its client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::worker::Worker;

/// Connections above a limit that are told so; more are closed without a word.
const SURPLUS_MAX: usize = 64;

/// Those of all threads.
#[derive(Debug, Default)]
pub struct Claims {
    all: AtomicUsize,
    /// Only of clients that are limited, and only while they have any.
    clients: Mutex<HashMap<IpAddr, usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Admitted,
    /// One too many: to be told so.
    Surplus,
    /// Many too many.
    Refused,
}

/// Held as long as the connection.
pub struct Claim {
    worker: Arc<Worker>,
    client: Option<IpAddr>,
    pub place: Place,
}

impl Claims {
    pub fn count(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    fn enter(&self, client: Option<IpAddr>) -> (usize, usize) {
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(client) = client else { return (all, 0) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let own = clients.entry(client).or_default();
        *own += 1;
        (all, *own)
    }

    fn leave(&self, client: Option<IpAddr>) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        let Some(client) = client else { return };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = clients.get_mut(&client) {
            *own -= 1;
            if *own == 0 {
                clients.remove(&client);
            }
        }
    }
}

impl Claim {
    pub fn new(worker: &Arc<Worker>, client: IpAddr) -> Self {
        let config = &worker.shared.config;
        let client = limited(client, config);
        let (all, own) = worker.shared.claims.enter(client);
        let limits = &config.limits;
        let above =
            all.saturating_sub(limits.connections_max).max(own.saturating_sub(limits.connections_per_client_max));
        let place = match above {
            0 => Place::Admitted,
            1..=SURPLUS_MAX => Place::Surplus,
            _ => Place::Refused,
        };
        worker.meters.connections.increment(1.0);
        if place != Place::Admitted {
            worker.meters.surplus.increment(1);
        }
        Self { worker: Arc::clone(worker), client, place }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.worker.shared.claims.leave(self.client);
        self.worker.meters.connections.decrement(1.0);
    }
}

/// Whose connections are counted together; `None`: who speaks for many.
fn limited(client: IpAddr, config: &Config) -> Option<IpAddr> {
    if client.is_loopback() || config.trusted_proxies.contains(&client) {
        return None;
    }
    Some(match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_own_count_and_leaves_nothing_behind() {
        let (claims, one, other) = (Claims::default(), Some([10, 0, 0, 1].into()), Some([10, 0, 0, 2].into()));
        assert_eq!(claims.enter(one), (1, 1));
        assert_eq!(claims.enter(one), (2, 2));
        assert_eq!(claims.enter(other), (3, 1));
        assert_eq!(claims.enter(None), (4, 0));
        for client in [one, one, other, None] {
            claims.leave(client);
        }
        assert_eq!((claims.count(), claims.clients.lock().unwrap().len()), (0, 0));
    }

    #[test]
    fn who_speaks_for_many_is_not_limited() {
        let mut config = Config::plain("127.0.0.1:0".parse().unwrap());
        config.trusted_proxies.push([10, 0, 0, 9].into());
        let limited = |text: &str| limited(text.parse().unwrap(), &config).map(|client| client.to_string());
        assert_eq!(limited("127.0.0.1"), None);
        assert_eq!(limited("::1"), None);
        assert_eq!(limited("10.0.0.9"), None);
        assert_eq!(limited("10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(limited("2001:db8:1:2:3:4:5:6"), limited("2001:db8:1:2::9"));
    }
}
