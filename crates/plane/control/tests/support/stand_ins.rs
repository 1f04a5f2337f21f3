//! Stand-ins for everything that the admin API is handed: a cluster of several nodes within one process, without any disk or
//! consensus. Commands are applied to the catalog at once; messages between nodes are function calls.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use ringway_catalog::{Addresses, BlobId, Catalog, Command, JoinToken, NodeInfo, NodeState, Outcome, Secret, Stamped};
use ringway_control::api::IssuedToken;
use ringway_control::{Config, Control, Deps, Fetch, PartitionLoad};
use ringway_ports::{
    BigKey, BlobError, Blobs, CacheEntry, CacheKey, CacheRequest, CacheStats, ChangesFrom, ControlLog, Decision,
    Existing, Explain, ExplainRequest, Explanation, HotKey, HttpCache, InstanceView, Instances, Kv, KvChange,
    KvChanges, KvError, KvKind, KvPage, KvPattern, KvRecord, KvRecords, KvStats, KvTop, KvValue, LogLine, Looked,
    LookupError, LookupWish, Lookups, Membership, PeerError, PeerHandler, PeerStream, Peers, Priority, ProposeError,
    Purge, Purged, Reach, Ring, RingError, Service, Stop, StoredResponse, VirtualNodeView, Walked,
};
use ringway_ring::{Holders, NodeId, Partition, Point, Step, Via, VirtualNode, partition_of};
use tokio::sync::{broadcast, watch};

pub const TOKEN: &str = "admin-token-of-the-test";

type Key = (String, Bytes);
type Handlers = Arc<Mutex<HashMap<NodeId, Arc<dyn PeerHandler>>>>;

/// What all nodes share.
#[derive(Clone)]
pub struct World {
    pub catalog: Arc<Mutex<Catalog>>,
    published: watch::Sender<Arc<Catalog>>,
    handlers: Handlers,
    values: Arc<Mutex<BTreeMap<Key, Bytes>>>,
    /// What is no string, as it was imported.
    pub collections: Arc<Mutex<BTreeMap<Key, KvRecord>>>,
    /// The data tier tells changes.
    pub tells_changes: Arc<Mutex<bool>>,
    pub blobs: Arc<Mutex<HashMap<BlobId, Vec<u8>>>>,
    pub reach: watch::Sender<Arc<BTreeMap<NodeId, Reach>>>,
    pub dir: PathBuf,
}

/// One node's own part.
#[derive(Clone)]
pub struct Node {
    pub id: NodeId,
    pub world: World,
    pub instances: Arc<Mutex<Vec<InstanceView>>>,
    pub logs: Arc<Mutex<Vec<LogLine>>>,
    pub log_sender: broadcast::Sender<LogLine>,
    pub rate: Arc<Mutex<(u64, Vec<u64>)>>,
    pub transfer: Arc<Mutex<Option<(u64, u64)>>>,
    pub fetches: Arc<Mutex<Vec<Fetch>>>,
    pub memory: Arc<Mutex<u64>>,
    /// What was executed here.
    pub feed: watch::Sender<Vec<KvChange>>,
    pub stats: Arc<Mutex<KvStats>>,
    pub cache: Arc<Mutex<(CacheStats, Vec<CacheEntry>)>>,
    pub purges: Arc<Mutex<Vec<Purge>>>,
}

pub fn node_id(n: u8) -> NodeId {
    let mut bytes = [n.wrapping_mul(0x35); 16];
    bytes[0] = n;
    NodeId::from_bytes(bytes)
}

pub fn node_info(n: u8, name: &str) -> NodeInfo {
    let port = |base: u16| SocketAddr::from(([127, 0, 0, 1], base + u16::from(n)));
    NodeInfo {
        id: node_id(n),
        name: name.to_owned(),
        zone: String::new(),
        capacity: 1,
        addresses: Addresses {
            peer: port(7000),
            http: Some(port(8080)),
            https: None,
            redis: Some(port(6379)),
            admin: port(7600),
        },
        joined_ms: 1,
        state: NodeState::Active,
    }
}

