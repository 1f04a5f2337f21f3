//! Driver: the admin API of one node: what it is built of, and its life.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ringway_catalog::Catalog;
use ringway_ports::Service;
use ringway_ring::NodeId;
use ringway_rt::Tasks;
use tokio::sync::Semaphore;

use crate::api::NodeRef;
use crate::cluster::Cluster;
use crate::config::{Config, Deps};
use crate::log_tail::LogTail;
use crate::peer_service::PeerService;
use crate::server;

/// Uploads are large; more at once would only make each slower.
const UPLOADS_MAX: usize = 2;
const FOLLOWERS_MAX: usize = 32;

pub struct Control {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) cluster: Cluster,
    pub(crate) tasks: Tasks,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) followers: Arc<Semaphore>,
    /// The most copies that were still to move since the ring was settled last.
    pub(crate) most_moving: AtomicU64,
}

impl Control {
    /// Answers the other nodes from now on. To be called within a runtime, before the node listens for peers.
    pub fn new(config: Config, deps: Deps) -> Arc<Self> {
        let tasks = Tasks::new("control");
        let own = Arc::new(PeerService {
            own: deps.peers.own_id(),
            version: config.version.clone(),
            started_ms: config.started_ms,
            control_log: deps.control_log.clone(),
            instances: deps.instances.clone(),
            kv: deps.kv.clone(),
            cache: deps.cache.clone(),
            request_rate: deps.request_rate.clone(),
            memory: deps.memory.clone(),
            transfer_progress: deps.transfer_progress.clone(),
            fetches: deps.fetches.clone(),
            partition_loads: deps.partition_loads.clone(),
            ring: deps.ring.clone(),
            tail: LogTail::start(&*deps.instances, &tasks),
        });
        deps.peers.serve(Service::Control, own.clone());
        let cluster = Cluster { peers: deps.peers.clone(), membership: deps.membership.clone(), own };
        Arc::new(Self {
            config,
            deps,
            cluster,
            tasks,
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            most_moving: AtomicU64::new(0),
        })
    }

    /// Serves the API on a listener (non-blocking, as `ringway_rt::net::listen` makes them). May be called for several.
    pub fn serve(self: &Arc<Self>, listener: std::net::TcpListener) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.tasks.spawn("admin listener", server::accept(self.clone(), listener, address));
        Ok(address)
    }

    /// No new requests; those under way may finish until the deadline. Returns how many tasks had to be aborted.
    pub async fn stop(&self, within: Duration) -> usize {
        self.tasks.stop(within).await
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.deps.control_log.catalog()
    }

    pub(crate) fn own_id(&self) -> NodeId {
        self.deps.peers.own_id()
    }

    /// A node by both names; its short id stands for the name of one that is gone.
    pub(crate) fn node_ref(&self, catalog: &Catalog, id: NodeId) -> NodeRef {
        NodeRef { id, name: catalog.nodes.get(&id).map_or_else(|| id.short(), |node| node.name.clone()) }
    }
}
