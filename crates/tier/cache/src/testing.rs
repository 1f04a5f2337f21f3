//! Test helpers: responses, and a few nodes whose messages pass from memory to memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use ringway_catalog::{Addresses, Catalog, Command, NodeInfo, NodeState, Outcome};
use ringway_ports::{
    Body, CacheKey, CacheRequest, ControlLog, HttpCache as _, Looked, Membership, PeerError, PeerHandler, PeerStream,
    Peers, Placement, Priority, ProposeError, Reach, Service, StoredResponse, full,
};
use ringway_ring::{Holders, NodeId, PartitionSet, Row};
use ringway_rt::Tasks;
use tokio::sync::watch;

use crate::CacheTier;
use crate::config::{Config, Deps};
use crate::entry::Entry;
use crate::policy::freshness::Times;

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

pub(crate) fn key(target: &str) -> CacheKey {
    CacheKey { app: "shop".into(), tls: false, host: "shop.test".into(), target: target.into() }
}

/// Stored at 0, fresh until `fresh_until_ms`.
pub(crate) fn entry(id: u64, target: &str, body_len: usize, fresh_until_ms: u64) -> Arc<Entry> {
    let response = StoredResponse {
        status: StatusCode::OK,
        headers: headers(&[("content-type", "text/plain")]),
        body: Bytes::from(vec![b'x'; body_len]),
        stored_ms: 0,
        age_at_store: Duration::ZERO,
        fresh_until_ms,
        varies_by_encoding_at_most: true,
        took: Duration::ZERO,
        uses: AtomicU32::new(0),
        hits: AtomicU64::new(0),
        is_gone: AtomicBool::new(false),
    };
    let lifetime = Duration::from_millis(fresh_until_ms);
    let times = Times::new(0, Duration::ZERO, lifetime, &crate::directives::Response::default(), false);
    Arc::new(Entry::new(id, key(target), response, (times, Vec::new(), Box::default()), 0))
}

pub(crate) fn response(status: u16, lines: &[(&'static str, &str)], body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    *response.headers_mut() = headers(lines);
    response
}

pub(crate) async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A cluster: all its nodes see the same catalog and ring, each node's reach is its own.
pub(crate) struct World {
    pub(crate) tiers: Vec<Arc<CacheTier>>,
    wires: Arc<Wires>,
    reach: Vec<watch::Sender<Arc<BTreeMap<NodeId, Reach>>>>,
    tasks: Tasks,
}

#[derive(Default)]
struct Wires {
    handlers: Mutex<BTreeMap<NodeId, Arc<dyn PeerHandler>>>,
    cut: Mutex<BTreeSet<NodeId>>,
    /// Not 0: messages take some milliseconds, by these dice.
    dice: Mutex<u64>,
}

/// Steps of a seeded generator (Knuth's MMIX): good enough to shuffle.
pub(crate) fn roll(dice: &mut u64, sides: u64) -> u64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*dice >> 33) % sides
}

impl Wires {
    /// What a message's way takes.
    fn delay(&self) -> impl Future<Output = ()> + use<> {
        let mut dice = self.dice.lock().unwrap();
        let ms = if *dice == 0 { 0 } else { roll(&mut dice, 8) };
        async move {
            if ms > 0 {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
        }
    }
}

struct Node {
    own: NodeId,
    wires: Arc<Wires>,
    reach: watch::Receiver<Arc<BTreeMap<NodeId, Reach>>>,
    catalog: Arc<Catalog>,
    holders: watch::Receiver<Arc<Holders>>,
}

pub(crate) fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

impl World {
    /// Nodes 1 to `count`; node 1 owns everything, then come the others.
    pub(crate) fn new(count: u8) -> Self {
        Self::with(count, Config { memory_max: 64 * MIB, ..Config::default() })
    }

    pub(crate) fn with(count: u8, config: Config) -> Self {
        let (wires, tasks) = (Arc::new(Wires::default()), Tasks::new("test"));
        let catalog = Arc::new(catalog(count));
        let all: Vec<NodeId> = (1..=count).map(node_id).collect();
        let holders = Holders::new(1, |_| Row { readers: all.clone(), ..Row::default() });
        let (_, holders) = watch::channel(Arc::new(holders));
        let mut world = Self { tiers: Vec::new(), wires: wires.clone(), reach: Vec::new(), tasks };
        for own in &all {
            let others = all.iter().filter(|node| *node != own).map(|node| (*node, Reach::Up)).collect();
            let (sender, reach) = watch::channel(Arc::new(others));
            world.reach.push(sender);
            let (wires, catalog) = (wires.clone(), catalog.clone());
            let node = Arc::new(Node { own: *own, wires, reach, catalog, holders: holders.clone() });
            let deps = Deps { peers: node.clone(), membership: node.clone(), control: node.clone(), placement: node };
            world.tiers.push(CacheTier::start(config.clone(), deps, world.tasks.clone()));
        }
        world
    }

