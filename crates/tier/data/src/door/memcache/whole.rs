//! Driver: requests about the whole bucket: `flush_all` and `stats`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringway_protocol::memcache::{Request, reply};
use ringway_protocol::resp::Out;
use tracing::warn;

use super::stats;
use crate::DataTier;
use crate::memcache;

/// The version of memcached whose behaviour clients may expect.
pub(super) const VERSION: &str = "VERSION 1.6.18";
/// Flushes that wait for their time on one node.
const DELAYED_MAX: usize = 64;
const DELAY_MAX: Duration = Duration::from_secs(60 * 60 * 24 * 30);

static DELAYED: AtomicUsize = AtomicUsize::new(0);

pub(super) async fn run(tier: &Arc<DataTier>, bucket: &Arc<str>, request: &Request<'_>, out: &mut Out) {
    match request {
        Request::Stats(args) => stats::tell(tier, bucket, *args, out).await,
        Request::FlushAll { delay, quiet } => {
            if let Some(bucket) = tier.view().buckets.get(&**bucket) {
                memcache::note(&bucket.held.figures.memcache.cmd_flush);
            }
            let text = match *delay {
                ..=0 => flush(tier, bucket).await,
                delay => flush_later(tier, bucket, Duration::from_secs(delay as u64)),
            };
            if !quiet {
                reply::line(out, &text);
            }
        }
        _ => reply::line(out, "ERROR"),
    }
}

async fn flush(tier: &Arc<DataTier>, bucket: &str) -> String {
    match tier.flush(bucket).await {
        Ok(()) => "OK".to_owned(),
        Err(error) => memcache::server_error(&error.fail()),
    }
}

/// This node remembers it, and forgets it when it stops.
fn flush_later(tier: &Arc<DataTier>, bucket: &Arc<str>, delay: Duration) -> String {
    if DELAYED.fetch_add(1, Ordering::Relaxed) >= DELAYED_MAX {
        DELAYED.fetch_sub(1, Ordering::Relaxed);
        return "SERVER_ERROR too many delayed flushes".to_owned();
    }
    let (tier_of_task, bucket) = (tier.clone(), bucket.clone());
    tier.tasks.spawn("memcached delayed flush", async move {
        let is_time = tokio::select! {
            () = tier_of_task.tasks.stopping() => false,
            () = tokio::time::sleep(delay.min(DELAY_MAX)) => true,
        };
        DELAYED.fetch_sub(1, Ordering::Relaxed);
        if is_time && let Err(error) = tier_of_task.flush(&bucket).await {
            warn!(%error, bucket = &*bucket, "delayed flush failed");
        }
    });
    "OK".to_owned()
}
