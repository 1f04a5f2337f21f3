//! Core: what is known of a partition without looking at its cells, kept up with every write.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use ringway_replication::{Cell, digest_of};

/// What an entry costs beyond the bytes of its key and value: table slot, lengths, version, allocator.
const ENTRY_BYTES: u64 = 112;

/// One partition's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Exclusive or of the cells' digests; 0 for nothing.
    pub digest: u64,
    /// Not before this is there anything to sweep.
    pub due_ms: u64,
    /// Cells with a value.
    pub keys: i64,
    pub bytes: i64,
    /// All cells.
    pub cells: i64,
}

impl Tally {
    pub(crate) const EMPTY: Tally = Tally { digest: 0, due_ms: u64::MAX, keys: 0, bytes: 0, cells: 0 };

    pub(crate) fn add(&mut self, key: &[u8], cell: &Cell, retention_ms: u64) {
        self.count(key, cell, 1);
        self.due_ms = self.due_ms.min(cell.due_ms(retention_ms).unwrap_or(u64::MAX));
    }

    pub(crate) fn remove(&mut self, key: &[u8], cell: &Cell) {
        self.count(key, cell, -1);
    }

    fn count(&mut self, key: &[u8], cell: &Cell, sign: i64) {
        self.digest ^= digest_of(key, &cell.version);
        self.keys += sign * i64::from(cell.value.is_some());
        self.bytes += sign * entry_bytes(key, cell) as i64;
        self.cells += sign;
    }
}

pub(crate) fn entry_bytes(key: &[u8], cell: &Cell) -> u64 {
    key.len() as u64 + cell.value.as_ref().map_or(0, Bytes::len) as u64 + ENTRY_BYTES
}

/// A store's totals, without taking a lock.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    keys: AtomicI64,
    bytes: AtomicI64,
}

impl Totals {
    pub(crate) fn note(&self, before: &Tally, after: &Tally) {
        self.keys.fetch_add(after.keys - before.keys, Ordering::Relaxed);
        self.bytes.fetch_add(after.bytes - before.bytes, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        let read = |number: &AtomicI64| number.load(Ordering::Relaxed).max(0) as u64;
        Usage { keys: read(&self.keys), bytes: read(&self.bytes) }
    }
}

/// What a bucket takes on this node. Keys that have expired but are not swept yet count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: u64,
    pub bytes: u64,
}

/// What was done with the keys of a bucket on this node, since it was opened. Whoever runs commands counts them; evictions count
/// themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub commands: u64,
    /// Reads that found something, and that did not.
    pub hits: u64,
    pub misses: u64,
    pub evicted: u64,
}

impl std::ops::AddAssign for Uses {
    fn add_assign(&mut self, more: Self) {
        self.commands += more.commands;
        self.hits += more.hits;
        self.misses += more.misses;
        self.evicted += more.evicted;
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub expired: u64,
    pub forgotten: u64,
}

/// What a sweep does with one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    Bury,
    Forget,
}

pub(crate) fn fate_of(cell: &Cell, now_ms: u64, retention_ms: u64, may_forget: bool) -> Fate {
    if may_forget && cell.is_forgettable(now_ms, retention_ms) {
        return Fate::Forget;
    }
    match cell.value.is_some() && cell.is_expired(now_ms) {
        true => Fate::Bury,
        false => Fate::Keep,
    }
}
