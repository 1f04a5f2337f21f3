//! Twenty nodes whose messages are function calls; the rest is as it is live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use ringway_catalog::{Bucket, Catalog, Command, Outcome, RingKind, Secret};
use ringway_ports::*;
use ringway_ring::{Holders, Layout, Member, NodeId, Partition, Point, Step, Via, VirtualNode, partition_of};
use tokio::sync::watch;

use super::LiveLookups;

const NODES: u8 = 20;
const REPLICAS: usize = 3;

type Handlers = Arc<Mutex<BTreeMap<NodeId, Arc<dyn PeerHandler>>>>;

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// One node's ports.
#[derive(Clone)]
struct Node {
    own: NodeId,
    catalog: watch::Sender<Arc<Catalog>>,
    reach: watch::Sender<Arc<BTreeMap<NodeId, Reach>>>,
    handlers: Handlers,
    dead: Arc<Mutex<BTreeSet<NodeId>>>,
    keys: Arc<Mutex<Vec<Bytes>>>,
}

struct World {
    nodes: BTreeMap<NodeId, (Node, Arc<LiveLookups>)>,
}

fn catalog(members: impl IntoIterator<Item = u8>) -> Arc<Catalog> {
    let members: Vec<Member> =
        members.into_iter().map(|n| Member { id: id(n), zone: String::new(), capacity: 1 }).collect();
    let mut catalog = Catalog { layout: Layout::next(&Layout::default(), &members, REPLICAS), ..Catalog::default() };
    let spec = serde_json::from_str("{}").expect("a bucket has defaults");
    let bucket = Bucket { name: "b".into(), app: None, spec, token: Secret::new("t"), created_ms: 0 };
    catalog.buckets.insert("b".into(), bucket);
    Arc::new(catalog)
}

impl World {
    fn new(members: u8) -> Self {
        let (handlers, dead, keys) = (Handlers::default(), Arc::default(), Arc::default());
        let all: BTreeMap<NodeId, Reach> = (1..=members).map(|n| (id(n), Reach::Up)).collect();
        let catalog = catalog(1..=members);
        let make = |n: u8| {
            let node = Node {
                own: id(n),
                catalog: watch::channel(catalog.clone()).0,
                reach: watch::channel(Arc::new(all.clone())).0,
                handlers: handlers.clone(),
                dead: Arc::clone(&dead),
                keys: Arc::clone(&keys),
            };
            let ports = Arc::new(node.clone());
            let lookups = LiveLookups::new(ports.clone(), ports.clone(), ports.clone(), ports.clone(), ports);
            (id(n), (node, lookups))
        };
        Self { nodes: (1..=members).map(make).collect() }
    }

    async fn walk(&self, from: u8, key: &str, via: Via, walk: Walk) -> Walked {
        let (node, lookups) = &self.nodes[&id(from)];
        let key = Bytes::from(key.to_owned());
        lookups.walk(LookupWish { key, bucket: None, via, walk, from: node.own }).await.unwrap()
    }

    fn owner(&self, key: &str) -> NodeId {
        self.nodes[&id(1)].0.catalog.borrow().layout.primary(partition_of(key.as_bytes())).unwrap()
    }

    fn kill(&self, node: NodeId, is_known: bool) {
        for (other, _) in self.nodes.values() {
            other.dead.lock().unwrap().insert(node);
            if is_known {
                other.reach.send_modify(|reach| {
                    Arc::make_mut(reach).insert(node, Reach::Down);
                });
            }
        }
    }
}

#[tokio::test]
async fn all_four_routers_end_at_the_same_owner_from_everywhere() {
    let world = World::new(NODES);
    let keys: Vec<String> = (0..20).map(|n| format!("key:{n}")).collect();
    world.nodes[&id(1)].0.keys.lock().unwrap().extend(keys.iter().cloned().map(Bytes::from));
    let mut hops: BTreeMap<Via, Vec<u32>> = BTreeMap::new();
    for from in 1..=NODES {
        for key in &keys {
            for via in Via::all() {
                let walked = world.walk(from, key, via, Walk::Node).await;
                assert_eq!(walked.owner, Some(world.owner(key)), "{via} from {from}: {walked:?}");
                assert_eq!(walked.stops.last().map(|stop| stop.node), walked.owner);
                hops.entry(via).or_default().push(walked.hops);
            }
        }
    }
    let mean = |via: Via| hops[&via].iter().sum::<u32>() as f64 / hops[&via].len() as f64;
    let most = |via: Via| *hops[&via].iter().max().unwrap();
    assert_eq!((most(Via::Table), most(Via::Index)), (1, 2));
    assert!(mean(Via::Fingers) <= 2.0, "{}", mean(Via::Fingers));
    assert!(mean(Via::Neighbours) > mean(Via::Table));
}

