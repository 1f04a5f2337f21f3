//! Driver: the cache tier of one node: its parts, its loops, and the port through which the front end uses it.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use ringway_ports::{
    CacheEntry, CacheKey, CacheRequest, CacheStats, Decision, HttpCache, Looked, Purge, Purged, Service, StoredResponse,
};
use ringway_ring::{NodeId, Partition};
use ringway_rt::{Tasks, clock, random};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::config::{Config, Deps};
use crate::entry::Entry;
use crate::marks::{CHANGED_FOR_MS, Marks, Why};
use crate::meters::Meters;
use crate::outbox;
use crate::owner::{Owner, Owners, hash_of};
use crate::part::Part;
use crate::peer_door::CacheDoor;
use crate::policy::invalidation;
use crate::purge_log::{Heard, PurgeLog};
use crate::purging;
use crate::shared_body::Room;

/// A part is not smaller than that, so that a large response fits into it.
const PART_BYTES_MIN: u64 = 32 << 20;
const PARTS_MAX: usize = 16;
/// A body is at most one in so many of its part's bytes, or a few would push out all others.
const BODY_SHARE: u64 = 4;
/// Bodies that are being collected take at most one in so many bytes beside what is stored.
const ROOM_SHARE: u64 = 4;
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Owners that are being looked up in a ring that nobody agrees on.
const FINDS_MAX: usize = 16;

/// Cheap to clone by its `Arc`; one a node.
pub struct CacheTier(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) parts: Box<[Mutex<Part>]>,
    pub(crate) marks: Marks,
    pub(crate) meters: Meters,
    pub(crate) room: Arc<Room>,
    pub(crate) owners: Owners,
    pub(crate) tasks: Tasks,
    pub(crate) runtime: Handle,
    pub(crate) purges: Mutex<Purges>,
    /// How many nodes this one is catching up with after it was away: until then nothing stored is used.
    pub(crate) holding: AtomicUsize,
    changed: mpsc::Sender<CacheKeyParts>,
    ids: AtomicU64,
    finds: Arc<Semaphore>,
    started: Instant,
    started_ms: u64,
}

/// Host and target.
pub(crate) type CacheKeyParts = (String, String);

pub(crate) struct Purges {
    pub(crate) log: PurgeLog,
    pub(crate) heard: Heard,
    /// Nodes that have not heard of all that began here.
    pub(crate) owed: BTreeSet<NodeId>,
    /// Nodes that are being asked what was missed.
    pub(crate) asking: HashSet<NodeId>,
}

impl CacheTier {
    /// Answers the other nodes from now on. To be called within a runtime, before the node listens for peers.
    pub fn start(config: Config, deps: Deps, tasks: Tasks) -> Arc<Self> {
        let count = (config.memory_max / PART_BYTES_MIN).clamp(1, PARTS_MAX as u64) as usize;
        let part_max = config.memory_max / count as u64;
        let body_max = config.body_max.min(part_max / BODY_SHARE);
        let owners = Owners::new(deps.peers.own_id(), &*deps.placement, deps.membership.clone());
        let (changed, to_tell) = mpsc::channel(outbox::QUEUE_MAX);
        let inner = Arc::new(Inner {
            parts: (0..count).map(|_| Mutex::new(Part::new(part_max))).collect(),
            marks: Marks::default(),
            meters: Meters::default(),
            room: Arc::new(Room { taken: AtomicU64::new(0), max: config.memory_max / ROOM_SHARE }),
            owners,
            tasks: tasks.clone(),
            runtime: Handle::current(),
            purges: Mutex::new(Purges {
                log: PurgeLog::new(random::number()),
                heard: Heard::default(),
                owed: BTreeSet::new(),
                asking: HashSet::new(),
            }),
            holding: AtomicUsize::new(0),
            changed,
            ids: AtomicU64::new(0),
            finds: Arc::new(Semaphore::new(FINDS_MAX)),
            started: Instant::now(),
            started_ms: clock::wall_ms(),
            config: Config { body_max, ..config },
            deps,
        });
        inner.deps.peers.serve(Service::Cache, Arc::new(CacheDoor(Arc::downgrade(&inner))));
        tasks.spawn("cache sweep", sweep(inner.clone(), tasks.clone()));
        tasks.spawn("cache purges missed", purging::follow(inner.clone(), tasks.clone()));
        tasks.spawn("cache changes told", outbox::tell(inner.clone(), to_tell, tasks.clone()));
        Arc::new(Self(inner))
    }
}

impl HttpCache for CacheTier {
    fn look_up(&self, request: CacheRequest<'_>) -> Looked {
        self.0.look_up(request)
    }

    fn explain(&self, request: CacheRequest<'_>) -> Decision {
        self.0.explain(&request)
    }

    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn note_hits(&self, response: &StoredResponse, count: u32) {
        self.0.meters.add(&self.0.meters.hits, u64::from(count));
        self.0.meters.used(response, count);
    }

    fn note_unsafe(&self, key: &CacheKey, status: StatusCode, headers: &HeaderMap) {
        for target in invalidation::targets(key, status, headers) {
            let purge = Purge::Url { tls: None, host: key.host.to_string(), target: target.clone() };
            self.0.forget(&purge);
            self.0.mark_changed(key, &target);
            if self.0.changed.try_send((key.host.to_string(), target)).is_err() {
                self.0.meters.add(&self.0.meters.untold, 1);
            }
        }
    }

