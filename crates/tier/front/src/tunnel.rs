//! Driver: after an upgrade (WebSocket and its like), bytes in both directions until one side ends.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// `held` is what must live as long as the tunnel: the claim on the instance.
pub async fn run(client: OnUpgrade, upstream: OnUpgrade, stop: CancellationToken, held: impl Send) {
    let both = async {
        let (client, upstream) = tokio::try_join!(client, upstream).map_err(std::io::Error::other)?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await
    };
    tokio::select! {
        done = both => match done {
            Ok((sent, received)) => debug!(sent, received, "a tunnel ended"),
            Err(error) => debug!(%error, "a tunnel broke"),
        },
        () = stop.cancelled() => {}
    }
    drop(held);
}