#[tokio::test]
async fn the_textbook_walk_goes_from_virtual_node_to_virtual_node_and_counts_messages_only() {
    let world = World::new(NODES);
    for key in ["a", "b", "cart:7", "x:y:z"] {
        for via in [Via::Fingers, Via::Neighbours] {
            let walked = world.walk(3, key, via, Walk::Virtual).await;
            assert_eq!(walked.owner, Some(world.owner(key)), "{via}: {walked:?}");
            assert!(walked.steps >= walked.hops);
            for stop in &walked.stops {
                assert!(stop.entries <= 64, "one virtual node knows few: {stop:?}");
                assert!(!stop.is_local || stop.round_trip.is_zero());
            }
        }
        let fingers = world.walk(3, key, Via::Fingers, Walk::Virtual).await.steps;
        assert!((1..=5).contains(&fingers), "log16 4096 and the last: {fingers}");
    }
}

#[tokio::test]
async fn the_next_owner_answers_for_one_that_is_known_to_be_dead() {
    let world = World::new(5);
    let owner = world.owner("k");
    world.kill(owner, true);
    let from = (1..=5).find(|n| id(*n) != owner).unwrap();
    let second = world.nodes[&id(from)].0.catalog.borrow().layout.owners(partition_of(b"k")).nth(1);
    for via in [Via::Table, Via::Neighbours, Via::Fingers] {
        let walked = world.walk(from, "k", via, Walk::Node).await;
        assert_eq!(walked.owner, second, "{via}: {walked:?}");
    }
}

#[tokio::test]
async fn a_walk_into_a_node_that_died_just_now_says_where_it_got_no_answer() {
    let world = World::new(3);
    let owner = world.owner("k");
    world.kill(owner, false);
    let from = (1..=3).find(|n| id(*n) != owner).unwrap();
    let walked = world.walk(from, "k", Via::Table, Walk::Node).await;
    assert_eq!(walked.owner, None);
    assert!(walked.failure.is_some());
    assert!(walked.stops.iter().any(|stop| stop.node == owner && stop.failure.is_some()), "{walked:?}");
}

#[tokio::test]
async fn a_node_with_an_old_layout_goes_astray_but_ends_at_the_owner_of_now() {
    let world = World::new(5);
    let (stale, _) = &world.nodes[&id(1)];
    stale.catalog.send_replace(catalog(1..=3));
    let mut detours = 0;
    for n in 0..40 {
        let key = format!("key:{n}");
        let owner = world.nodes[&id(5)].0.catalog.borrow().layout.primary(partition_of(key.as_bytes())).unwrap();
        if owner == id(1) {
            continue;
        }
        let walked = world.walk(1, &key, Via::Table, Walk::Node).await;
        // What it still takes for its own it answers for: that is what its clients see, too.
        if walked.owner != Some(id(1)) {
            assert_eq!(walked.owner, Some(owner), "{walked:?}");
            detours += u32::from(walked.hops > 1);
        }
    }
    assert!(detours > 0);
}

#[tokio::test]
async fn the_directory_knows_the_keys_that_there_are_and_says_how_many() {
    let world = World::new(3);
    let key = (0..).map(|n| format!("k{n}")).find(|key| world.owner(key) == id(3)).unwrap();
    world.nodes[&id(1)].0.keys.lock().unwrap().push(Bytes::from(key.clone()));
    let walked = world.walk(2, &key, Via::Index, Walk::Node).await;
    let way: Vec<NodeId> = walked.stops.iter().map(|stop| stop.node).collect();
    assert_eq!(way, [id(2), id(1), id(3)], "node 1 leads, so it is the directory");
    assert!(walked.stops[1].knew.contains("1 keys of b"), "{}", walked.stops[1].knew);
    let other = (0..).map(|n| format!("none{n}")).find(|key| world.owner(key) == id(3)).unwrap();
    let walked = world.walk(2, &other, Via::Index, Walk::Node).await;
    assert_eq!(walked.owner, None);
    assert!(walked.failure.is_some_and(|why| why.contains("and not this one")));
}

