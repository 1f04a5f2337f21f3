//! Driver: the Redis door. Accepts connections; each is a task of its own ([`connection`]).

mod batch;
mod blocking;
mod cluster;
mod connection;
mod gather;
mod info;
mod input;
pub(crate) mod lobby;
mod local;
pub(crate) mod memcache;
mod output;
mod pubsub;
mod redirect;
mod scripting;
mod session;
mod transaction;
mod turn;
mod whole;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringway_protocol::resp::{Out, RespVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::DataTier;
use crate::door::session::Session;

/// After accept failed (too many open files): others may be closed meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);

pub(crate) async fn run(tier: Arc<DataTier>, listener: TcpListener) {
    // There from the start: a series that appears with the first client looks like a node that was not scraped before.
    metrics::gauge!("ringway_data_connections").set(0.0);
    loop {
        let accepted = tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => admit(&tier, stream, address.to_string()),
            Err(error) => {
                warn!(%error, "connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(tier: &Arc<DataTier>, mut stream: TcpStream, address: String) {
    if tier.stats.connections.load(Ordering::Relaxed) >= tier.config.clients_max as u64 {
        metrics::counter!("ringway_data_connections_refused_total").increment(1);
        tier.tasks.spawn("redis refusal", async move {
            let refusal = stream.write_all(b"-ERR max number of clients reached\r\n");
            // It is told if it listens; closed in any case.
            let _ = tokio::time::timeout(REFUSAL_DEADLINE, refusal).await;
        });
        return;
    }
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return warn!(%error, "connection could not be passed on"),
    };
    let (number, _) = tier.cores.next();
    let session = match stream.local_addr() {
        Ok(local) => Session::new(Opened::new(tier), local),
        Err(error) => return debug!(client = address, %error, "connection ended"),
    };
    connection::go_on(tier, &tier.lobbies[number], stream, session, Out::new(RespVersion::Two), &[]);
}

/// A client is counted from its beginning to its end.
#[derive(Debug)]
struct Opened(Arc<DataTier>, u64);

impl Opened {
    fn new(tier: &Arc<DataTier>) -> Arc<Self> {
        Arc::new(Self(tier.clone(), tier.stats.note_opened()))
    }

    /// Which one it is since the node started.
    fn id(&self) -> u64 {
        self.1
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.stats.note_closed();
    }
}
