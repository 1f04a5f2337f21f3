//! Driver: the data tier of one node: what it is made of, and its tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ringway_catalog::Catalog;
use ringway_engine::{BucketStore, Disk};
use ringway_manifest::Storage;
use ringway_ports::{ControlLog, Membership, Peers, Placement, Reach, Service};
use ringway_ring::{Holders, NodeId};
use ringway_rt::cores::Cores;
use ringway_rt::{Tasks, clock};
use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::bucket::{Bucket, Held};
use crate::clock::Clock;
use crate::dirty::Dirty;
use crate::door::lobby::{self, Lobby};
use crate::door::memcache::Access;
use crate::door::memcache::addresses::BucketDoors;
use crate::handover::Handover;
use crate::long_message::LongMessages;
use crate::moving::Moving;
use crate::outbox::Outboxes;
use crate::peer_door::{DataDoor, TransferDoor};
use crate::returning::Returning;
use crate::sources::Sources;
use crate::stats::Stats;
use crate::view::{Reached, View};
use crate::waiters::Waiters;
use crate::{Config, Error, door, handover, repair, returning, sweep, transfer};

/// How long a node that has just started waits to hear of the others before it takes them for dead.
const GOSSIP_WAIT: Duration = Duration::from_secs(3);
/// How long a message waits for this node to hear what its sender knows of the ring.
const EPOCH_WAIT: Duration = Duration::from_millis(700);
const REFUSALS_PER_WARNING: u64 = 1000;

/// The buckets of one node, and its part in keeping those of the cluster.
pub struct DataTier {
    pub(crate) me: Weak<DataTier>,
    pub(crate) config: Config,
    pub(crate) own: NodeId,
    pub(crate) placement: Arc<dyn Placement>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) membership: Arc<dyn Membership>,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Clock,
    pub(crate) dirty: Dirty,
    pub(crate) stats: Stats,
    /// There is something to compare or to bring to somebody now.
    pub(crate) repair_wanted: Notify,
    pub(crate) handover: Handover,
    pub(crate) moving: Moving,
    pub(crate) returning: Returning,
    pub(crate) waiters: Waiters,
    pub(crate) bucket_doors: BucketDoors,
    pub(crate) outboxes: Outboxes,
    pub(crate) long_messages: LongMessages,
    /// Where clients are served.
    pub(crate) cores: Cores,
    /// Of each core.
    pub(crate) lobbies: Vec<Arc<Lobby>>,
    sources: Sources,
    view: ArcSwap<Current>,
    /// Cells by bucket name; held while a view is made.
    held: Mutex<HashMap<String, Arc<Held>>>,
    disk: OnceLock<Arc<Disk>>,
    opening: tokio::sync::Mutex<()>,
    /// Every node of the catalog has been heard of since this one started, or that took too long.
    has_heard: AtomicBool,
    refusals: AtomicU64,
    heard_epoch: AtomicU64,
    started: Instant,
}

/// A view, and what it was made of.
struct Current {
    view: Arc<View>,
    sources: Sources,
}

impl Current {
    fn is_outdated(&self) -> bool {
        self.sources.have_changed(&self.view)
    }
}

impl std::fmt::Debug for DataTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataTier").field("own", &self.own).finish_non_exhaustive()
    }
}