impl World {
    pub fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-control-{:016x}", ringway_rt::random::number()));
        ringway_rt::files::create_private_dir(&dir).expect("the temporary directory is writable");
        Self {
            catalog: Arc::default(),
            published: watch::channel(Arc::default()).0,
            handlers: Arc::default(),
            values: Arc::default(),
            collections: Arc::default(),
            tells_changes: Arc::default(),
            blobs: Arc::default(),
            reach: watch::channel(Arc::default()).0,
            dir,
        }
    }

    pub fn apply(&self, command: Command) -> Result<Outcome, ProposeError> {
        let mut catalog = self.catalog.lock().expect("no test panics while it holds this");
        let outcome = catalog.apply(Stamped { now_ms: ringway_rt::clock::wall_ms(), command });
        self.published.send_replace(Arc::new(catalog.clone()));
        outcome.map_err(ProposeError::Refused)
    }

    /// The first node founds the cluster, others join at once and hold their part.
    pub fn add_node(&self, n: u8, name: &str) -> Node {
        let info = node_info(n, name);
        if n == 1 {
            self.apply(Command::Found { cluster_id: "5f0c9e2d7a".to_owned(), node: info, ring: Default::default() })
                .expect("the first node founds");
        } else {
            let expires_ms = ringway_rt::clock::wall_ms() + 60_000;
            let token = JoinToken::new(format!("token-{n}"), b"secret", expires_ms);
            self.apply(Command::IssueToken(token)).expect("a token can always be issued");
            let join =
                Command::Join { token_id: format!("token-{n}"), token_secret: Secret::new("secret"), node: info };
            self.apply(join).expect("the node is new");
        }
        self.reach.send_modify(|reach| {
            Arc::make_mut(reach).insert(node_id(n), Reach::Up);
        });
        Node {
            id: node_id(n),
            world: self.clone(),
            instances: Arc::default(),
            logs: Arc::default(),
            log_sender: broadcast::channel(1024).0,
            rate: Arc::default(),
            transfer: Arc::default(),
            fetches: Arc::default(),
            memory: Arc::new(Mutex::new(48_000_000)),
            feed: watch::channel(Vec::new()).0,
            stats: Arc::default(),
            cache: Arc::default(),
            purges: Arc::default(),
        }
    }

    /// Everybody has what is theirs.
    pub fn settle(&self) {
        let (nodes, epoch) = {
            let catalog = self.catalog.lock().expect("no test panics while it holds this");
            (catalog.layout.members().to_vec(), catalog.epoch)
        };
        for node in nodes {
            self.apply(Command::Synced { node, epoch, partitions: None }).expect("being synced is always fine");
        }
    }

    /// Every node that holds a partition has all its keys, and each is worth a hundred bytes more than it says.
    fn loads_of(&self, node: NodeId) -> Vec<PartitionLoad> {
        let catalog = self.catalog.lock().expect("no test panics while it holds this");
        let mut loads: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for ((_, key), value) in self.values.lock().expect("not poisoned").iter() {
            let partition = partition_of(key);
            if catalog.read_layout().holds(node, partition) {
                let load = loads.entry(partition.0).or_default();
                *load = (load.0 + 1, load.1 + (key.len() + value.len()) as u64 + 100);
            }
        }
        loads.into_iter().map(|(partition, (keys, bytes))| (partition, keys, bytes)).collect()
    }

    pub fn set_reach(&self, n: u8, reach: Reach) {
        self.reach.send_modify(|all| {
            Arc::make_mut(all).insert(node_id(n), reach);
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The last of a world takes its directory along; it may be gone already.
        if Arc::strong_count(&self.world.values) == 1 {
            let _ = std::fs::remove_dir_all(&self.world.dir);
        }
    }
}

impl Node {
    pub fn control(&self) -> Arc<Control> {
        let node = Arc::new(self.clone());
        let (rate, memory, transfer, world) =
            (self.rate.clone(), self.memory.clone(), self.transfer.clone(), self.world.clone());
        let id = self.id;
        let deps = Deps {
            control_log: node.clone(),
            membership: node.clone(),
            peers: node.clone(),
            instances: node.clone(),
            kv: node.clone(),
            cache: node.clone(),
            blobs: node,
            metrics_render: Arc::new(|| "ringway_test_total 1\n".to_owned()),
            request_rate: Arc::new(move || rate.lock().expect("not poisoned").clone()),
            memory: Arc::new(move || *memory.lock().expect("not poisoned")),
            issue_token: Box::new(|ttl| {
                let expires_ms = ringway_rt::clock::wall_ms() + ttl.as_millis() as u64;
                ready(Ok(IssuedToken { token: "join-me".to_owned(), expires_ms })).boxed()
            }),
            leave: Box::new(move || ready(world.apply(Command::Leave { node: id }).map(drop)).boxed()),
            transfer_progress: Arc::new(move || *transfer.lock().expect("not poisoned")),
            fetches: {
                let fetches = self.fetches.clone();
                Arc::new(move || fetches.lock().expect("not poisoned").clone())
            },
            partition_loads: {
                let (world, id) = (self.world.clone(), self.id);
                Arc::new(move || world.loads_of(id))
            },
            lookups: Arc::new(self.clone()),
            explain: Arc::new(self.clone()),
            ring: Arc::new(self.clone()),
        };
        let config = Config {
            token: Secret::new(TOKEN),
            version: "0.1.0".to_owned(),
            started_ms: ringway_rt::clock::wall_ms() - 3_900_000,
            upload_dir: self.world.dir.join("uploads"),
            hosts: vec![],
            metrics_open: false,
        };
        Control::new(config, deps)
    }
}

/// Tells what it was asked.
impl Explain for Node {
    fn explain(&self, request: &ExplainRequest) -> Explanation {
        let ExplainRequest { method, tls, host, target, headers } = request;
        let asked =
            Decision { result: format!("{method} {tls} {host} {target}"), because: vec![format!("{headers:?}")] };
        Explanation { route: Some(asked), ..Explanation::default() }
    }
}

impl ControlLog for Node {
    fn catalog(&self) -> Arc<Catalog> {
        self.world.published.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.world.published.subscribe()
    }

    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        ready(self.world.apply(command)).boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        Some(node_id(1))
    }
}

