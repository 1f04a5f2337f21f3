//! Core: a write's identity inside a collection.
//!
//! The same as a [`Version`], in 16 bytes instead of 24: every element carries one.

use ringway_causality::Version;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dot {
    /// [`Version::time`].
    pub time: u64,
    pub node: u64,
}

impl Dot {
    /// Before all writes.
    pub const NONE: Dot = Dot { time: 0, node: 0 };

    /// The share of "this write put that element there" in a collection's digest.
    pub(crate) fn digest(self, element: &[u8]) -> u64 {
        xxh3_64_with_seed(element, self.mixed())
    }

    pub(crate) fn mixed(self) -> u64 {
        (self.time ^ self.node.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl From<Version> for Dot {
    fn from(version: Version) -> Self {
        Self { time: version.time(), node: version.node }
    }
}

impl From<Dot> for Version {
    fn from(dot: Dot) -> Self {
        Version::from_time(dot.time, dot.node)
    }
}
