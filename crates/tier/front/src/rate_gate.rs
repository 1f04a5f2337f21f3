//! Driver: the token buckets of all routes that limit how often somebody may ask, of this node.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use metrics::counter;
use ringway_balance::rate_limit::{Rate, RateLimit, Verdict};
use ringway_manifest::Per;
use ringway_rt::random;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fault::Fault;
use crate::routes::RouteEntry;

/// Clients that may owe something at the same time; 16 bytes each.
const CLIENTS: usize = 1 << 16;

pub struct RateGate {
    buckets: Mutex<RateLimit>,
    began: Instant,
    /// Clients cannot find others whose bucket is theirs.
    seed: u64,
}

impl RateGate {
    pub fn new() -> Self {
        Self { buckets: Mutex::new(RateLimit::new(CLIENTS)), began: Instant::now(), seed: random::number() }
    }

    /// Counts a request; 429 if there were too many like it.
    pub fn enter(&self, entry: &RouteEntry, client: IpAddr, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(limit) = &entry.route.rate_limit else { return Ok(()) };
        let whose = whose(&limit.per, client, headers);
        let key = [entry.work.app.as_bytes(), entry.label.as_bytes(), &whose].join(&0);
        let key = xxh3_64_with_seed(&key, self.seed);
        let rate = Rate { per_second: f64::from(limit.per_second), burst: limit.burst };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.ask(self.began.elapsed(), key, rate) {
            Verdict::Allowed { .. } => Ok(()),
            Verdict::Refused { retry_after } => {
                counter!("ringway_front_rate_limited_total", "app" => entry.work.app.to_string()).increment(1);
                Err(Fault::TooMany(retry_after.max(Duration::from_secs(1))))
            }
        }
    }
}

fn whose(per: &Per, client: IpAddr, headers: &HeaderMap) -> Vec<u8> {
    match per {
        Per::Route => Vec::new(),
        Per::Client => address(client),
        Per::Header(name) => {
            headers.get(name).map_or_else(|| address(client), |value| [b"=", value.as_bytes()].concat())
        }
    }
}

/// Whoever has one address of IPv6 has all of a /64.
fn address(client: IpAddr) -> Vec<u8> {
    match client {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_apart_as_the_route_says() {
        let with_key = |key: &str| HeaderMap::from_iter([("x-key".parse().unwrap(), key.parse().unwrap())]);
        let (none, by_header) = (HeaderMap::new(), Per::Header("x-key".to_owned()));
        let v4 = |last: u8| IpAddr::from([10, 0, 0, last]);
        let v6 = |host: u16| IpAddr::from([1, 2, 3, 4, 0, 0, 0, host]);
        assert_ne!(whose(&Per::Client, v4(1), &none), whose(&Per::Client, v4(2), &none));
        assert_eq!(whose(&Per::Client, v6(1), &none), whose(&Per::Client, v6(2), &none));
        assert_eq!(whose(&Per::Route, v4(1), &none), whose(&Per::Route, v6(2), &none));
        assert_eq!(whose(&by_header, v4(1), &with_key("a")), whose(&by_header, v4(2), &with_key("a")));
        assert_ne!(whose(&by_header, v4(1), &with_key("a")), whose(&by_header, v4(1), &with_key("b")));
        assert_eq!(whose(&by_header, v4(1), &none), whose(&Per::Client, v4(1), &none));
    }
}