impl DataTier {
    /// Registers with `peers`; answers other nodes from then on. [`DataTier::start`] does the rest.
    pub fn new(
        config: Config,
        log: &dyn ControlLog,
        placement: Arc<dyn Placement>,
        peers: Arc<dyn Peers>,
        membership: Arc<dyn Membership>,
        tasks: Tasks,
    ) -> Arc<Self> {
        ringway_values::set_hash_seed(config.hash_seed);
        let own = peers.own_id();
        let sources = Sources { catalog: log.watch(), holders: placement.watch(), reach: membership.watch() };
        let empty = View::new(own, Arc::default(), Arc::default(), Arc::default(), BTreeSet::new(), HashMap::new());
        let cores = Cores::start("data").expect("threads can be started when the node starts");
        let lobbies = cores.handles().iter().map(|core| Lobby::new(core.clone()));
        let lobbies = lobbies.collect::<Result<_, _>>().expect("there are file descriptors when the node starts");
        let tier = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            config,
            own,
            placement,
            peers: peers.clone(),
            membership,
            tasks,
            clock: Clock::new(own),
            dirty: Dirty::default(),
            stats: Stats::default(),
            repair_wanted: Notify::new(),
            handover: Handover::default(),
            moving: Moving::default(),
            returning: Returning::default(),
            waiters: Waiters::default(),
            bucket_doors: BucketDoors::default(),
            outboxes: Outboxes::default(),
            long_messages: LongMessages::default(),
            cores,
            lobbies,
            view: ArcSwap::from_pointee(Current { view: Arc::new(empty), sources: sources.unread() }),
            sources,
            held: Mutex::default(),
            disk: OnceLock::new(),
            opening: tokio::sync::Mutex::new(()),
            has_heard: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
            heard_epoch: AtomicU64::new(0),
            started: clock::now(),
        });
        peers.serve(Service::Data, Arc::new(DataDoor(Arc::downgrade(&tier))));
        peers.serve(Service::Transfer, Arc::new(TransferDoor(Arc::downgrade(&tier))));
        tier
    }

    /// Opens the door and begins to repair, transfer and sweep. On the current runtime.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        for lobby in &self.lobbies {
            self.tasks.spawn_on(lobby.core(), "lobby", lobby::run(self.clone(), lobby.clone()));
        }
        if let Some(listener) = &self.config.redis {
            let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
            self.tasks.spawn("redis door", door::run(self.clone(), listener));
        }
        if let Some(listener) = &self.config.memcache {
            let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
            let access = Access::of(self.config.memcache_bucket.as_deref());
            self.tasks.spawn("memcached door", door::memcache::run(self.clone(), listener, access));
        }
        self.tasks.spawn("handover", handover::run(self.clone()));
        self.tasks.spawn("repair", repair::run(self.clone()));
        self.tasks.spawn("transfer", transfer::run(self.clone()));
        self.tasks.spawn("sweep", sweep::run(self.clone()));
        self.tasks.spawn("returning", returning::run(self.clone()));
        Ok(())
    }

    /// The view of now: made anew if the catalog, the ring or the reachable nodes have changed since.
    pub(crate) fn view(&self) -> Arc<View> {
        let current = self.view.load();
        if !current.is_outdated() {
            return Arc::clone(&current.view);
        }
        drop(current);
        self.renew_view(false)
    }

    pub(crate) fn catalog_changes(&self) -> watch::Receiver<Arc<Catalog>> {
        self.sources.catalog.clone()
    }

    pub(crate) fn ring_changes(&self) -> watch::Receiver<Arc<Holders>> {
        self.sources.holders.clone()
    }

    /// Waits until this node knows the ring's `epoch`, but not for long. Whether it does.
    pub(crate) async fn knows_epoch(&self, epoch: u64) -> bool {
        let mut holders = self.sources.holders.clone();
        let known = holders.wait_for(|holders| holders.epoch() >= epoch);
        matches!(tokio::time::timeout(EPOCH_WAIT, known).await, Ok(Ok(_)))
    }

    /// Others know this epoch of the ring.
    pub(crate) fn note_epoch(&self, epoch: u64) {
        self.heard_epoch.fetch_max(epoch, Ordering::Relaxed);
    }

    /// Whether somebody has sent something that is meant for a newer epoch.
    pub(crate) fn has_heard_of_newer(&self, view: &View) -> bool {
        self.heard_epoch.load(Ordering::Relaxed) > view.holders.epoch()
    }

    pub(crate) fn reach_changes(&self) -> watch::Receiver<Reached> {
        self.sources.reach.clone()
    }

    /// The bucket, opened if it is not yet.
    pub(crate) async fn bucket(self: &Arc<Self>, name: &str) -> Result<(Arc<View>, Arc<Bucket>), Error> {
        let view = self.view();
        if let Some(bucket) = view.buckets.get(name) {
            let bucket = bucket.clone();
            return Ok((view, bucket));
        }
        if !view.catalog.buckets.contains_key(name) {
            return Err(Error::NoBucket(name.to_owned()));
        }
        self.open_from_disk(name).await?;
        let view = self.renew_view(true);
        let bucket = view.buckets.get(name).cloned().ok_or_else(|| Error::NoBucket(name.to_owned()))?;
        Ok((view, bucket))
    }

    /// A node that has just started with empty memory must not take itself for the only one left: waits until gossip has told
    /// of each node of the catalog, up or down, but not for long.
    pub(crate) async fn hear_of_others(&self) {
        // Before the catalog is here there are no buckets to answer for, and nobody is known to be missing.
        if self.has_heard.load(Ordering::Relaxed) || self.sources.catalog.borrow().nodes.is_empty() {
            return;
        }
        let knows_all = |reach: &Reached| {
            let catalog = self.sources.catalog.borrow();
            catalog.nodes.keys().all(|node| *node == self.own || reach.contains_key(node))
        };
        let mut reach = self.sources.reach.clone();
        let left = GOSSIP_WAIT.saturating_sub(self.started.elapsed());
        // Heard or not: after this it goes on with what is known.
        let _ = tokio::time::timeout(left, reach.wait_for(knows_all)).await.map(|heard| heard.map(drop));
        self.has_heard.store(true, Ordering::Relaxed);
    }

    /// Whether that is over.
    pub(crate) fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Relaxed)
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// A replica would not take a write. Told once in a while: it may be every write.
    pub(crate) fn note_refusal(&self, node: NodeId, why: &str) {
        if self.refusals.fetch_add(1, Ordering::Relaxed).is_multiple_of(REFUSALS_PER_WARNING) {
            warn!(peer = %node, why, "replica refuses writes");
        }
    }

    /// A call to `node` did not come through.
    pub(crate) fn note_failure(&self, node: NodeId) {
        self.membership.report_failure(node);
    }

    /// Something that a view is made of has changed without telling.
    pub(crate) fn look_again(&self) {
        self.renew_view(true);
    }

    fn renew_view(&self, anyway: bool) -> Arc<View> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.view.load_full();
        let before = &current.view;
        if !anyway && !current.is_outdated() {
            return before.clone();
        }
        let mut sources = self.sources.clone();
        let (catalog, holders, reach) = sources.read();
        let returned = returned(&before.reach, &reach);
        self.close_deleted(&catalog, &mut held);
        self.dirty.keep(|node| catalog.nodes.contains_key(&node));
        let buckets = open_buckets(&catalog, &mut held);
        let returning = self.returning.note(&before.reach, &reach);
        let view = Arc::new(View::new(self.own, catalog, holders, reach, returning, buckets));
        view.buckets.values().for_each(|bucket| bucket.adapt(before, &view, &returned));
        self.handover.note_view(before, &view);
        if before.is_given_up() {
            view.buckets.values().for_each(|bucket| bucket.held.set_strays(true));
        }
        self.view.store(Arc::new(Current { view: view.clone(), sources }));
        self.repair_wanted.notify_one();
        view
    }

    fn close_deleted(&self, catalog: &Catalog, held: &mut HashMap<String, Arc<Held>>) {
        let deleted: Vec<String> = held
            .iter()
            .filter(|(name, held)| catalog.buckets.get(*name).is_none_or(|bucket| bucket.created_ms != held.created_ms))
            .map(|(name, _)| name.clone())
            .collect();
        for held in deleted.iter().filter_map(|name| held.remove(name)).filter(|held| held.store.is_on_disk()) {
            self.tasks.spawn("delete bucket", delete(held));
        }
    }

    async fn open_from_disk(self: &Arc<Self>, name: &str) -> Result<(), Error> {
        let _one_at_a_time = self.opening.lock().await;
        let catalog = self.sources.catalog.borrow().clone();
        let Some(bucket) = catalog.buckets.get(name).cloned() else { return Ok(()) };
        let is_open = self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name);
        if is_open {
            return Ok(());
        }
        let tier = self.clone();
        let open = move || -> Result<(), ringway_engine::Error> {
            let disk = tier.open_disk()?;
            disk.note_revision(catalog.revision);
            let store = BucketStore::open(disk, &stored_name(&bucket), bucket.spec.limit.0)?;
            tier.hold(bucket.name, bucket.created_ms, store);
            Ok(())
        };
        let opened = tokio::task::spawn_blocking(open).await.map_err(|panic| Error::Internal(panic.to_string()))?;
        Ok(opened?)
    }

    /// Takes off the disk what was deleted while the node was down, or before it had opened it. Happens by itself.
    pub async fn forget_deleted(self: &Arc<Self>) -> Result<(), Error> {
        let _one_at_a_time = self.opening.lock().await;
        let tier = self.clone();
        let forget = move || -> Result<(), ringway_engine::Error> {
            // A node that never had a bucket on disk is not given a database.
            if tier.disk.get().is_none() && !tier.config.dir.exists() {
                return Ok(());
            }
            let catalog = tier.sources.catalog.borrow().clone();
            let kept: BTreeSet<String> = catalog.buckets.values().map(stored_name).collect();
            tier.open_disk()?.keep_only(catalog.revision, |name| kept.contains(name)).map(drop)
        };
        let forgotten =
            tokio::task::spawn_blocking(forget).await.map_err(|panic| Error::Internal(panic.to_string()))?;
        Ok(forgotten?)
    }

    fn open_disk(&self) -> Result<Arc<Disk>, ringway_engine::Error> {
        if let Some(disk) = self.disk.get() {
            return Ok(disk.clone());
        }
        let disk = Arc::new(Disk::open(&self.config.dir)?);
        Ok(self.disk.get_or_init(|| disk).clone())
    }

    fn hold(&self, name: String, created_ms: u64, store: BucketStore) {
        if let Err(ahead) = self.clock.observe(store.latest()) {
            warn!(bucket = name, %ahead, "stored versions are ahead of this node's clock");
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(Held::new(created_ms, store)));
    }
}