#[tokio::test]
async fn an_entry_of_the_directory_that_has_grown_old_costs_a_hop_at_most() {
    let world = World::new(4);
    let keys: Vec<String> = (0..60).map(|n| format!("k{n}")).collect();
    world.nodes[&id(1)].0.keys.lock().unwrap().extend(keys.iter().cloned().map(Bytes::from));
    let before: Vec<NodeId> = keys.iter().map(|key| world.owner(key)).collect();
    world.walk(2, "k0", Via::Index, Walk::Node).await;
    // Everything goes somewhere else, and the directory has learned before.
    let mut changed = Catalog::clone(&world.nodes[&id(1)].0.catalog.borrow());
    let rotate =
        |partition| [1, 2, 3, 4].map(id).into_iter().cycle().skip(usize::from(partition) % 4).take(3).collect();
    changed.layout = Layout::from_rows(9, &[], |partition: Partition| rotate(partition.0));
    changed.since = vec![9; 4096];
    for (node, _) in world.nodes.values() {
        node.catalog.send_replace(Arc::new(changed.clone()));
    }
    let mut moved = 0;
    for (key, before) in keys.iter().zip(before) {
        moved += u32::from(world.owner(key) != before);
        let walked = world.walk(2, key, Via::Index, Walk::Node).await;
        assert_eq!(walked.owner, Some(world.owner(key)), "{walked:?}");
        assert!(walked.hops <= 3, "{walked:?}");
    }
    assert!(moved > 10);
}

#[tokio::test]
async fn a_walk_can_begin_elsewhere_and_a_bucket_has_to_exist() {
    let world = World::new(3);
    let (_, lookups) = &world.nodes[&id(1)];
    let wish = |from, bucket: Option<&str>| LookupWish {
        key: Bytes::from("k"),
        bucket: bucket.map(str::to_owned),
        via: Via::Fingers,
        walk: Walk::Node,
        from,
    };
    let walked = lookups.walk(wish(id(3), None)).await.unwrap();
    assert_eq!(walked.stops[0].node, id(3));
    assert_eq!(lookups.walk(wish(id(3), Some("none"))).await, Err(LookupError::NoBucket("none".into())));
}

#[tokio::test]
async fn a_virtual_node_of_a_peer_to_peer_ring_has_no_table() {
    let world = World::new(1);
    let (node, _) = &world.nodes[&id(1)];
    node.catalog.send_replace(Arc::new(Catalog { ring: RingKind::Chord { vnodes: 8 }, ..Catalog::default() }));
    let (_, lookups) = &world.nodes[&id(1)];
    let wish = LookupWish { key: Bytes::from("k"), bucket: None, via: Via::Table, walk: Walk::Node, from: id(1) };
    // This one has no virtual node yet either.
    assert!(matches!(lookups.walk(wish).await, Err(LookupError::Unavailable(_))));
}

impl ControlLog for Node {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalog.subscribe()
    }

    fn propose(&self, _: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        ready(Err(ProposeError::Stopping)).boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        Some(id(1))
    }
}

impl Membership for Node {
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>> {
        self.reach.subscribe()
    }

    fn report_failure(&self, _: NodeId) {}

    fn is_reachable(&self, node: NodeId) -> bool {
        self.reach.borrow().get(&node).is_some_and(|reach| *reach != Reach::Down)
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
        assert_eq!(service, Service::Lookup);
        let is_dead = self.dead.lock().unwrap().contains(&to);
        let handler = self.handlers.lock().unwrap().get(&to).cloned().filter(|_| !is_dead);
        let from = self.own;
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

    fn serve(&self, _: Service, handler: Arc<dyn PeerHandler>) {
        self.handlers.lock().unwrap().insert(self.own, handler);
    }

    fn own_id(&self) -> NodeId {
        self.own
    }
}

impl Kv for Node {
    fn get(&self, _: &str, _: Bytes) -> BoxFuture<'static, Result<Option<Bytes>, KvError>> {
        ready(Ok(None)).boxed()
    }

    fn set(&self, _: &str, _: Bytes, _: Bytes, _: Option<Duration>) -> BoxFuture<'static, Result<(), KvError>> {
        ready(Ok(())).boxed()
    }

    fn del(&self, _: &str, _: Bytes) -> BoxFuture<'static, Result<bool, KvError>> {
        ready(Ok(false)).boxed()
    }

    fn scan(&self, _: &str, _: u64, _: usize) -> BoxFuture<'static, Result<KvPage, KvError>> {
        ready(Ok(KvPage { keys: self.keys.lock().unwrap().clone(), cursor: 0 })).boxed()
    }

    fn usage(&self, _: &str) -> Option<(u64, u64)> {
        None
    }
}

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
