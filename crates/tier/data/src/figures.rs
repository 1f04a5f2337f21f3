//! Core: what a node has seen of a bucket: its hot keys, its largest keys, who is behind, how old writes were when they came here.
//!
//! What happens with every command is counted in the store, under a lock that is held anyway; here is what happens seldom.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringway_engine::position_of;
use ringway_ports::BigKey;
use ringway_ring::NodeId;

use crate::hot_keys::{Hot, HotKeys};
use crate::memcache::Uses;

/// Largest keys that are remembered.
const BIG_MAX: usize = 200;
/// How long a staleness counts as of late: the worst of this and the last such span.
const LATELY_MS: u64 = 30_000;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    hot: Mutex<HotKeys>,
    big: Mutex<BigKeys>,
    pub(crate) expired: AtomicU64,
    pub(crate) ops_refused: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) memcache: Uses,
    behind: Mutex<Behind>,
    staleness: Mutex<Staleness>,
}

/// Who lacks writes that were acknowledged here, and since when.
#[derive(Debug, Default)]
struct Behind {
    partitions: Vec<(NodeId, u64)>,
    since_ms: BTreeMap<NodeId, u64>,
}

/// The worst of two spans of time, so that what is told is never of less than one.
#[derive(Debug, Default)]
struct Staleness {
    span: u64,
    now_ms: Option<u64>,
    before_ms: Option<u64>,
    ever_ms: Option<u64>,
}

/// The largest keys that a walk over all of them has found so far.
#[derive(Debug, Default)]
pub(crate) struct BigKeys {
    /// Where the walk goes on: partition and position.
    pub(crate) at: (u16, u64),
    pub(crate) walked: u64,
    /// Of this walk, and of the one before it, which was whole.
    found: Vec<BigKey>,
    before: Vec<BigKey>,
    walked_before: u64,
}

impl Figures {
    /// Of a use that is looked at. Not at all if somebody is reading them right now.
    #[cold]
    pub(crate) fn note_use(&self, key: &[u8], now_ms: u64) {
        if let Ok(mut hot) = self.hot.try_lock() {
            hot.note(position_of(key), key, now_ms);
        }
    }

    /// Those that are used most, and uses of all keys in a second.
    pub(crate) fn hot(&self, count: usize, now_ms: u64) -> (Vec<Hot>, f64) {
        let hot = locked(&self.hot);
        (hot.top(count, now_ms), hot.total_per_second(now_ms))
    }

    pub(crate) fn big(&self) -> MutexGuard<'_, BigKeys> {
        locked(&self.big)
    }

    pub(crate) fn note_behind(&self, partitions: Vec<(NodeId, u64)>, now_ms: u64) {
        let mut behind = locked(&self.behind);
        behind.since_ms.retain(|node, _| partitions.iter().any(|(other, _)| other == node));
        partitions.iter().for_each(|(node, _)| {
            behind.since_ms.entry(*node).or_insert(now_ms);
        });
        behind.partitions = partitions;
    }

    /// Who lacks writes in how many partitions, and for how long the first of them has.
    pub(crate) fn behind(&self, now_ms: u64) -> (Vec<(NodeId, u64)>, Option<u64>) {
        let behind = locked(&self.behind);
        let since_ms = behind.since_ms.values().min();
        (behind.partitions.clone(), since_ms.map(|since_ms| now_ms.saturating_sub(*since_ms)))
    }

    /// A write of another replica came here so long after it was made.
    pub(crate) fn note_staleness(&self, age_ms: u64, now_ms: u64) {
        let mut staleness = locked(&self.staleness);
        staleness.turn(now_ms);
        staleness.now_ms = staleness.now_ms.max(Some(age_ms));
        staleness.ever_ms = staleness.ever_ms.max(Some(age_ms));
    }

    /// The worst of late, and ever.
    pub(crate) fn staleness(&self, now_ms: u64) -> (Option<u64>, Option<u64>) {
        let mut staleness = locked(&self.staleness);
        staleness.turn(now_ms);
        (staleness.now_ms.max(staleness.before_ms), staleness.ever_ms)
    }
}

