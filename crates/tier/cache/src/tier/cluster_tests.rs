//! Several nodes with a front end of a few lines, and an app that counts what it is asked and changes what it says.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use http::{HeaderValue, Method, Response, header};
use ringway_ports::{Answered, Body, Fetch, Hit, Waited};
use tokio::time::sleep;

use super::*;
use crate::testing::{World, key, node_id, response, roll, text};

struct Cluster {
    world: World,
    calls: AtomicU64,
    version: AtomicU64,
    headers: Vec<(&'static str, &'static str)>,
    takes_ms: u64,
}

impl Cluster {
    fn new(count: u8, headers: &[(&'static str, &'static str)]) -> Arc<Self> {
        Arc::new(Self {
            world: World::new(count),
            calls: AtomicU64::new(0),
            version: AtomicU64::new(1),
            headers: headers.to_vec(),
            takes_ms: 20,
        })
    }

    async fn app(&self) -> Response<Body> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let version = self.version.load(Ordering::Relaxed);
        sleep(Duration::from_millis(self.takes_ms)).await;
        response(200, &self.headers, version.to_string())
    }

    /// What a client of this node gets, or the other node.
    fn get(self: Arc<Self>, node: usize, for_peer: bool) -> BoxFuture<'static, Response<Body>> {
        async move {
            let tier = self.world.tiers[node].clone();
            let none = HeaderMap::new();
            loop {
                let request = CacheRequest {
                    key: key("/a"),
                    method: &Method::GET,
                    headers: &none,
                    for_peer,
                    default_lifetime: None,
                };
                return match tier.look_up(request) {
                    Looked::Hit(hit) => hit_answer(&tier, &hit),
                    Looked::Stale(hit, fetch) => {
                        if let Some(fetch) = fetch {
                            let behind = Arc::clone(&self);
                            tokio::spawn(async move { drain(behind.fetch(fetch, node).await).await });
                        }
                        hit_answer(&tier, &hit)
                    }
                    Looked::Miss(fetch) => self.fetch(fetch, node).await,
                    Looked::Bypass(_) | Looked::Absent => self.app().await,
                    Looked::Wait(waiting) => match waiting.await {
                        Waited::Answer(answer) => answer,
                        Waited::Hit(hit) => hit_answer(&tier, &hit),
                        Waited::Again => continue,
                    },
                };
            }
        }
        .boxed()
    }

    async fn fetch(self: &Arc<Self>, fetch: Box<dyn Fetch>, node: usize) -> Response<Body> {
        let answer = match fetch.owner() {
            Some(owner) => {
                let at = (0..).position(|number: u8| node_id(number + 1) == owner).expect("a node");
                sleep(Duration::from_millis(2)).await;
                Arc::clone(self).get(at, true).await
            }
            None => self.app().await,
        };
        match fetch.answered(answer) {
            Answered::Response(answer, _) => answer,
            Answered::Hit(hit) => hit_answer(&self.world.tiers[node], &hit),
        }
    }

    async fn version_at(self: &Arc<Self>, node: usize) -> u64 {
        text(Arc::clone(self).get(node, false).await.into_body()).await.parse().expect("a version")
    }
}

fn hit_answer(tier: &CacheTier, hit: &Hit) -> Response<Body> {
    let mut answer = Response::new(ringway_ports::full(hit.response.body.clone()));
    *answer.headers_mut() = hit.response.headers.clone();
    let age = hit.response.age(tier.now_ms()).as_secs();
    answer.headers_mut().insert(header::AGE, HeaderValue::from(age));
    answer
}

async fn drain(answer: Response<Body>) {
    text(answer.into_body()).await;
}

const FOR_A_MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("cache-tag", "red")];

#[tokio::test(start_paused = true)]
async fn a_herd_at_all_nodes_costs_one_request() {
    let cluster = Cluster::new(5, FOR_A_MINUTE);
    let herd = (0..500).map(|number| {
        let cluster = cluster.clone();
        async move { cluster.version_at(number % 5).await }
    });
    assert!(join_all(herd).await.iter().all(|version| *version == 1));
    assert_eq!(cluster.calls.load(Ordering::Relaxed), 1);
    for node in 0..5 {
        cluster.version_at(node).await;
        assert!(cluster.world.tiers[node].stats().hits >= 1, "node {node} has a copy");
    }
    assert_eq!(cluster.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_herd_for_what_cannot_be_shared_takes_as_long_as_one_request() {
    let cluster = Cluster::new(3, &[("cache-control", "private")]);
    let started = Instant::now();
    let herd = (0..300).map(|number| {
        let cluster = cluster.clone();
        async move { cluster.version_at(number % 3).await }
    });
    join_all(herd).await;
    assert_eq!(cluster.calls.load(Ordering::Relaxed), 300);
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}: they stood in line", started.elapsed());
}

/// Clients at all nodes, purges from all nodes, an app that changes before each; messages overtake one another.
#[tokio::test(start_paused = true)]
async fn after_a_purge_nobody_anywhere_gets_what_was_before_it() {
    for seed in 1..=40 {
        let cluster = Cluster::new(4, FOR_A_MINUTE);
        cluster.world.shuffle(seed);
        let purged = Arc::new(AtomicU64::new(0));
        let clients = (0..60_u64).map(|number| client(cluster.clone(), purged.clone(), seed * 1_000 + number));
        let changes = change(cluster.clone(), purged.clone(), seed);
        let (seen, ()) = futures_util::join!(join_all(clients), changes);
        for (at_least, version) in seen.into_iter().flatten() {
            assert!(version >= at_least, "seed {seed}: {version} after a purge at {at_least}");
        }
    }
}

/// For each request what was purged before it, and what it got.
async fn client(cluster: Arc<Cluster>, purged: Arc<AtomicU64>, seed: u64) -> Vec<(u64, u64)> {
    let (mut dice, mut seen) = (seed, Vec::new());
    for _ in 0..20 {
        sleep(Duration::from_millis(roll(&mut dice, 40))).await;
        let at_least = purged.load(Ordering::Relaxed);
        seen.push((at_least, cluster.version_at(roll(&mut dice, 4) as usize).await));
    }
    seen
}

async fn change(cluster: Arc<Cluster>, purged: Arc<AtomicU64>, mut dice: u64) {
    for _ in 0..8 {
        sleep(Duration::from_millis(20 + roll(&mut dice, 60))).await;
        let version = cluster.version.fetch_add(1, Ordering::Relaxed) + 1;
        let purge = match roll(&mut dice, 3) {
            0 => Purge::Url { tls: None, host: "shop.test".into(), target: "/a".into() },
            1 => Purge::Tag { app: "shop".into(), tag: "red".into() },
            _ => Purge::App("shop".into()),
        };
        cluster.world.tiers[roll(&mut dice, 4) as usize].purge(purge).await;
        purged.store(version, Ordering::Relaxed);
    }
}
