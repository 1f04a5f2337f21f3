//! Where memcached clients on this machine reach a bucket: how the app tier tells an app's instances what the data tier has opened.

use std::net::SocketAddr;

/// The buckets' own doors on this node.
pub trait MemcacheDoors: Send + Sync {
    /// Whoever has the address may use the bucket: it is for the bucket's app only, and for no log. `None`: there is no such bucket,
    /// or no door could be opened.
    fn address(&self, bucket: &str) -> Option<SocketAddr>;
}

/// For where there are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemcacheDoors;

impl MemcacheDoors for NoMemcacheDoors {
    fn address(&self, _: &str) -> Option<SocketAddr> {
        None
    }
}
