//! Core: walking the keys of a partition in pieces, in an order that is the same on every node.
//!
//! The order is by [`position_of`]: a hash, so it does not depend on what else is there, and a walk that goes on at another
//! replica neither misses nor repeats keys that were there all the time.

use xxhash_rust::xxh3::xxh3_64;

/// Positions have this many bits, so that one fits into a SCAN cursor next to a partition.
pub const POSITION_BITS: u32 = 48;

/// Where a key comes in its partition.
pub fn position_of(key: &[u8]) -> u64 {
    xxh3_64(key) >> (64 - POSITION_BITS)
}

/// How much fits into a page. A page has at least one cell if there is one, and keys of one position are never torn apart.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    pub cells_max: usize,
    pub bytes_max: usize,
}
