//! Core: the digest of a partition in parts, so that two replicas find out where they differ.

use crate::page::POSITION_BITS;

#[derive(Debug)]
pub(crate) struct RangeDigests {
    digests: Vec<u64>,
    shift: u32,
}

impl RangeDigests {
    /// `ranges` is a power of two.
    pub(crate) fn new(ranges: usize) -> Self {
        debug_assert!(ranges.is_power_of_two());
        let bits = ranges.next_power_of_two().ilog2().min(POSITION_BITS);
        Self { digests: vec![0; 1 << bits], shift: POSITION_BITS - bits }
    }

    pub(crate) fn add(&mut self, position: u64, digest: u64) {
        self.digests[(position >> self.shift) as usize] ^= digest;
    }

    pub(crate) fn finish(self) -> Vec<u64> {
        self.digests
    }
}
