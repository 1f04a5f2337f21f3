//! Driver: what a node knows of its own part in moves of the ring: how fast it fetches, who fetches from it, how its clients fare.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringway_catalog::RingSettings;
use ringway_replication::{Pace, Strain};
use ringway_ring::{NodeId, Partition, PartitionSet};
use ringway_rt::clock;
use serde::{Deserialize, Serialize};

/// Nodes that fetch from this one at the same time.
const TAKERS_MAX: usize = 2;
/// Who has not asked for so long fetches no more.
const TAKER_IDLE: Duration = Duration::from_secs(2);

/// Of this node, over all sources and buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub partitions_done: usize,
    pub partitions_total: usize,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    Fetching,
    /// The source gives to others at present.
    Waiting,
    /// The last attempt failed, for this reason; it is tried again.
    Failing(String),
}

/// What this node fetches from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub from: NodeId,
    pub to: NodeId,
    pub partitions_done: usize,
    pub partitions_total: usize,
    pub bytes_done: u64,
    /// Guessed from the partitions that are done; `None` before the first is.
    pub bytes_total: Option<u64>,
    pub bytes_per_second: u64,
    pub eta: Option<Duration>,
    pub state: TransferState,
}

#[derive(Clone, Debug)]
struct Fetch {
    done: usize,
    total: usize,
    bytes: u64,
    began: Instant,
    state: TransferState,
}

pub(crate) struct Moving {
    began: Instant,
    pace: Mutex<Pace>,
    strain: Mutex<Strain>,
    takers: Mutex<BTreeMap<NodeId, Instant>>,
    /// Who has fetched for repair, and when.
    repaired: Mutex<BTreeMap<NodeId, Instant>>,
    fetches: Mutex<BTreeMap<NodeId, Fetch>>,
    /// What this node is to get: not to be dropped as what has moved away.
    claimed: Mutex<PartitionSet>,
}

impl Default for Moving {
    fn default() -> Self {
        Self {
            began: clock::now(),
            pace: Mutex::new(Pace::new(RingSettings::default().transfer_rate)),
            strain: Mutex::default(),
            takers: Mutex::default(),
            repaired: Mutex::default(),
            fetches: Mutex::default(),
            claimed: Mutex::default(),
        }
    }
}

impl Moving {
    /// Commands were executed for a client: how its node fares while it gives or gets data.
    pub(crate) fn note_executed(&self, began: Instant, count: u64) {
        let is_calm = lock(&self.takers).is_empty() && lock(&self.fetches).is_empty();
        lock(&self.strain).note(self.began.elapsed(), began.elapsed(), count, is_calm);
    }

    pub(crate) fn is_strained(&self) -> bool {
        lock(&self.strain).is_strained(self.began.elapsed())
    }

    /// Whether `taker` may fetch from here now.
    pub(crate) fn admit(&self, taker: NodeId) -> bool {
        let (mut takers, now) = (lock(&self.takers), clock::now());
        takers.retain(|_, asked| now.duration_since(*asked) < TAKER_IDLE);
        let may = takers.contains_key(&taker) || takers.len() < TAKERS_MAX;
        if may {
            takers.insert(taker, now);
        }
        may
    }

    /// `node` fetches what it lacks, no faster than it may: it need not be brought.
    pub(crate) fn note_repaired(&self, node: NodeId) {
        let (mut repaired, now) = (lock(&self.repaired), clock::now());
        repaired.retain(|_, asked| now.duration_since(*asked) < TAKER_IDLE);
        repaired.insert(node, now);
    }

    pub(crate) fn is_repaired(&self, node: NodeId) -> bool {
        lock(&self.repaired).get(&node).is_some_and(|asked| asked.elapsed() < TAKER_IDLE)
    }

    /// From now on these may not be dropped, and others may.
    pub(crate) fn claim(&self, partitions: PartitionSet) {
        *lock(&self.claimed) = partitions;
    }

