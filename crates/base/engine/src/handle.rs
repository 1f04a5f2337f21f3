//! Core: how queues name an entry without pointing at it.
//!
//! A queue that held pointers would have to be told of every overwrite and removal. A handle says instead where an entry must be
//! if it is still there: 6 bits for the partition within its shard, 8 for the beginning of its position (the order of walks, the
//! same on every node), 18 of a hash with the store's secret seed. Two keys may share one: who follows a handle must be content
//! with either (eviction), or look at both (expiry).

use ringway_ring::{PARTITION_COUNT, Partition};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::page::{POSITION_BITS, position_of};

pub(crate) const SHARD_COUNT: usize = 64;
pub(crate) const SHARD_PARTITIONS: usize = PARTITION_COUNT / SHARD_COUNT;
pub(crate) const REGION_COUNT: usize = 1 << REGION_BITS;
pub(crate) const SPREAD_BITS: u32 = 18;
const REGION_BITS: u32 = 8;

const _: () = assert!(SHARD_PARTITIONS.ilog2() + REGION_BITS + SPREAD_BITS == u32::BITS);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handle(u32);

impl Handle {
    pub(crate) fn new(local: usize, region: usize, spread: u32) -> Self {
        debug_assert!(local < SHARD_PARTITIONS && region < REGION_COUNT && spread >> SPREAD_BITS == 0);
        Self((local as u32) << (REGION_BITS + SPREAD_BITS) | (region as u32) << SPREAD_BITS | spread)
    }

    pub(crate) fn local(self) -> usize {
        (self.0 >> (REGION_BITS + SPREAD_BITS)) as usize
    }

    pub(crate) fn region(self) -> usize {
        (self.0 >> SPREAD_BITS) as usize % REGION_COUNT
    }

    pub(crate) fn spread(self) -> u32 {
        self.0 & ((1 << SPREAD_BITS) - 1)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// The shard of a partition, and its number there. Neighbouring partitions, which often live on one node, are in different shards.
pub(crate) fn shard_of(partition: Partition) -> (usize, usize) {
    (partition.index() % SHARD_COUNT, partition.index() / SHARD_COUNT)
}

pub(crate) fn partition_at(shard: usize, local: usize) -> Partition {
    Partition((local * SHARD_COUNT + shard) as u16)
}

/// The beginning of a key's position.
pub(crate) fn region_of(key: &[u8]) -> usize {
    region_of_position(position_of(key))
}

pub(crate) fn region_of_position(position: u64) -> usize {
    (position >> (POSITION_BITS - REGION_BITS)) as usize % REGION_COUNT
}

/// The first position of a region.
pub(crate) fn position_of_region(region: usize) -> u64 {
    (region as u64) << (POSITION_BITS - REGION_BITS)
}

/// Secret, so that nobody can choose keys that all fall into one line of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn random() -> Self {
        Self(ringway_rt::random::number())
    }

    #[cfg(test)]
    pub(crate) fn fixed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn spread(self, key: &[u8]) -> u32 {
        (xxh3_64_with_seed(key, self.0) >> (u64::BITS - SPREAD_BITS)) as u32
    }
}