impl Membership for Node {
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>> {
        self.world.reach.subscribe()
    }

    fn report_failure(&self, _node: NodeId) {}

    fn is_reachable(&self, node: NodeId) -> bool {
        self.world.reach.borrow().get(&node).is_some_and(|reach| *reach != Reach::Down)
    }
}

impl Peers for Node {
    fn call(
        &self,
        to: NodeId,
        _: Priority,
        service: Service,
        body: Bytes,
        _: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        assert_eq!(service, Service::Control);
        let handler = self.world.handlers.lock().expect("not poisoned").get(&to).cloned();
        let from = self.id;
        async move {
            let handler = handler.ok_or_else(|| PeerError::Unreachable(to, "connection refused".to_owned()))?;
            handler.handle(from, body).await.map_err(|text| PeerError::Remote(to, text))
        }
        .boxed()
    }

    fn tell(&self, _: NodeId, _: Priority, _: Service, _: Bytes) {}

    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>> {
        ready(Err(PeerError::Unreachable(to, "not in this test".to_owned()))).boxed()
    }

    fn serve(&self, service: Service, handler: Arc<dyn PeerHandler>) {
        assert_eq!(service, Service::Control);
        self.world.handlers.lock().expect("not poisoned").insert(self.id, handler);
    }

    fn own_id(&self) -> NodeId {
        self.id
    }
}

/// One hop to the primary, whatever the router.
impl Lookups for Node {
    fn walk(&self, wish: LookupWish) -> BoxFuture<'static, Result<Walked, LookupError>> {
        let catalog = self.world.catalog.lock().expect("no test panics while it holds this");
        let owner = catalog.read_layout().primary(partition_of(&wish.key)).expect("somebody has it");
        let place =
            |node: NodeId| Partition::all().find(|partition| catalog.read_layout().primary(*partition) == Some(node));
        let point = |partition: Partition| Point((u64::from(partition.0) << 52) | ((1 << 52) - 1));
        let stop = |node: NodeId, is_local| {
            let at = if is_local { place(node).map(point) } else { Some(point(partition_of(&wish.key))) };
            Stop { node, at, is_local, knew: "a table".to_owned(), entries: 4096, ..Stop::default() }
        };
        let mut stops = vec![stop(wish.from, true)];
        if owner != wish.from {
            stops.push(Stop { round_trip: Duration::from_micros(150), ..stop(owner, false) });
        }
        let hops = stops.len() as u32 - 1;
        let took = Duration::from_micros(180);
        ready(Ok(Walked { via: wish.via, stops, owner: Some(owner), hops, steps: hops, took, failure: None })).boxed()
    }
}

/// A managed ring's: nothing.
impl Ring for Node {
    fn watch(&self) -> watch::Receiver<Arc<Holders>> {
        watch::channel(Arc::default()).1
    }

    fn find(&self, partition: Partition) -> BoxFuture<'static, Result<Vec<NodeId>, RingError>> {
        ready(Err(RingError::NotFound(partition.0))).boxed()
    }

    fn forget(&self, _: Partition) {}

    fn virtual_nodes(&self) -> Vec<VirtualNodeView> {
        Vec::new()
    }

    fn step(&self, _: Via, _: Point) -> Step<VirtualNode> {
        Step::Busy
    }

    fn depart(&self) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }

    fn note_emptied(&self) {}
}

impl Instances for Node {
    fn list(&self) -> Vec<InstanceView> {
        self.instances.lock().expect("not poisoned").clone()
    }