    /// Runs `drop_it` unless the partition is claimed; nobody claims meanwhile.
    pub(crate) fn unless_claimed<T>(&self, partition: Partition, drop_it: impl FnOnce() -> T) -> Option<T> {
        let claimed = lock(&self.claimed);
        (!claimed.contains(partition)).then(drop_it)
    }

    /// Those that have stopped asking count no more.
    pub(crate) fn forget_idle_takers(&self) {
        let now = clock::now();
        lock(&self.takers).retain(|_, asked| now.duration_since(*asked) < TAKER_IDLE);
    }

    pub(crate) fn set_limit(&self, bytes_per_second: u64) {
        lock(&self.pace).set_limit(bytes_per_second);
    }

    /// So many bytes have come: how long to wait before asking for more.
    pub(crate) fn note_fetched(&self, source: NodeId, bytes: u64, is_strained: bool) -> Duration {
        if let Some(fetch) = lock(&self.fetches).get_mut(&source) {
            fetch.bytes += bytes;
            fetch.state = TransferState::Fetching;
        }
        self.note_moved(bytes, is_strained)
    }

    /// The same for what goes out.
    pub(crate) fn note_pushed(&self, bytes: u64) -> Duration {
        self.note_moved(bytes, self.is_strained())
    }

    fn note_moved(&self, bytes: u64, is_strained: bool) -> Duration {
        metrics::counter!("ringway_data_moved_bytes_total").increment(bytes);
        let (mut pace, now) = (lock(&self.pace), self.began.elapsed());
        let wait = pace.note(now, bytes, is_strained);
        metrics::gauge!("ringway_data_move_rate_bytes").set(pace.rate() as f64);
        wait
    }

    /// There are so many partitions to fetch from `source` yet.
    pub(crate) fn note_owed(&self, source: NodeId, partitions: usize) {
        let mut fetches = lock(&self.fetches);
        let fresh = Fetch { done: 0, total: 0, bytes: 0, began: clock::now(), state: TransferState::Fetching };
        let fetch = fetches.entry(source).or_insert(fresh);
        fetch.total = fetch.done + partitions;
    }

    pub(crate) fn note_done(&self, source: NodeId, partitions: usize) {
        if let Some(fetch) = lock(&self.fetches).get_mut(&source) {
            fetch.done += partitions;
        }
    }

    pub(crate) fn note_state(&self, source: NodeId, state: TransferState) {
        if let Some(fetch) = lock(&self.fetches).get_mut(&source) {
            fetch.state = state;
        }
    }

    /// Nothing is owed any more.
    pub(crate) fn end(&self) {
        lock(&self.fetches).clear();
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        let fetches = lock(&self.fetches);
        let sum = |sum: Progress, fetch: &Fetch| Progress {
            partitions_done: sum.partitions_done + fetch.done,
            partitions_total: sum.partitions_total + fetch.total,
            bytes: sum.bytes + fetch.bytes,
        };
        (!fetches.is_empty()).then(|| fetches.values().fold(Progress::default(), sum))
    }

    pub(crate) fn transfers(&self, to: NodeId) -> Vec<Transfer> {
        lock(&self.fetches).iter().map(|(from, fetch)| fetch.told(*from, to)).collect()
    }
}

impl Fetch {
    fn told(&self, from: NodeId, to: NodeId) -> Transfer {
        let took = self.began.elapsed();
        let is_begun = self.done > 0;
        let left = self.total.saturating_sub(self.done);
        Transfer {
            from,
            to,
            partitions_done: self.done,
            partitions_total: self.total,
            bytes_done: self.bytes,
            bytes_total: is_begun.then(|| self.bytes / self.done as u64 * self.total as u64),
            bytes_per_second: (self.bytes as f64 / took.as_secs_f64().max(0.001)) as u64,
            eta: is_begun.then(|| took.mul_f64(left as f64 / self.done as f64)),
            state: self.state.clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