impl Staleness {
    fn turn(&mut self, now_ms: u64) {
        let span = now_ms / LATELY_MS;
        if span == self.span {
            return;
        }
        self.before_ms = if span == self.span + 1 { self.now_ms } else { None };
        (self.span, self.now_ms) = (span, None);
    }
}

impl BigKeys {
    pub(crate) fn note(&mut self, key: BigKey) {
        let is_large = self.found.len() < BIG_MAX || self.found.last().is_some_and(|least| key.bytes > least.bytes);
        if is_large {
            let place = self.found.partition_point(|other| other.bytes >= key.bytes);
            self.found.insert(place, key);
            self.found.truncate(BIG_MAX);
        }
    }

    /// The walk is through: it begins anew.
    pub(crate) fn turn(&mut self) {
        self.before = std::mem::take(&mut self.found);
        (self.walked_before, self.walked) = (self.walked, 0);
        self.at = (0, 0);
    }

    /// Largest first: of the walk that is under way, and what the one before it has found and this one has not come to.
    pub(crate) fn top(&self, count: usize) -> Vec<BigKey> {
        let mut all = self.found.clone();
        all.extend(self.before.iter().filter(|old| !self.found.iter().any(|new| new.key == old.key)).cloned());
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
        all.truncate(count);
        all
    }

    /// Keys that were looked at, of the last whole walk or the one under way.
    pub(crate) fn seen(&self) -> u64 {
        self.walked.max(self.walked_before)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of a few numbers that only grow.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringway_ports::KvKind;

    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    #[test]
    fn staleness_of_late_is_forgotten_and_the_worst_ever_is_not() {
        let figures = Figures::default();
        assert_eq!(figures.staleness(5), (None, None));
        figures.note_staleness(400, 10_000);
        figures.note_staleness(7, 10_001);
        assert_eq!(figures.staleness(10_002), (Some(400), Some(400)));
        figures.note_staleness(9, 31_000);
        assert_eq!(figures.staleness(31_000), (Some(400), Some(400)), "the last span still counts");
        assert_eq!(figures.staleness(61_000), (Some(9), Some(400)));
        assert_eq!(figures.staleness(700_000), (None, Some(400)));
    }

    #[test]
    fn who_is_behind_is_known_with_the_time_since() {
        let figures = Figures::default();
        figures.note_behind(vec![(node(1), 3)], 1000);
        figures.note_behind(vec![(node(1), 5), (node(2), 1)], 4000);
        assert_eq!(figures.behind(5000), (vec![(node(1), 5), (node(2), 1)], Some(4000)));
        figures.note_behind(vec![(node(2), 1)], 6000);
        assert_eq!(figures.behind(7000).1, Some(3000));
        figures.note_behind(Vec::new(), 8000);
        assert_eq!(figures.behind(9000), (Vec::new(), None));
    }

    #[test]
    fn the_largest_keys_are_kept_from_walk_to_walk() {
        let key = |name: &'static str, bytes| BigKey {
            key: Bytes::from_static(name.as_bytes()),
            kind: KvKind::Set,
            bytes,
            len: 1,
        };
        let mut big = BigKeys::default();
        [key("a", 5), key("b", 50), key("c", 20)].into_iter().for_each(|key| big.note(key));
        let names =
            |big: &BigKeys| big.top(9).iter().map(|key| format!("{:?} {}", key.key, key.bytes)).collect::<Vec<_>>();
        assert_eq!(names(&big), ["b\"b\" 50", "b\"c\" 20", "b\"a\" 5"]);
        big.turn();
        big.note(key("c", 70));
        assert_eq!(names(&big), ["b\"c\" 70", "b\"b\" 50", "b\"a\" 5"]);
        big.turn();
        assert_eq!(names(&big), ["b\"c\" 70"], "what is gone is forgotten");
        (0..1000).for_each(|number| big.note(BigKey { bytes: number, ..key("x", 0) }));
        assert_eq!(big.found.len(), BIG_MAX);
    }
}