/// The time tells it from a deleted bucket of the same name that is still there.
fn stored_name(bucket: &ringway_catalog::Bucket) -> String {
    format!("{}@{}", bucket.name, bucket.created_ms)
}

/// Takes a bucket off the disk.
async fn delete(held: Arc<Held>) {
    let deleted = tokio::task::spawn_blocking(move || held.store.delete()).await;
    if let Ok(Err(error)) = deleted {
        warn!(%error, "deleted bucket stays on disk");
    }
}

/// Memory buckets are opened as they are declared; disk buckets when they are used first.
fn open_buckets(catalog: &Catalog, held: &mut HashMap<String, Arc<Held>>) -> HashMap<String, Arc<Bucket>> {
    let mut buckets = HashMap::new();
    for (name, entry) in &catalog.buckets {
        if entry.spec.storage == Storage::Memory && !held.contains_key(name) {
            let store = BucketStore::new(entry.spec.limit.0);
            held.insert(name.clone(), Arc::new(Held::new(entry.created_ms, store)));
        }
        if let Some(held) = held.get(name) {
            let bucket = Bucket { name: name.as_str().into(), spec: entry.spec.clone(), held: held.clone() };
            buckets.insert(name.clone(), Arc::new(bucket));
        }
    }
    buckets
}

/// Who was down, or not known, and is not any more.
fn returned(before: &BTreeMap<NodeId, Reach>, after: &BTreeMap<NodeId, Reach>) -> Vec<NodeId> {
    let was_down = |node: &NodeId| before.get(node).is_none_or(|reach| *reach == Reach::Down);
    after.iter().filter(|(node, reach)| **reach != Reach::Down && was_down(node)).map(|(node, _)| *node).collect()
}