    pub(crate) fn one() -> (Self, Arc<CacheTier>) {
        let world = Self::new(1);
        let tier = world.tiers[0].clone();
        (world, tier)
    }

    /// Messages take their time from now on, in an order that the seed decides.
    pub(crate) fn shuffle(&self, seed: u64) {
        *self.wires.dice.lock().unwrap() = seed;
    }

    /// The node's wire is cut; everybody knows.
    pub(crate) fn cut(&self, number: u8) {
        self.wires.cut.lock().unwrap().insert(node_id(number));
        self.tell(number, Reach::Down);
    }

    /// The same, and nobody has noticed yet.
    pub(crate) fn cut_unnoticed(&self, number: u8) {
        self.wires.cut.lock().unwrap().insert(node_id(number));
    }

    pub(crate) fn mend_unnoticed(&self, number: u8) {
        self.wires.cut.lock().unwrap().remove(&node_id(number));
    }

    pub(crate) fn mend(&self, number: u8) {
        self.wires.cut.lock().unwrap().remove(&node_id(number));
        self.tell(number, Reach::Up);
    }

    fn tell(&self, number: u8, reach: Reach) {
        for (at, seen) in self.reach.iter().enumerate() {
            seen.send_modify(|seen| {
                let seen = Arc::make_mut(seen);
                match at + 1 == usize::from(number) {
                    true => seen.values_mut().for_each(|each| *each = reach),
                    false => drop(seen.insert(node_id(number), reach)),
                }
            });
        }
    }
}

impl CacheTier {
    pub(crate) fn get(&self, target: &str, lines: &[(&'static str, &str)]) -> Looked {
        self.ask(&Method::GET, target, lines, None)
    }

    pub(crate) fn ask(
        &self,
        method: &Method,
        target: &str,
        lines: &[(&'static str, &str)],
        default_lifetime: Option<Duration>,
    ) -> Looked {
        let headers = headers(lines);
        let request = CacheRequest { key: key(target), method, headers: &headers, for_peer: false, default_lifetime };
        self.look_up(request)
    }
}

fn catalog(count: u8) -> Catalog {
    let mut catalog = Catalog::default();
    let address = "127.0.0.1:1".parse().unwrap();
    for number in 1..=count {
        let info = NodeInfo {
            id: node_id(number),
            name: format!("n{number}"),
            zone: String::new(),
            capacity: 1,
            addresses: Addresses { peer: address, http: None, https: None, redis: None, admin: address },
            joined_ms: 0,
            state: NodeState::Active,
        };
        catalog.nodes.insert(node_id(number), info);
    }
    catalog
}

impl Peers for Node {
    fn call(
        &self,
        to: NodeId,
        _: Priority,
        service: Service,
        body: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        assert_eq!(service, Service::Cache);
        let cut = self.wires.cut.lock().unwrap();
        if cut.contains(&to) || cut.contains(&self.own) {
            return ready(Err(PeerError::TimedOut(to, within))).boxed();
        }
        let handler = self.wires.handlers.lock().unwrap()[&to].clone();
        let (from, there, back) = (self.own, self.wires.delay(), self.wires.delay());
        async move {
            there.await;
            let answer = handler.handle(from, body).await.map_err(|error| PeerError::Remote(to, error));
            back.await;
            answer
        }
        .boxed()
    }

    fn tell(&self, _: NodeId, _: Priority, _: Service, _: Bytes) {}

    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>> {
        ready(Err(PeerError::Busy(to))).boxed()
    }

    fn serve(&self, service: Service, handler: Arc<dyn PeerHandler>) {
        assert_eq!(service, Service::Cache);
        self.wires.handlers.lock().unwrap().insert(self.own, handler);
    }

    fn own_id(&self) -> NodeId {
        self.own
    }
}

impl Membership for Node {
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>> {
        self.reach.clone()
    }

    fn report_failure(&self, _: NodeId) {}

    fn is_reachable(&self, node: NodeId) -> bool {
        node == self.own || self.reach.borrow().get(&node).is_some_and(|reach| *reach != Reach::Down)
    }
}

impl ControlLog for Node {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        watch::channel(self.catalog.clone()).1
    }

    fn propose(&self, _: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        ready(Err(ProposeError::Stopping)).boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        None
    }
}

impl Placement for Node {
    fn watch(&self) -> watch::Receiver<Arc<Holders>> {
        self.holders.clone()
    }

    fn note_synced(&self, _: u64, _: PartitionSet) -> BoxFuture<'static, Result<(), String>> {
        ready(Ok(())).boxed()
    }
}
