//! Driver: the versions this node gives.
//!
//! The hybrid clock of `ringway_causality` in one atomic number, because every core of the node gives versions all the time.

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
        let ahead_ms = seen.wall_ms.saturating_sub(wall_ms());
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
    fn a_write_is_later_than_what_it_replaces_without_dragging_the_clock_along() {
        let clock = Clock::new(NodeId::from_bytes([1; 16]));
        let far = Version { wall_ms: 9_000_000, count: 7, node: 2 };
        assert!(clock.next_after(Some(far), 1000) > far);
        assert_eq!(clock.next_after(None, 1001).wall_ms, 1001);
    }
}
