//! Driver: the versions this node gives, by a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014).
//!
//! Wall time where the clocks are fine, a counter where they are not: versions of one node only grow, and a version that has
//! seen another is greater than it. A version from further ahead than [`DRIFT_MAX_MS`] is refused, so one bad clock cannot drag
//! everybody's along. In one atomic number, because every core of the node gives versions all the time.

use std::sync::atomic::{AtomicU64, Ordering};

use ringway_causality::{DRIFT_MAX_MS, TooFarAhead, Version};
use ringway_ring::NodeId;
use ringway_rt::clock::wall_ms;

/// Of a version's node; the others are of the node's identity.
const START_BITS: u64 = 0xFFFF;

#[derive(Debug)]
pub(crate) struct Clock {
    /// [`Version::time`] of the last version.
    last: AtomicU64,
    node: u64,
}

impl Clock {
    /// A node that starts again may have forgotten what it has written: its versions are those of another one. Otherwise the others
    /// would take what it has forgotten for deleted.
    pub(crate) fn new(own: NodeId) -> Self {
        let start = ringway_rt::random::number() & START_BITS;
        Self { last: AtomicU64::new(0), node: own.as_u64() & !START_BITS | start }
    }

    /// For a write at `now_ms` that replaces `current`: later than it even if the wall clock was set back since.
    pub(crate) fn next_after(&self, current: Option<Version>, now_ms: u64) -> Version {
        let now = Version { wall_ms: now_ms, count: 0, node: 0 }.time();
        let step = |last: u64| Some(now.max(last + 1));
        // The closure never refuses.
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or_else(|last| last);
        let next = now.max(last + 1);
        match current.map(|current| current.time()) {
            Some(current) if current >= next => Version::from_time(current + 1, self.node),
            _ => Version::from_time(next, self.node),
        }
    }

    /// Takes note of another node's version: what comes next here is later than it.
    pub(crate) fn observe(&self, seen: Version) -> Result<(), TooFarAhead> {
        self.observe_at(seen, wall_ms())
    }

    fn observe_at(&self, seen: Version, now_ms: u64) -> Result<(), TooFarAhead> {
        let ahead_ms = seen.wall_ms.saturating_sub(now_ms);
        if ahead_ms > DRIFT_MAX_MS {
            return Err(TooFarAhead { ahead_ms });
        }
        self.last.fetch_max(seen.time(), Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_even_when_the_wall_clock_goes_back() {
        let clock = Clock::new(NodeId::from_bytes([1; 16]));
        let versions = [1000, 1000, 400, 1001, 1001].map(|now| clock.next_after(None, now));
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    }

    #[test]
    fn what_happens_too_often_in_one_millisecond_goes_on_in_the_next() {
        let clock = Clock::new(NodeId::from_bytes([1; 16]));
        clock.observe_at(Version { wall_ms: 5, count: u16::MAX, node: 2 }, 5).unwrap();
        let next = clock.next_after(None, 5);
        assert_eq!(next, Version { wall_ms: 6, count: 0, node: clock.node });
    }

    #[test]
    fn what_has_seen_another_version_is_later_than_it() {
        let (one, other) = (Clock::new(NodeId::from_bytes([1; 16])), Clock::new(NodeId::from_bytes([2; 16])));
        let written = one.next_after(None, 1_400);
        other.observe_at(written, 1_000).unwrap();
        assert!(other.next_after(None, 1_000) > written);
    }

    #[test]
    fn a_clock_far_ahead_is_refused_and_changes_nothing() {
        let clock = Clock::new(NodeId::from_bytes([1; 16]));
        let far = Version { wall_ms: 10_000, count: 0, node: 2 };
        assert_eq!(clock.observe_at(far, 1_000), Err(TooFarAhead { ahead_ms: 9_000 }));
        assert_eq!(clock.next_after(None, 1_000).wall_ms, 1_000);
    }

    #[test]
    fn a_write_is_later_than_what_it_replaces_without_dragging_the_clock_along() {
        let clock = Clock::new(NodeId::from_bytes([1; 16]));
        let far = Version { wall_ms: 9_000_000, count: 7, node: 2 };
        assert!(clock.next_after(Some(far), 1000) > far);
        assert_eq!(clock.next_after(None, 1001).wall_ms, 1001);
    }
}
