//! A cluster of tiers that a test can start, kill and extend.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::{
    Addresses, Bucket, Catalog, Command, JoinToken, NodeInfo, NodeState, Outcome, Refusal, Secret, Stamped,
};
use ringway_data::{Config, DataTier, ManagedRing};
use ringway_manifest::{Bucket as Spec, Storage};
use ringway_ports::{ControlLog, Kv, ProposeError, Reach};
use ringway_ring::NodeId;
use ringway_rt::{Tasks, clock};
use tokio::sync::watch;

use crate::network::Network;

pub const TOKEN: &str = "token-of-the-bucket";
const DEADLINE: Duration = Duration::from_secs(20);

pub fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// The catalog of the whole cluster.
pub struct Log(watch::Sender<Arc<Catalog>>);

impl Log {
    pub fn apply(&self, command: Command) -> Outcome {
        self.try_apply(command).unwrap()
    }

    pub fn try_apply(&self, command: Command) -> Result<Outcome, Refusal> {
        let mut outcome = None;
        self.0.send_modify(|catalog| {
            let mut changed = (**catalog).clone();
            outcome = Some(changed.apply(Stamped { now_ms: clock::wall_ms(), command }));
            *catalog = Arc::new(changed);
        });
        outcome.unwrap()
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.borrow().clone()
    }

    pub fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.0.subscribe()
    }
}

/// What one node sees of it: everything, some time later.
struct SeenLog {
    log: Arc<Log>,
    seen: watch::Receiver<Arc<Catalog>>,
}

impl SeenLog {
    /// Changes arrive up to `lag_max` late, each as late as chance wants it, in order.
    fn new(log: Arc<Log>, lag_max: Duration, tasks: &Tasks) -> Arc<Self> {
        if lag_max.is_zero() {
            let seen = log.watch();
            return Arc::new(Self { log, seen });
        }
        let mut changes = log.watch();
        let (sender, seen) = watch::channel(log.catalog());
        let stopping = tasks.clone();
        tasks.spawn("late catalog", async move {
            while changes.changed().await.is_ok() {
                let now = changes.borrow_and_update().clone();
                let lag = lag_max.mul_f64((ringway_rt::random::number() % 1000) as f64 / 1000.0);
                tokio::select! {
                    () = stopping.stopping() => return,
                    () = tokio::time::sleep(lag) => drop(sender.send_replace(now)),
                }
            }
        });
        Arc::new(Self { log, seen })
    }
}

impl ControlLog for SeenLog {
    fn catalog(&self) -> Arc<Catalog> {
        self.seen.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.seen.clone()
    }

    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        let outcome = self.log.try_apply(command).map_err(ProposeError::Refused);
        let (revision, mut seen) = (self.log.catalog().revision, self.seen.clone());
        async move {
            seen.wait_for(|catalog| catalog.revision >= revision).await.map_err(|_| ProposeError::Stopping)?;
            outcome
        }
        .boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        None
    }
}

pub struct Running {
    pub tier: Arc<DataTier>,
    pub redis: SocketAddr,
    /// Where a token has to be said.
    pub memcache: SocketAddr,
    tasks: Tasks,
}

pub struct World {
    pub log: Arc<Log>,
    network: Arc<Network>,
    nodes: BTreeMap<u8, Running>,
    dir: PathBuf,
    redis_redirect: bool,
    lag_max: Duration,
}

impl World {
    /// Nodes 1 to `count`, with the ring settled.
    pub async fn new(count: u8) -> Self {
        Self::grown(count, false, Duration::ZERO).await
    }

    /// The same; their Redis doors say MOVED rather than forward.
    pub async fn redirecting(count: u8) -> Self {
        Self::grown(count, true, Duration::ZERO).await
    }

    /// The same; each hears of every change of the catalog at its own time, up to so much later.
    pub async fn lagging(count: u8, lag_max: Duration) -> Self {
        Self::grown(count, false, lag_max).await
    }

