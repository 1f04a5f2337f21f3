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

use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use crate::DataTier;
use crate::door::accept::{Door, Opened};

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
    let door = Door { name: "memcached", refusal: b"ERROR Too many open connections\r\n" };
    let admit = |stream: std::net::TcpStream, opened| {
        let (tier_of_task, access) = (tier.clone(), access.clone());
        // It stays on one core: what is polled there has been registered there.
        tier.tasks.spawn_on(tier.cores.next().1, "memcached connection", async move {
            let client = stream.peer_addr();
            if let Err(error) = serve(&tier_of_task, stream, access).await {
                debug!(?client, %error, "connection ended");
            }
            drop::<Arc<Opened>>(opened);
        });
        Ok(())
    };
    door.run(&tier, listener, admit).await;
}

async fn serve(tier: &Arc<DataTier>, stream: std::net::TcpStream, access: Access) -> std::io::Result<()> {
    connection::serve(tier, TcpStream::from_std(stream)?, access).await
}