    fn purge(&self, purge: Purge) -> BoxFuture<'static, Purged> {
        purging::begin(self.0.clone(), purge).boxed()
    }

    fn stats(&self) -> CacheStats {
        self.0.stats()
    }

    fn list(&self, pattern: &str, count_max: usize) -> Vec<CacheEntry> {
        self.0.list(pattern, count_max)
    }
}

impl Inner {
    pub(crate) fn now_ms(&self) -> u64 {
        self.started_ms + self.uptime_ms()
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn part_of(&self, hash: u64) -> MutexGuard<'_, Part> {
        // The upper bits say where on the ring it is: on one node all may be alike.
        self.part(hash as usize % self.parts.len())
    }

    fn part(&self, at: usize) -> MutexGuard<'_, Part> {
        self.parts[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn purges(&self) -> MutexGuard<'_, Purges> {
        self.purges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On this node. How many responses.
    pub(crate) fn forget(&self, purge: &Purge) -> u64 {
        let count = match purge {
            Purge::Url { host, target, .. } => {
                let key =
                    CacheKey { app: "".into(), tls: false, host: host.as_str().into(), target: target.as_str().into() };
                self.part_of(hash_of(&key)).purge(purge)
            }
            purge => (0..self.parts.len()).map(|at| self.part(at).purge(purge)).sum(),
        };
        self.meters.add(&self.meters.purged, count);
        count
    }

    /// The same, when the number does not matter.
    pub(crate) fn forget_again(&self, purge: &Purge) {
        self.forget(purge);
    }

    /// Who has changed it here sees that at once: until the owner has heard of it, it is not asked.
    fn mark_changed(self: &Arc<Self>, key: &CacheKey, target: &str) {
        let key = CacheKey { target: target.into(), ..key.clone() };
        if matches!(self.owners.of(&key), Owner::Other(_)) {
            self.marks.set(hash_of(&key), Why::Uncacheable, self.uptime_ms(), CHANGED_FOR_MS);
        }
    }

    /// The node to ask for it, if it is another one. One that has to be looked up is, behind the request's back.
    pub(crate) fn owner(self: &Arc<Self>, key: &CacheKey) -> Option<NodeId> {
        match self.owners.of(key) {
            Owner::Own => None,
            Owner::Other(node) => Some(node),
            Owner::Unknown(partition) => {
                self.find(partition);
                None
            }
        }
    }

    fn find(&self, partition: Partition) {
        let Some(ring) = self.deps.placement.peer_ring() else { return };
        let Ok(permit) = Arc::clone(&self.finds).try_acquire_owned() else { return };
        self.tasks.spawn_on(&self.runtime, "cache owner look-up", async move {
            // What comes of it is in the ring's own table.
            let _found = ring.find(partition).await;
            drop(permit);
        });
    }

    fn stats(&self) -> CacheStats {
        let (mut responses, mut bytes) = (0, 0);
        for at in 0..self.parts.len() {
            let part = self.part(at);
            (responses, bytes) = (responses + part.store.len() as u64, bytes + part.store.bytes());
        }
        self.meters.stats(responses, bytes, self.config.memory_max)
    }

    fn list(&self, pattern: &str, count_max: usize) -> Vec<CacheEntry> {
        let mut found: Vec<(u64, Arc<Entry>)> = Vec::new();
        for at in 0..self.parts.len() {
            let part = self.part(at);
            let fits = part.store.entries().filter(|entry| url_of(&entry.key).contains(pattern));
            found.extend(fits.map(|entry| (entry.response.hits.load(Ordering::Relaxed), entry.clone())));
            drop(part);
            found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.key.target.cmp(&b.1.key.target)));
            found.truncate(count_max);
        }
        let now_ms = self.now_ms();
        found.into_iter().map(|(hits, entry)| self.view(hits, &entry, now_ms)).collect()
    }

    fn view(&self, uses: u64, entry: &Entry, now_ms: u64) -> CacheEntry {
        let told = |value: &Option<Box<str>>| value.as_deref().unwrap_or_default().to_owned();
        CacheEntry {
            url: url_of(&entry.key),
            app: entry.key.app.to_string(),
            status: entry.response.status.as_u16(),
            bytes: entry.weight,
            age: entry.times.age(now_ms),
            fresh_for_seconds: (entry.times.fresh_until_ms as i64 - now_ms as i64).div_euclid(1000),
            uses,
            tags: entry.tags.iter().map(|tag| tag.to_string()).collect(),
            vary: entry.selecting.iter().map(|(name, value)| (name.to_string(), told(value))).collect(),
            owner: match self.owners.of(&entry.key) {
                Owner::Own => Some(self.deps.peers.own_id()),
                Owner::Other(node) => Some(node),
                Owner::Unknown(_) => None,
            },
        }
    }
}

fn url_of(key: &CacheKey) -> String {
    format!("{}://{}{}", if key.tls { "https" } else { "http" }, key.host, key.target)
}

/// What nobody can use any more goes without being asked for.
async fn sweep(inner: Arc<Inner>, tasks: Tasks) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            _ = ticks.tick() => {}
        }
        let now_ms = inner.now_ms();
        for at in 0..inner.parts.len() {
            inner.part(at).store.expire(now_ms);
        }
        inner.meters.publish(&inner.stats());
        purging::remind(&inner).await;
    }
}

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod tests;
