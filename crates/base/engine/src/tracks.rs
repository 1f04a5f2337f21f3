//! Core: what a shard of a bucket on disk knows of its entries beyond what is in memory: what the database has yet to be told, and
//! what it must not be believed.
//!
//! An entry is dirty from its change until it is in a batch for the database, in flight until the batch is in; evicted is neither.

use std::collections::{HashSet, VecDeque};

use crate::handle::{Handle, SHARD_PARTITIONS};

#[derive(Debug)]
pub(crate) struct Tracks {
    /// Its number.
    pub(crate) bucket: u32,
    /// Of entries whose slots say that they are dirty, and perhaps of some that are gone.
    pub(crate) dirty: VecDeque<Handle>,
    /// Of the entries of one batch (64): that is four cache lines, which looking through costs less than hashing.
    pub(crate) in_flight: Vec<Handle>,
    /// Keys of the database that are forgotten here: not to be loaded, and to be removed there.
    pub(crate) gone: HashSet<Box<[u8]>>,
    pub(crate) gone_in_flight: Vec<Box<[u8]>>,
    /// Partitions of which the database has things to be removed; a bit each.
    pub(crate) dropping: u64,
    /// How many entries of a partition only the database has.
    pub(crate) cold: [usize; SHARD_PARTITIONS],
    /// When something of a partition that is not in memory is due, at the earliest.
    pub(crate) cold_due: [u64; SHARD_PARTITIONS],
}

const _: () = assert!(SHARD_PARTITIONS <= u64::BITS as usize);

impl Tracks {
    pub(crate) fn new(bucket: u32) -> Self {
        Self {
            bucket,
            dirty: VecDeque::new(),
            in_flight: Vec::new(),
            gone: HashSet::new(),
            gone_in_flight: Vec::new(),
            dropping: 0,
            cold: [0; SHARD_PARTITIONS],
            cold_due: [u64::MAX; SHARD_PARTITIONS],
        }
    }

    pub(crate) fn is_dropping(&self, local: usize) -> bool {
        self.dropping >> local & 1 == 1
    }

    pub(crate) fn begin_drop(&mut self, local: usize) {
        self.dropping |= 1 << local;
        self.cold[local] = 0;
        self.cold_due[local] = u64::MAX;
    }

    pub(crate) fn end_drop(&mut self, local: usize) {
        self.dropping &= !(1 << local);
    }

    /// Whether the entry has to stay in memory for now, dirty or not.
    pub(crate) fn holds(&self, handle: Handle) -> bool {
        self.is_dropping(handle.local()) || self.in_flight.contains(&handle)
    }

    pub(crate) fn note_cold(&mut self, local: usize, due_ms: Option<u64>) {
        self.cold_due[local] = self.cold_due[local].min(due_ms.unwrap_or(u64::MAX));
    }
}
