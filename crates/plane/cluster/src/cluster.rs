//! Builder: puts a live node together, in order, and takes it apart in reverse.
//!
//! ```text
//!   Cluster::found | join | open   ->  ports in hand, nothing listens yet: other parts register their handlers
//!   start()                        ->  listens, finds its place, serves
//!   stop()                         ->  hands leadership on, says good-bye, ends its tasks
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use ringway_catalog::{Addresses, Catalog, Command, NodeInfo, NodeState, RingKind};
use ringway_ports::{Blobs, ControlLog, Membership, Peers, Ring};
use ringway_ring::NodeId;
use ringway_ring::chord::ChordConfig;
use ringway_rt::{Tasks, files};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::blob_store::BlobStore;
use crate::certificates::{self, TlsSettings};
use crate::chord::ChordRing;
use crate::chord::driver::Deps;
use crate::consensus::{Group, controller};
use crate::control_log::RaftControlLog;
use crate::error::Error;
use crate::identity::{self, Identity};
use crate::join_cluster::admit::Admission;
use crate::join_cluster::ask;
use crate::roster::Roster;
use crate::swim::Swim;
use crate::token::Token;
use crate::transport::{OnHttp, Transport};
use crate::wall_clock::WallClock;

const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Before a node says again where it is, when another process with its identity has said otherwise.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(5);
const STEP_ASIDE_WITHIN: Duration = Duration::from_millis(800);

#[derive(Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Bound already, for node to node.
    pub listener: std::net::TcpListener,
    pub clock: WallClock,
}

/// What a node wants to be in the catalog.
#[derive(Clone, Debug)]
pub struct NodeWish {
    pub name: String,
    pub zone: String,
    pub capacity: u32,
    pub addresses: Addresses,
    /// What a cluster that this node founds goes by; a joiner takes what is there.
    pub ring: RingKind,
}

pub struct Cluster {
    pub peers: Arc<dyn Peers>,
    pub membership: Arc<dyn Membership>,
    pub control_log: Arc<dyn ControlLog>,
    pub blobs: Arc<dyn Blobs>,
    /// Idle unless the cluster was founded with a peer-to-peer ring.
    pub ring: Arc<dyn Ring>,
    identity: Arc<Identity>,
    addresses: Addresses,
    /// Until it is handed to the transport.
    listener: Mutex<Option<std::net::TcpListener>>,
    transport: Transport,
    roster: Arc<Roster>,
    swim: Swim,
    group: Group,
    clock: WallClock,
    tasks: Tasks,
    swim_tasks: Tasks,
    removed: watch::Receiver<bool>,
}

impl Cluster {
    /// Whether a node lives in this data directory: then [`Cluster::open`] it.
    pub fn exists(data_dir: &Path) -> bool {
        Identity::exists(data_dir)
    }

    /// The token of a join that was cut off in the middle: the cluster may have taken this node in, so join again with it.
    pub fn unfinished_join(data_dir: &Path) -> Option<String> {
        identity::unfinished_join(data_dir)
    }

    /// Makes a cluster of one.
    pub async fn found(config: Config, wish: NodeWish) -> Result<Self, Error> {
        prepare_log(&config.data_dir).await?;
        let identity = Identity::found(&config.data_dir)?;
        let cluster = Self::build(config, identity, wish.addresses.clone()).await?;
        cluster.group.found().await?;
        cluster.propose_founding(wish).await?;
        Ok(cluster)
    }

    async fn propose_founding(&self, wish: NodeWish) -> Result<(), Error> {
        let ring = wish.ring;
        let node = NodeInfo {
            id: self.identity.id,
            name: wish.name,
            zone: wish.zone,
            capacity: wish.capacity.max(1),
            addresses: wish.addresses,
            joined_ms: self.clock.now_ms(),
            state: NodeState::Active,
        };
        let found = Command::Found { cluster_id: self.identity.cluster_id.clone(), node, ring };
        self.control_log.propose(found).await?;
        info!(cluster = self.identity.cluster_id, node = %self.identity.id.short(), %ring, "a new cluster");
        Ok(())
    }

    /// Asks the cluster that the token names to take this node in. Its catalog arrives after [`Cluster::start`].
    pub async fn join(config: Config, token: &str, wish: NodeWish) -> Result<Self, Error> {
        let token = Token::parse(token)?;
        prepare_log(&config.data_dir).await?;
        let identity = ask::ask(&config.data_dir, &token, &wish, config.clock).await?;
        Self::build(config, identity, wish.addresses).await
    }

    /// Takes up where this data directory left off.
    pub async fn open(config: Config, addresses: Addresses) -> Result<Self, Error> {
        let identity = Identity::load(&config.data_dir)?;
        let log = log_path(&config.data_dir);
        if !log.exists() {
            return Err(Error::LogGone(log));
        }
        Self::build(config, identity, addresses).await
    }

