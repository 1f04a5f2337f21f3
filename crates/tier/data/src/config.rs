//! What the node decides about its data tier.

use std::net::TcpListener;
use std::path::PathBuf;

#[derive(Debug)]
pub struct Config {
    /// For disk buckets; made when the first one is opened.
    pub dir: PathBuf,
    /// Where the Redis door listens (bound, non-blocking); `None`: no door. Its address for clients is the catalog's.
    pub redis: Option<TcpListener>,
    /// Where the memcached door for everybody listens (bound, non-blocking); `None`: there is none.
    pub memcache: Option<TcpListener>,
    /// The bucket that whoever reaches that door may use; `None`: its clients have to say a bucket's token first.
    pub memcache_bucket: Option<String>,
    /// Connections at the door; more are told so and closed.
    pub clients_max: usize,
    /// Clients are told whom to ask (`MOVED`) rather than answered through this node.
    pub redis_redirect: bool,
    /// The same on all nodes and unknown to clients: nobody can choose members of a set or hash that all fall on one place.
    pub hash_seed: u64,
}

/// As Redis' own.
pub const CLIENTS_MAX: usize = 10_000;
