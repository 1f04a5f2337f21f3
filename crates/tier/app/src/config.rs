//! Core: how this node's app tier is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ringway_ports::{Blobs, ControlLog, Membership, MemcacheDoors, Telemetry};
use ringway_ring::NodeId;
use ringway_sandbox::Spawner;

#[derive(Clone, Debug)]
pub struct Config {
    /// The node's. Used below it: `apps/` (kept), `releases/` and `run/` (made anew at every start).
    pub data_dir: PathBuf,
    pub own_id: NodeId,
    pub node_name: String,
    /// Where this node's Redis door listens; `None`: apps get no `REDIS_URL`.
    pub redis_addr: Option<SocketAddr>,
    /// Where apps reach the front end: `http://127.0.0.1:8080`.
    pub front_url: String,
    /// OpenTelemetry collector to tell the apps about.
    pub otlp: Option<String>,
    /// `PATH` of the apps.
    pub path: String,
}

/// Who the app tier works with.
#[derive(Clone)]
pub struct Deps {
    pub spawner: Spawner,
    pub wasm: ringway_wasm::Engine,
    pub blobs: Arc<dyn Blobs>,
    pub control: Arc<dyn ControlLog>,
    pub membership: Arc<dyn Membership>,
    pub telemetry: Arc<dyn Telemetry>,
    /// Where apps without a Redis client reach their buckets.
    pub memcache: Arc<dyn MemcacheDoors>,
}