    /// Deletes who this node was, after it has left. An id is never used again: its votes would count for an empty log.
    pub fn forget(data_dir: &Path) -> Result<(), Error> {
        let path = identity::directory(data_dir);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Disk { path, source }),
            _ => Ok(()),
        }
    }

    async fn build(config: Config, identity: Identity, addresses: Addresses) -> Result<Self, Error> {
        let Config { data_dir, listener, clock } = config;
        let log_path = log_path(&data_dir);
        let identity = Arc::new(identity);
        let tasks = Tasks::new("cluster");
        let swim_tasks = Tasks::new("membership");

        // The transport needs to know the members, whom the group knows, which needs the transport: a channel breaks the circle.
        let (publish, catalog) = watch::channel(Arc::default());
        let roster = Arc::new(Roster::new(identity.id, catalog, identity.first_peers.clone()));
        let tls = TlsSettings::of(&identity)?;
        let transport = Transport::new(identity.id, addresses.peer, clock, tls, roster.clone(), tasks.clone());
        let peers: Arc<dyn Peers> = Arc::new(transport.clone());
        let group = Group::open(&log_path, peers.clone()).await?;
        publish.send_replace(group.view().catalog.borrow().clone());
        tasks.spawn("catalog to roster", forward(group.view().catalog.clone(), publish, tasks.clone()));

        let swim = Swim::start(peers.clone(), roster.clone(), clock.now_ms(), &swim_tasks);
        let control_log = RaftControlLog::new(group.clone(), peers.clone(), swim.clone(), clock);
        let blobs_dir_error = |source| Error::Disk { path: data_dir.join("blobs"), source };
        let membership: Arc<dyn Membership> = Arc::new(swim.clone());
        let blobs = BlobStore::open(&data_dir, peers.clone(), membership.clone(), group.view().catalog.clone())
            .map_err(blobs_dir_error)?;

        transport.set_observer(Arc::new(swim.clone()));
        let voucher = control_log.clone();
        transport.set_vouch(Arc::new(move |id| voucher.clone().vouch(id).boxed()));
        let control_log: Arc<dyn ControlLog> = Arc::new(control_log);
        let admission = Arc::new(Admission { identity: identity.clone(), control_log: control_log.clone(), clock });
        transport.set_on_join(Arc::new(move |stream, from| {
            let admission = admission.clone();
            async move { admission.serve(stream, from).await }.boxed()
        }));
        let ring = ChordRing::start(
            Deps {
                own: identity.id,
                dir: identity::directory(&data_dir),
                peers: peers.clone(),
                membership: membership.clone(),
                control_log: control_log.clone(),
                group: group.clone(),
                incarnation: clock.now_ms(),
                config: ChordConfig::default(),
            },
            &tasks,
        );
        let (tell_removed, removed) = watch::channel(false);
        tasks.spawn(
            "removal",
            watch_removal(identity.id, group.view().catalog.clone(), swim.refused(), tell_removed, tasks.clone()),
        );
        Ok(Self {
            peers,
            membership,
            control_log,
            blobs: Arc::new(blobs),
            ring: Arc::new(ring),
            identity,
            addresses,
            listener: Mutex::new(Some(listener)),
            transport,
            roster,
            swim,
            group,
            clock,
            tasks,
            swim_tasks,
            removed,
        })
    }

    pub fn own_id(&self) -> NodeId {
        self.identity.id
    }

    pub fn cluster_id(&self) -> &str {
        &self.identity.cluster_id
    }

    /// Who votes in the consensus group, as this node knows it. The other members learn.
    /// Empty while they change: until the new ones alone decide, the old ones are needed as well.
    pub fn voters(&self) -> BTreeSet<NodeId> {
        let seats = self.group.seats();
        if seats.joint { BTreeSet::new() } else { seats.voters }
    }

    /// Who takes streams to this node's front end. Set before [`Cluster::start`].
    pub fn set_on_http(&self, on_http: OnHttp) {
        self.transport.set_on_http(on_http);
    }

    /// Listens. All handlers must be registered by now.
    pub fn start(&self) -> Result<(), Error> {
        let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let address = self.addresses.peer;
        self.transport.start(listener).map_err(|e| Error::Internal(format!("listening on {address}: {e}")))?;
        let (group, roster, membership) = (self.group.clone(), self.roster.clone(), self.membership.clone());
        self.tasks.spawn(
            "group controller",
            controller::run(self.identity.id, group, roster, membership, self.clock, self.tasks.token()),
        );
        self.tasks.spawn(
            "own addresses",
            keep_addresses(self.identity.id, self.addresses.clone(), self.control_log.clone(), self.tasks.clone()),
        );
        Ok(())
    }

    /// Completes when this node is in its own catalog: at once for a founder, shortly after [`Cluster::start`] for a newcomer.
    pub async fn ready(&self) {
        let mut catalog = self.control_log.watch();
        let id = self.identity.id;
        if catalog.wait_for(|catalog| catalog.nodes.contains_key(&id)).await.is_err() {
            std::future::pending().await
        }
    }

    /// A text with which one node may join, within `ttl`.
    pub async fn issue_token(&self, ttl: Duration) -> Result<String, Error> {
        let fingerprint = certificates::fingerprint_of(&self.identity.authority);
        let expires_ms = self.clock.now_ms().saturating_add(ttl.as_millis() as u64);
        let (token, kept) = Token::make(self.addresses.peer, fingerprint, expires_ms);
        self.control_log.propose(Command::IssueToken(kept)).await?;
        Ok(token.to_text())
    }

    /// Begins to give away what this node has. [`Cluster::removed`] tells when it is out.
    pub async fn leave(&self) -> Result<(), Error> {
        self.control_log.propose(Command::Leave { node: self.identity.id }).await?;
        Ok(())
    }

    /// Turns true when this node is no member any more. Then stop, and [`Cluster::forget`].
    pub fn removed(&self) -> watch::Receiver<bool> {
        self.removed.clone()
    }

    /// In reverse: leadership, membership, consensus, connections.
    pub async fn stop(&self, within: Duration) {
        if self.group.is_leader() {
            self.hand_leadership_on().await;
        }
        self.swim_tasks.stop(within).await;
        self.group.shutdown().await;
        self.tasks.stop(within).await;
    }

    async fn hand_leadership_on(&self) {
        let seats = self.group.seats();
        let next = seats
            .voters
            .iter()
            .find(|id| **id != self.identity.id && self.swim.is_reachable(**id) && seats.caught_up.contains(id));
        if let Some(next) = next {
            self.group.step_aside(*next, STEP_ASIDE_WITHIN).await;
        }
    }
}