    fn recent_logs(&self, app: &str, lines: usize) -> Vec<LogLine> {
        let mut kept: Vec<LogLine> =
            self.logs.lock().expect("not poisoned").iter().filter(|line| line.app == app).cloned().collect();
        kept.drain(..kept.len().saturating_sub(lines));
        kept
    }

    fn follow_logs(&self) -> broadcast::Receiver<LogLine> {
        self.log_sender.subscribe()
    }
}

impl Node {
    fn bucket(&self, bucket: &str) -> Result<String, KvError> {
        let known = self.world.catalog.lock().expect("not poisoned").buckets.contains_key(bucket);
        if known { Ok(bucket.to_owned()) } else { Err(KvError::NoBucket(bucket.to_owned())) }
    }

    fn values<T>(&self, bucket: &str, work: impl FnOnce(&mut BTreeMap<Key, Bytes>, String) -> T) -> Result<T, KvError> {
        let bucket = self.bucket(bucket)?;
        Ok(work(&mut self.world.values.lock().expect("not poisoned"), bucket))
    }
}

impl Node {
    fn note(&self, key: &Bytes, event: &str) {
        let change = KvChange { at_ms: ringway_rt::clock::wall_ms(), key: key.clone(), event: event.to_owned() };
        self.feed.send_modify(|feed| feed.push(change));
    }
}

impl Kv for Node {
    fn get(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<Bytes>, KvError>> {
        ready(self.values(bucket, |values, bucket| values.get(&(bucket, key)).cloned())).boxed()
    }

    fn set(
        &self,
        bucket: &str,
        key: Bytes,
        value: Bytes,
        _: Option<Duration>,
    ) -> BoxFuture<'static, Result<(), KvError>> {
        self.note(&key, "set");
        ready(self.values(bucket, |values, bucket| drop(values.insert((bucket, key), value)))).boxed()
    }

    fn del(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<bool, KvError>> {
        self.note(&key, "del");
        ready(self.values(bucket, |values, bucket| values.remove(&(bucket, key)).is_some())).boxed()
    }

    fn scan(&self, bucket: &str, cursor: u64, count: usize) -> BoxFuture<'static, Result<KvPage, KvError>> {
        let page = self.values(bucket, |values, bucket| {
            let keys: Vec<Bytes> = values.keys().filter(|(of, _)| *of == bucket).map(|(_, key)| key.clone()).collect();
            let end = (cursor as usize + count).min(keys.len());
            KvPage { keys: keys[cursor as usize..end].to_vec(), cursor: if end == keys.len() { 0 } else { end as u64 } }
        });
        ready(page).boxed()
    }

    fn usage(&self, bucket: &str) -> Option<(u64, u64)> {
        let values = self.world.values.lock().expect("not poisoned");
        let own = values.iter().filter(|((of, _), _)| of == bucket);
        Some(own.fold((0, 0), |(keys, bytes), ((_, key), value)| (keys + 1, bytes + (key.len() + value.len()) as u64)))
    }

    fn read(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<KvRecord>, KvError>> {
        let collection =
            self.world.collections.lock().expect("not poisoned").get(&(bucket.to_owned(), key.clone())).cloned();
        let value = self.values(bucket, |values, bucket| values.get(&(bucket, key.clone())).cloned());
        let string = |value| KvRecord { value: KvValue::String(value), ..KvRecord::empty(key) };
        ready(value.map(|value| value.map(string).or(collection))).boxed()
    }

    /// Two keys a page.
    fn export(&self, bucket: &str, cursor: u64, _: usize) -> BoxFuture<'static, Result<KvRecords, KvError>> {
        let collections = self.world.collections.lock().expect("not poisoned").clone();
        let page = self.values(bucket, |values, bucket| {
            let strings = values.iter().map(|((of, key), value)| {
                (of.clone(), KvRecord { value: KvValue::String(value.clone()), ..KvRecord::empty(key.clone()) })
            });
            let collections = collections.into_iter().map(|((of, _), record)| (of, record));
            let all: Vec<KvRecord> =
                strings.chain(collections).filter(|(of, _)| *of == bucket).map(|(_, record)| record).collect();
            let end = (cursor as usize + 2).min(all.len());
            let records = all[(cursor as usize).min(end)..end].to_vec();
            KvRecords { records, cursor: if end == all.len() { 0 } else { end as u64 } }
        });
        ready(page).boxed()
    }

