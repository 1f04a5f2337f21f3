//! Core: what the front end is told when it is built.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where nothing else is said.
pub const HOT_BYTES_MAX: usize = 64 << 20;

/// Where to listen, and within which limits. Built by the node from flags and files.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTP/1.1 and HTTP/2 with prior knowledge. Port 0: any free one.
    pub http: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub https: Option<SocketAddr>,
    pub tls: TlsConfig,
    /// 0: one for each core.
    pub threads: usize,
    pub limits: Limits,
    /// Memory for answers that are kept at hand: hot static files.
    pub hot_bytes_max: usize,
    /// Proxies in front of this node whose `X-Forwarded-*` are believed. Nobody else's are.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum TlsConfig {
    /// PEM files: the chain with the leaf first, and its key.
    Files { certificate: PathBuf, key: PathBuf },
    /// A directory of such pairs, `NAME.pem` and `NAME.key` or as certbot lays them out. For what none of them is for, there is
    /// the local authority in `local`.
    Directory { dir: PathBuf, local: PathBuf },
    /// By a local authority, made at the first start and kept in this directory.
    SelfSigned { dir: PathBuf },
}

/// Bounds on what a client can make this node hold or wait for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open client connections. Those above are told 503.
    pub connections_max: usize,
    /// Of one client: an IPv4 address or an IPv6 /64. Those above are told 503. Not of this machine and of trusted proxies, who
    /// speak for many.
    pub connections_per_client_max: usize,
    /// Request line and headers together, in bytes: 431.
    pub head_len_max: usize,
    /// The request target, in bytes: 414.
    pub target_len_max: usize,
    /// Header lines: 431.
    pub headers_max: usize,
    /// A request's body, in bytes, where the route does not say: 413.
    pub body_max: u64,
    /// From the first byte of a head to its last: 408.
    pub head_timeout: Duration,
    /// A connection without a request.
    pub idle_timeout: Duration,
    /// Until an app's answer begins, where the route does not say: 504.
    pub answer_timeout: Duration,
    /// Between two pieces of a body, in either direction.
    pub body_idle_timeout: Duration,
    /// Until a connection to an instance or another node is made.
    pub connect_timeout: Duration,
}

impl Config {
    /// Plain HTTP only, with the usual limits.
    pub fn plain(http: SocketAddr) -> Self {
        Self {
            http: Some(http),
            https: None,
            tls: TlsConfig::SelfSigned { dir: PathBuf::new() },
            threads: 0,
            limits: Limits::default(),
            hot_bytes_max: HOT_BYTES_MAX,
            trusted_proxies: Vec::new(),
        }
    }

    pub(crate) fn thread_count(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

impl Limits {
    /// Of the times that connections wait.
    pub(crate) fn shortest(&self) -> Duration {
        self.head_timeout.min(self.idle_timeout).min(self.body_idle_timeout)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_client_max: 1_000,
            head_len_max: 32 << 10,
            target_len_max: 8 << 10,
            headers_max: 100,
            body_max: 100_000_000,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
        }
    }
}
