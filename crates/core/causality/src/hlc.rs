//! Core: a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014).
//!
//! Wall time where the clocks are fine, a counter where they are not: versions of one node only grow, and a version that has
//! seen another is greater than it. The node breaks ties, so any two versions are ordered the same way everywhere.
//! A version from further ahead than [`DRIFT_MAX_MS`] is refused, so one bad clock cannot drag everybody's along.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How far ahead of our own wall clock a version may be.
pub const DRIFT_MAX_MS: u64 = 500;

const COUNT_BITS: u32 = 16;

/// When and by whom a value was written. Greater is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Version {
    /// Milliseconds since 1970; 48 bits of it are used (until the year 10889).
    pub wall_ms: u64,
    pub count: u16,
    /// Half of the writer's identity.
    pub node: u64,
}

impl Version {
    /// Wall time and count as one number: versions are ordered by (time, node).
    pub fn time(&self) -> u64 {
        self.wall_ms << COUNT_BITS | u64::from(self.count)
    }

    pub fn from_time(time: u64, node: u64) -> Self {
        Self { wall_ms: time >> COUNT_BITS, count: time as u16, node }
    }
}

/// The wall clock of another node is too far ahead of ours, or ours behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "version is {ahead_ms} ms ahead of this node's clock, more than {DRIFT_MAX_MS} ms: check that the clocks are synchronised"
)]
pub struct TooFarAhead {
    pub ahead_ms: u64,
}

/// Gives versions for one node.
#[derive(Debug)]
pub struct HybridClock {
    last: Version,
}

impl HybridClock {
    pub fn new(node: u64) -> Self {
        Self { last: Version { node, ..Version::default() } }
    }

    /// The version of something that happens now. Greater than all before it, even if the wall clock went back.
    pub fn tick(&mut self, now_ms: u64) -> Version {
        if now_ms > self.last.wall_ms {
            (self.last.wall_ms, self.last.count) = (now_ms, 0);
        } else {
            self.step();
        }
        self.last
    }

    /// Takes note of another node's version: whatever comes next here is later than it.
    pub fn observe(&mut self, seen: Version, now_ms: u64) -> Result<(), TooFarAhead> {
        let ahead_ms = seen.wall_ms.saturating_sub(now_ms);
        if ahead_ms > DRIFT_MAX_MS {
            return Err(TooFarAhead { ahead_ms });
        }
        if (seen.wall_ms, seen.count) > (self.last.wall_ms, self.last.count) {
            (self.last.wall_ms, self.last.count) = (seen.wall_ms, seen.count);
        }
        Ok(())
    }

    fn step(&mut self) {
        match self.last.count.checked_add(1) {
            Some(count) => self.last.count = count,
            None => (self.last.wall_ms, self.last.count) = (self.last.wall_ms + 1, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_even_when_the_wall_clock_goes_back() {
        let mut clock = HybridClock::new(7);
        let versions = [1000, 1000, 400, 1001, 1001].map(|now| clock.tick(now));
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    }

    #[test]
    fn a_version_and_its_time_are_the_same_order() {
        let versions = [(0, 0), (0, u16::MAX), (1, 0), (1 << 47, 3)].map(|(wall_ms, count)| Version {
            wall_ms,
            count,
            node: u64::from(count),
        });
        assert!(versions.is_sorted_by_key(Version::time));
        assert_eq!(versions.map(|version| Version::from_time(version.time(), version.node)), versions);
    }

    #[test]
    fn what_happens_too_often_in_one_millisecond_goes_on_in_the_next() {
        let mut clock = HybridClock::new(1);
        clock.observe(Version { wall_ms: 5, count: u16::MAX, node: 2 }, 5).unwrap();
        assert_eq!(clock.tick(5), Version { wall_ms: 6, count: 0, node: 1 });
    }

    #[test]
    fn what_has_seen_another_version_is_later_than_it() {
        let (mut a, mut b) = (HybridClock::new(1), HybridClock::new(2));
        let written = a.tick(1_400);
        b.observe(written, 1_000).unwrap();
        assert!(b.tick(1_000) > written);
    }

    #[test]
    fn a_clock_far_ahead_is_refused_and_changes_nothing() {
        let mut clock = HybridClock::new(1);
        let far = Version { wall_ms: 10_000, count: 0, node: 2 };
        assert_eq!(clock.observe(far, 1_000), Err(TooFarAhead { ahead_ms: 9_000 }));
        assert_eq!(clock.tick(1_000).wall_ms, 1_000);
    }
}