    fn import(
        &self,
        bucket: &str,
        records: Vec<KvRecord>,
        existing: Existing,
    ) -> BoxFuture<'static, Result<u64, KvError>> {
        let mut collections = self.world.collections.lock().expect("not poisoned");
        let written = self.values(bucket, |values, bucket| {
            let mut written = 0;
            for record in records {
                let place = (bucket.clone(), record.key.clone());
                if existing == Existing::Keep && (values.contains_key(&place) || collections.contains_key(&place)) {
                    continue;
                }
                written += 1;
                match &record.value {
                    KvValue::String(value) if record.continues => {
                        let begun = values.remove(&place).unwrap_or_default();
                        values.insert(place, [&begun[..], &value[..]].concat().into());
                    }
                    KvValue::String(value) => drop(values.insert(place, value.clone())),
                    _ => drop(collections.insert(place, record)),
                }
            }
            written
        });
        ready(written).boxed()
    }

    fn stats(&self, bucket: &str) -> Option<KvStats> {
        let (keys, bytes) = self.usage(bucket)?;
        Some(KvStats { keys, bytes, ..self.stats.lock().expect("not poisoned").clone() })
    }

    fn top(&self, bucket: &str, _: usize) -> BoxFuture<'static, Result<KvTop, KvError>> {
        let big = self.values(bucket, |values, _| {
            let row = |((_, key), value): (&Key, &Bytes)| {
                let (bytes, len) = (value.len() as u64, value.len() as u64);
                BigKey { key: key.clone(), kind: KvKind::String, bytes, len }
            };
            values.iter().map(row).collect::<Vec<_>>()
        });
        let rate = f64::from(self.id.as_bytes()[0]);
        let hot = vec![HotKey { key: Bytes::from(format!("hot{rate}")), ops_per_second: rate, error: 0.5 }];
        ready(big.map(|big| KvTop { walked: big.len() as u64, hot, big, sampled_one_in: 64, ..KvTop::default() }))
            .boxed()
    }

    fn changes(
        &self,
        _: &str,
        pattern: KvPattern,
        from: Option<ChangesFrom>,
        within: Duration,
    ) -> BoxFuture<'static, Result<KvChanges, KvError>> {
        if !*self.world.tells_changes.lock().expect("not poisoned") {
            return ready(Err(KvError::Unsupported("tell of changes"))).boxed();
        }
        let mut feed = self.feed.subscribe();
        async move {
            let start = from.map_or(feed.borrow().len() as u64, |from| from.next);
            // In time or not: what there is is told.
            let _ = tokio::time::timeout(within, feed.wait_for(|all| all.len() as u64 > start)).await.map(drop);
            let all = feed.borrow().clone();
            let changes = all[start as usize..].iter().filter(|change| pattern.matches(&change.key)).cloned().collect();
            Ok(KvChanges { changes, next: ChangesFrom { run: 1, next: all.len() as u64 }, lost: 0 })
        }
        .boxed()
    }
}

impl Blobs for Node {
    fn put(&self, file: PathBuf) -> BoxFuture<'static, Result<(BlobId, u64), BlobError>> {
        let blobs = self.world.blobs.clone();
        async move {
            let bytes = std::fs::read(&file)?;
            std::fs::remove_file(&file)?;
            let id = BlobId(
                sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), &bytes))
                    .into(),
            );
            let len = bytes.len() as u64;
            blobs.lock().expect("not poisoned").insert(id, bytes);
            Ok((id, len))
        }
        .boxed()
    }

    fn get(&self, id: BlobId) -> BoxFuture<'static, Result<PathBuf, BlobError>> {
        ready(Err(BlobError::Nowhere(id))).boxed()
    }
}

impl HttpCache for Node {
    fn look_up(&self, _: CacheRequest<'_>) -> Looked {
        Looked::Bypass("nothing is stored here")
    }

    fn explain(&self, _: CacheRequest<'_>) -> Decision {
        Decision::default()
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn note_hits(&self, _: &StoredResponse, _: u32) {}

    fn note_unsafe(&self, _: &CacheKey, _: http::StatusCode, _: &http::HeaderMap) {}

    fn purge(&self, purge: Purge) -> BoxFuture<'static, Purged> {
        self.purges.lock().expect("not poisoned").push(purge);
        let (nodes, missing) = (vec![self.id], vec![node_id(9)]);
        ready(Purged { responses: 3, nodes, missing }).boxed()
    }

    fn stats(&self) -> CacheStats {
        self.cache.lock().expect("not poisoned").0.clone()
    }

    fn list(&self, pattern: &str, count_max: usize) -> Vec<CacheEntry> {
        let cache = self.cache.lock().expect("not poisoned");
        cache.1.iter().filter(|entry| entry.url.contains(pattern)).take(count_max).cloned().collect()
    }
}
