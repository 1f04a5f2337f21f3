//! Core: what a node is told when it starts. Plain data; the command line reads file, environment and flags into it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ringway_catalog::RingKind;
use ringway_observe::LogFormat;

/// In the data directory: the authority that signs where there are no certificates.
pub const LOCAL_AUTHORITY_DIR: &str = "tls";
/// Its certificate.
pub const LOCAL_AUTHORITY_FILE: &str = "tls/ca.pem";

/// Everything a node can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// For people; unique in the cluster.
    pub name: String,
    pub zone: String,
    /// Relative share of the ring.
    pub capacity: u32,
    /// Of a cluster that this node founds; one that it joins has its own.
    pub ring: RingKind,
    /// Keys, control log, data, releases: everything the node keeps.
    pub data_dir: PathBuf,
    pub listen: Listen,
    /// How others reach this node, where that differs from `listen` (a wildcard address, say): an IP address.
    pub advertise: Option<std::net::IpAddr>,
    pub tls: Option<TlsFiles>,
    /// Front-end threads; 0 is one per core.
    pub threads: usize,
    /// How long a stop may take until what still runs is cut off.
    pub drain: Duration,
    pub log_format: LogFormat,
    /// `tracing` filter: `info`, `warn,ringway_front=debug`.
    pub log: String,
    /// The Redis door tells clients whom to ask (`MOVED`) rather than forward for them.
    pub redis_redirect: bool,
    /// Whoever reaches the memcached door may use this bucket.
    pub memcache_bucket: Option<String>,
    /// What HTTP responses may take in memory, in bytes; 0: none are cached.
    pub cache_memory: u64,
    /// Kept small; a node that needs more says so in its metrics.
    pub wasm_instances_max: u32,
}

/// Where a node listens. `None` switches a door off. Port 0 takes a free one.
#[derive(Clone, Debug)]
pub struct Listen {
    pub peer: SocketAddr,
    pub admin: SocketAddr,
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
    pub redis: Option<SocketAddr>,
    /// For memcached clients from elsewhere; an app's own are told an address of their own.
    pub memcache: Option<SocketAddr>,
}

/// Certificates as PEM files.
#[derive(Clone, Debug)]
pub enum TlsFiles {
    /// A chain and its key.
    Pair { certificate: PathBuf, key: PathBuf },
    /// A directory of such pairs, one for each site.
    Directory(PathBuf),
}

/// How the node comes to its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// The one it is in already, or a new cluster of its own.
    OpenOrFound,
    /// Joins the cluster of this token. A node that is in a cluster already refuses.
    Join { token: String },
}
