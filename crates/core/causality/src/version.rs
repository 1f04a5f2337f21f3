//! Core: versions: when and by whom something was written (Kulkarni et al., "Logical Physical Clocks", 2014).
//!
//! Wall time where the clocks are fine, a counter where they are not. The node breaks ties, so any two versions are ordered the same
//! way everywhere. The clock that gives them is where they are given: in the data tier.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
