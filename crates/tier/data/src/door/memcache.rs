//! Driver: the memcached door. Accepts connections; each is a task of its own ([`connection`]).
//!
//! Most clients of memcached cannot say who they are. So a door is either one bucket's, and whoever reaches it may use that
//! bucket, or it is everybody's, and then a client first has to store `BUCKET TOKEN` under any key, as with `memcached -Y`.

mod address;
pub(crate) mod addresses;
mod connection;
mod local;
mod spread;
mod stats;
mod whole;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::DataTier;

/// After accept failed (too many open files): others may be closed meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);

/// Whose door it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Of whoever reaches it.
    Bucket(Arc<str>),
    /// Of those who say a bucket's token.
    Token,
}

impl Access {
    /// Of this bucket, or of those who know a token.
    pub(crate) fn of(bucket: Option<&str>) -> Self {
        bucket.map_or(Access::Token, |name| Access::Bucket(name.into()))
    }
}

pub(crate) async fn run(tier: Arc<DataTier>, listener: TcpListener, access: Access) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => admit(&tier, stream, address.to_string(), access.clone()),
            Err(error) => {
                warn!(%error, "memcached connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(tier: &Arc<DataTier>, mut stream: TcpStream, address: String, access: Access) {
    if tier.stats.connections.load(Ordering::Relaxed) >= tier.config.clients_max as u64 {
        metrics::counter!("ringway_data_connections_refused_total").increment(1);
        tier.tasks.spawn("memcached refusal", async move {
            let refusal = stream.write_all(b"ERROR Too many open connections\r\n");
            // It is told if it listens; closed in any case.
            let _ = tokio::time::timeout(REFUSAL_DEADLINE, refusal).await;
        });
        return;
    }
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return warn!(%error, "memcached connection could not be passed on"),
    };
    tier.stats.note_opened();
    let tier_of_task = tier.clone();
    // It stays on one core: what is polled there has been registered there.
    tier.tasks.spawn_on(tier.cores.next().1, "memcached connection", async move {
        if let Err(error) = serve(&tier_of_task, stream, access).await {
            debug!(client = address, %error, "memcached connection ended");
        }
        tier_of_task.stats.note_closed();
    });
}

async fn serve(tier: &Arc<DataTier>, stream: std::net::TcpStream, access: Access) -> std::io::Result<()> {
    connection::serve(tier, TcpStream::from_std(stream)?, access).await
}