/// Of the consensus group.
fn log_path(data_dir: &Path) -> PathBuf {
    identity::directory(data_dir).join("log.redb")
}

async fn prepare_log(data_dir: &Path) -> Result<(), Error> {
    let dir = identity::directory(data_dir);
    files::create_private_dir(&dir).map_err(|source| Error::Disk { path: dir, source })?;
    Group::prepare(&log_path(data_dir)).await
}

/// Copies one channel to the other until the node stops.
async fn forward<T: Clone>(mut from: watch::Receiver<T>, to: watch::Sender<T>, tasks: Tasks) {
    loop {
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            changed = from.changed() => if changed.is_err() { return },
        }
        let value = from.borrow_and_update().clone();
        to.send_replace(value);
    }
}

async fn watch_removal(
    own_id: NodeId,
    mut catalog: watch::Receiver<Arc<ringway_catalog::Catalog>>,
    mut refused: watch::Receiver<bool>,
    removed: watch::Sender<bool>,
    tasks: Tasks,
) {
    let gone = async {
        let was_in = catalog.wait_for(|catalog| catalog.nodes.contains_key(&own_id)).await.is_ok();
        let is_out = was_in && catalog.wait_for(|catalog| !catalog.nodes.contains_key(&own_id)).await.is_ok();
        if !is_out {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = tasks.stopping() => return,
        () = gone => {}
        said = refused.wait_for(|refused| *refused) => if said.is_err() { return },
    }
    warn!("this node is no member of the cluster any more");
    removed.send_replace(true);
}

/// A node that was started with other addresses says so, as soon as somebody listens. Who says otherwise later is another process
/// with the same identity: this node tells, and after a while claims what it is again, in case the other one is gone.
async fn keep_addresses(own_id: NodeId, addresses: Addresses, control_log: Arc<dyn ControlLog>, tasks: Tasks) {
    let mut catalog = control_log.watch();
    let known = |catalog: &Catalog| catalog.nodes.get(&own_id).map(|node| node.addresses.clone());
    let work = async {
        loop {
            let Ok(now) = catalog.wait_for(|catalog| known(catalog).is_some()).await.map(|catalog| known(&catalog))
            else {
                return;
            };
            if now.as_ref() != Some(&addresses) {
                match control_log.propose(Command::SetAddresses { node: own_id, addresses: addresses.clone() }).await {
                    Ok(_) => info!("the cluster knows this node's new addresses"),
                    Err(why) => warn!(%why, "the cluster does not know this node's new addresses yet"),
                }
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            }
            let is_other = |catalog: &Catalog| known(catalog).is_some_and(|known| known != addresses);
            let Ok(other) = catalog.wait_for(|catalog| is_other(catalog)).await.map(|catalog| known(&catalog)) else {
                return;
            };
            let other = other.map(|known| known.peer);
            error!(?other, "another process runs with this node's identity: was its data directory copied?");
            tokio::time::sleep(CLAIM_AGAIN_AFTER).await;
        }
    };
    tokio::select! {
        biased;
        () = tasks.stopping() => {}
        () = work => {}
    }
}