    async fn grown(count: u8, redis_redirect: bool, lag_max: Duration) -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-data-{:016x}", ringway_rt::random::number()));
        let log = Arc::new(Log(watch::channel(Arc::default()).0));
        let mut world = Self { log, network: Arc::default(), nodes: BTreeMap::new(), dir, redis_redirect, lag_max };
        for number in 1..=count {
            world.join(number);
            world.settled().await;
        }
        world
    }

    /// Takes a new node in and starts it.
    pub fn join(&mut self, number: u8) {
        self.start(number);
        let info = self.info(number);
        if number == 1 {
            self.log.apply(Command::Found { cluster_id: "test".to_owned(), node: info, ring: Default::default() });
        } else {
            let (id, secret) = (format!("t{number}"), "secret");
            self.log.apply(Command::IssueToken(JoinToken::new(id.clone(), secret.as_bytes(), u64::MAX / 2)));
            self.log.apply(Command::Join { token_id: id, token_secret: Secret::new(secret), node: info });
        }
    }

    /// Where the node keeps its buckets.
    pub fn dir_of(&self, number: u8) -> std::path::PathBuf {
        self.dir.join(number.to_string())
    }

    /// Starts a node, or starts it again: memory is empty then, its directory is as it was.
    pub fn start(&mut self, number: u8) {
        self.start_unheard(number);
        self.gossip();
    }

    /// The same, but gossip has not told it of the others yet.
    pub fn start_unheard(&mut self, number: u8) {
        let listener = ringway_rt::net::listen("redis", "127.0.0.1:0".parse().unwrap(), "--redis", false).unwrap();
        let redis = listener.local_addr().unwrap();
        let memcache = ringway_rt::net::listen("memcached", "127.0.0.1:0".parse().unwrap(), "", false).unwrap();
        let memcache_addr = memcache.local_addr().unwrap();
        let endpoint = self.network.join(node(number));
        let tasks = Tasks::new("data");
        let config = Config {
            dir: self.dir_of(number),
            redis: Some(listener),
            memcache: Some(memcache),
            memcache_bucket: None,
            clients_max: 100,
            redis_redirect: self.redis_redirect,
            hash_seed: 7,
        };
        let log = SeenLog::new(self.log.clone(), self.lag_max, &tasks);
        let ring = ManagedRing::start(node(number), log.clone(), &tasks);
        let tier = DataTier::new(config, &*log, ring, endpoint.clone(), endpoint, tasks.clone());
        tier.start().unwrap();
        self.nodes.insert(number, Running { tier, redis, memcache: memcache_addr, tasks });
    }

    /// Ends a node as SIGKILL would; gossip tells the others a little later, when the test says so.
    pub async fn kill(&mut self, number: u8) {
        self.network.cut_off(node(number));
        let running = self.nodes.remove(&number).unwrap();
        running.tasks.stop(Duration::from_secs(5)).await;
        // Messages that were being served may end a moment later than the tasks.
        eventually(|| Arc::strong_count(&running.tier) == 1).await.expect("nothing holds on to the tier for good");
    }

    /// Messages between two nodes fail from now on; nobody is told.
    pub fn cut_link(&self, one: u8, other: u8) {
        self.network.cut_link(node(one), node(other));
    }

    /// A partition of the network between a node and others, which all of them have noticed.
    pub fn split(&self, one: u8, others: &[u8]) {
        for other in others {
            self.cut_link(one, *other);
            self.network.tell(node(one), node(*other), Reach::Down);
            self.network.tell(node(*other), node(one), Reach::Down);
        }
    }

    /// It heals, which so far only the others have noticed.
    pub fn heal_unnoticed(&self, one: u8, others: &[u8]) {
        for other in others {
            self.network.mend_link(node(one), node(*other));
            self.network.tell(node(*other), node(one), Reach::Up);
        }
    }

    /// Everybody hears who is up.
    pub fn gossip(&self) {
        let up: Vec<NodeId> = self.nodes.keys().map(|number| node(*number)).collect();
        self.network.gossip(&up);
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn at(&self, number: u8) -> &Running {
        &self.nodes[&number]
    }

    pub fn kv(&self, number: u8) -> Arc<dyn Kv> {
        self.nodes[&number].tier.clone()
    }

    pub fn bucket(&self, name: &str, change: impl FnOnce(&mut Spec)) {
        let mut spec = Spec::default();
        change(&mut spec);
        // Different for each, as it is when people make them.
        static CREATED: AtomicU64 = AtomicU64::new(1);
        let created_ms = match self.log.catalog().buckets.get(name) {
            Some(before) => before.created_ms,
            None => CREATED.fetch_add(1, Ordering::Relaxed),
        };
        let bucket = Bucket { name: name.to_owned(), app: None, spec, token: Secret::new(TOKEN), created_ms };
        self.log.apply(Command::PutBucket(bucket));
    }

    /// Waits until every node has heard of a bucket.
    pub async fn heard_of(&self, bucket: &str) {
        let all = || self.nodes.values().all(|node| node.tier.usage(bucket).is_some());
        eventually(all).await.expect("everybody hears of the bucket");
    }

    pub async fn settled(&self) {
        let mut catalog = self.log.watch();
        let settled = catalog.wait_for(|catalog| !catalog.is_moving());
        tokio::time::timeout(DEADLINE, settled).await.expect("the ring settles").unwrap();
    }

    /// Waits until a bucket's replicas on these nodes hold the same number of keys and bytes.
    pub async fn usage_is(&self, bucket: &str, expected: &[(u8, u64)]) {
        let seen = || -> Vec<(u8, u64)> {
            let keys = |number: u8| self.kv(number).usage(bucket).map_or(0, |(keys, _)| keys);
            expected.iter().map(|(number, _)| (*number, keys(*number))).collect()
        };
        eventually(|| seen() == expected).await.unwrap_or_else(|()| panic!("{:?} is not {expected:?}", seen()));
    }

    fn info(&self, number: u8) -> NodeInfo {
        let peer = SocketAddr::from(([127, 0, 0, number], 7000));
        let redis = Some(self.at(number).redis);
        NodeInfo {
            id: node(number),
            name: format!("n{number}"),
            zone: String::new(),
            capacity: 1,
            addresses: Addresses { peer, http: None, https: None, redis, admin: peer },
            joined_ms: 0,
            state: NodeState::Active,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Waits for a condition.
pub async fn eventually(mut condition: impl FnMut() -> bool) -> Result<(), ()> {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.map_err(drop)
}

pub fn disk(spec: &mut Spec) {
    spec.storage = Storage::Disk;
}

pub fn key(number: usize) -> Bytes {
    Bytes::from(format!("key:{number}"))
}

/// Writes keys through one node after another.
pub async fn write_keys(world: &World, bucket: &str, through: &[u8], count: usize) {
    for number in 0..count {
        let kv = world.kv(through[number % through.len()]);
        kv.set(bucket, key(number), key(number), None).await.unwrap();
    }
}

/// Reads each key through each of the nodes.
pub async fn assert_all_there(world: &World, bucket: &str, through: &[u8], count: usize) {
    for number in 0..count {
        for node in through {
            let value = world.kv(*node).get(bucket, key(number)).await.unwrap();
            assert_eq!(value, Some(key(number)), "key {number} through node {node}");
        }
    }
}
