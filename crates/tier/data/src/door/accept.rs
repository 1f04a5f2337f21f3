//! Driver: lets clients in at a door, as many as the node may have.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringway_protocol::resp::{Out, RespVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tracing::{debug, warn};

use crate::DataTier;
use crate::door::client::Client;

/// After accept failed (too many open files): others may be closed meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);
/// How long somebody may take to say who it is.
const AUTH_DEADLINE: Duration = Duration::from_secs(60);

/// A door for clients of one protocol.
pub(super) struct Door {
    pub(super) name: &'static str,
    /// What is said to who finds no room.
    pub(super) refusal: &'static [u8],
}

impl Door {
    /// Serves whoever comes as what `admit` takes it for, until the tier stops.
    pub(super) async fn run(
        self,
        tier: &Arc<DataTier>,
        listener: TcpListener,
        admit: impl Fn(&TcpStream, Arc<Opened>) -> io::Result<Client>,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = tier.tasks.stopping() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(door = self.name, %error, "connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if tier.stats.connections.load(Ordering::Relaxed) >= tier.config.clients_max as u64 {
                self.refuse(tier, stream);
                continue;
            }
            let admitted = stream.into_std().and_then(|stream| {
                stream.set_nodelay(true)?;
                let client = admit(&stream, Opened::new(tier))?;
                client.go_on(tier, &tier.lobbies[tier.cores.next()], stream, Out::new(RespVersion::Two), &[]);
                Ok(())
            });
            if let Err(error) = admitted {
                debug!(door = self.name, %client, %error, "connection ended");
            }
        }
    }

    fn refuse(&self, tier: &DataTier, mut stream: tokio::net::TcpStream) {
        metrics::counter!("ringway_data_connections_refused_total").increment(1);
        let refusal = self.refusal;
        tier.tasks.spawn("refusal", async move {
            // It is told if it listens; closed in any case.
            let _ = tokio::time::timeout(REFUSAL_DEADLINE, stream.write_all(refusal)).await;
        });
    }
}

/// Ends with the error of a client that does not say who it is in time; never, if that is known.
pub(super) async fn auth_deadline(is_known: bool) -> io::Error {
    if is_known {
        return std::future::pending().await;
    }
    tokio::time::sleep(AUTH_DEADLINE).await;
    io::Error::new(io::ErrorKind::TimedOut, "it did not say who it is")
}

/// A client is counted from its beginning to its end.
#[derive(Debug)]
pub(super) struct Opened(Arc<DataTier>, u64);

impl Opened {
    fn new(tier: &Arc<DataTier>) -> Arc<Self> {
        Arc::new(Self(tier.clone(), tier.stats.note_opened()))
    }

    /// Which one it is since the node started.
    pub(super) fn id(&self) -> u64 {
        self.1
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.stats.note_closed();
    }
}
