//! Port: what the admin API is told, and what it is handed by the node that builds it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ringway_catalog::Secret;
use ringway_ports::{
    Blobs, ControlLog, Explain, HttpCache, Instances, Kv, Lookups, Membership, Peers, ProposeError, Ring,
};

use crate::api::IssuedToken;
use crate::peer_messages::{Fetch, PartitionLoad};

#[derive(Clone, Debug)]
pub struct Config {
    /// The bearer token of the admin API.
    pub token: Secret,
    pub version: String,
    pub started_ms: u64,
    /// Where uploads are kept until they are deployed: on the same file system as the blobs. Made if it is missing.
    pub upload_dir: PathBuf,
    /// Host names, besides `localhost` and plain addresses, under which a browser or client may call the API.
    pub hosts: Vec<String>,
    /// Whether `/metrics` needs no token on listeners that are not loopback either.
    pub metrics_open: bool,
}

/// Ends in an agreed change, or says why there is none.
pub type Action<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, ProposeError>> + Send + Sync>;

pub type IssueToken = Box<dyn Fn(Duration) -> BoxFuture<'static, Result<IssuedToken, ProposeError>> + Send + Sync>;

pub struct Deps {
    pub control_log: Arc<dyn ControlLog>,
    pub membership: Arc<dyn Membership>,
    pub peers: Arc<dyn Peers>,
    pub instances: Arc<dyn Instances>,
    pub kv: Arc<dyn Kv>,
    pub cache: Arc<dyn HttpCache>,
    pub blobs: Arc<dyn Blobs>,
    /// Prometheus' text format.
    pub metrics_render: Arc<dyn Fn() -> String + Send + Sync>,
    /// The second (since 1970) of the last count and the counts up to it, oldest first.
    pub request_rate: Arc<dyn Fn() -> (u64, Vec<u64>) + Send + Sync>,
    /// Resident memory of this process in bytes.
    pub memory: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub issue_token: IssueToken,
    /// Begins to hand over what this node has; returns once that is agreed on.
    pub leave: Action<()>,
    /// Copies of partitions this node has fetched and is to fetch in all, while the ring moves: (done, total).
    pub transfer_progress: Arc<dyn Fn() -> Option<(u64, u64)> + Send + Sync>,
    /// The same from whom to whom.
    pub fetches: Arc<dyn Fn() -> Vec<Fetch> + Send + Sync>,
    /// What this node keeps of each partition that is not empty.
    pub partition_loads: Arc<dyn Fn() -> Vec<PartitionLoad> + Send + Sync>,
    pub lookups: Arc<dyn Lookups>,
    /// What would become of a request.
    pub explain: Arc<dyn Explain>,
    /// Asked for its virtual nodes, of which a managed ring's has none.
    pub ring: Arc<dyn Ring>,
}
