//! Core: what entries cost and amount to, for a partition, a shard's queues and a bucket.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use ringway_values::{State, digest_of};

use ringway_ring::{PARTITION_COUNT, Partition};

use crate::entry::Entry;
use crate::handle::SHARD_COUNT;
use crate::line::{Line, Lines};
use crate::readers::{Readers, Retired};
use crate::register_ref::Seen;
use crate::tally::Usage;

/// What an entry takes outside of its own allocation: its slot in a table that is never quite full, and its place in a queue. So
/// the account is of bytes that the allocator has given out, but for this constant.
pub(crate) const SLOT_BYTES: u64 = 16;

/// One entry's part in all sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) bytes: u64,
    pub(crate) digest: u64,
    /// Whether there is a value, expired or not.
    pub(crate) is_key: bool,
    pub(crate) due_ms: Option<u64>,
}

impl Measure {
    pub(crate) fn of(entry: Entry, retention_ms: u64) -> Self {
        let bytes = entry.bytes() + SLOT_BYTES;
        match entry.seen() {
            Seen::Register { version, expires_ms, value } => Self {
                bytes,
                digest: digest_of(entry.key(), &version),
                is_key: value.is_some(),
                due_ms: match value {
                    Some(_) => expires_ms,
                    None => Some(version.wall_ms.max(expires_ms.unwrap_or(0)).saturating_add(retention_ms)),
                },
            },
            Seen::State(state) => Self {
                bytes,
                digest: state.digest(entry.key()),
                is_key: has_value(state),
                due_ms: state.due_ms(retention_ms),
            },
        }
    }
}

/// Whether there is a value, expired or not: a counter that was buried is still a counter, but waits only to be forgotten.
pub(crate) fn has_value(state: &State) -> bool {
    state.kind().is_some() && state.due_ms(u64::MAX) != Some(u64::MAX)
}

/// A partition's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Exclusive or of the entries' digests; 0 for nothing.
    pub(crate) digest: u64,
    pub(crate) bytes: u64,
    pub(crate) keys: u32,
}

impl Sums {
    pub(crate) fn add(&mut self, measure: &Measure) {
        self.digest ^= measure.digest;
        self.bytes += measure.bytes;
        self.keys += u32::from(measure.is_key);
    }

    pub(crate) fn remove(&mut self, measure: &Measure) {
        self.digest ^= measure.digest;
        // A state may measure more when it comes back from the disk: its tables have been built anew.
        self.bytes = self.bytes.saturating_sub(measure.bytes);
        self.keys -= u32::from(measure.is_key);
    }
}

/// How much of an entry is prefetched, in cache lines.
const ENTRY_LINES_MIN: usize = 2;
const ENTRY_LINES_MAX: usize = 20;

/// What the shards of a bucket share: settings, and totals that are read without a lock.
#[derive(Debug)]
pub(crate) struct Account {
    limit: AtomicU64,
    cache_limit: AtomicU64,
    is_stuck: AtomicBool,
    retention_ms: AtomicU64,
    bytes: AtomicI64,
    /// Of what is on disk only.
    cold_bytes: AtomicI64,
    keys: AtomicI64,
    /// Of each partition, where its table's lines are, for prefetching.
    lines: Box<[AtomicU64]>,
    readers: Readers,
    entry_lines: AtomicUsize,
    /// Of each shard, in bytes; a hint.
    weights: [AtomicU64; SHARD_COUNT],
}

impl Account {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            cache_limit: AtomicU64::new(u64::MAX),
            is_stuck: AtomicBool::new(false),
            retention_ms: AtomicU64::new(0),
            bytes: AtomicI64::new(0),
            cold_bytes: AtomicI64::new(0),
            keys: AtomicI64::new(0),
            lines: (0..PARTITION_COUNT).map(|_| AtomicU64::new(0)).collect(),
            readers: Readers::default(),
            entry_lines: AtomicUsize::new(ENTRY_LINES_MIN),
            weights: [const { AtomicU64::new(0) }; SHARD_COUNT],
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(crate) fn retention_ms(&self) -> u64 {
        self.retention_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_retention(&self, retention_ms: u64) {
        self.retention_ms.store(retention_ms, Ordering::Relaxed);
    }

    /// How many cache lines of an entry are worth prefetching: as many as those had that were asked for lately, for what the next
    /// one has is not known before it is there. What is longer than the most is read in one go, which the processor sees coming.
    pub(crate) fn entry_lines(&self) -> usize {
        self.entry_lines.load(Ordering::Relaxed)
    }

    /// Commands about so many keys have brought and taken so many bytes.
    pub(crate) fn note_traffic(&self, keys: usize, bytes: usize) {
        let Some(mean) = bytes.checked_div(keys) else { return };
        let (lines, before) =
            (mean.div_ceil(size_of::<Line>()).clamp(ENTRY_LINES_MIN, ENTRY_LINES_MAX), self.entry_lines());
        // Written only when it has changed: all cores read it, many times.
        if lines != before {
            let now = (3 * before + lines + if lines > before { 3 } else { 0 }) / 4;
            self.entry_lines.store(now, Ordering::Relaxed);
        }
    }

    /// One entry's figures changed. Overwriting in place costs nothing here.
    pub(crate) fn note(&self, shard: usize, weight: u64, bytes: i64, keys: i64) {
        if bytes != 0 {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.weights[shard].store(weight, Ordering::Relaxed);
        }
        if keys != 0 {
            self.keys.fetch_add(keys, Ordering::Relaxed);
        }
    }

    /// Something went from memory to where only the disk has it, or came back (negative).
    pub(crate) fn note_cold(&self, shard: usize, weight: u64, bytes: i64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.weights[shard].store(weight, Ordering::Relaxed);
        self.cold_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How much may be in memory of what is on disk, which has a limit of its own.
    pub(crate) fn set_cache_limit(&self, limit: u64) {
        self.cache_limit.store(limit, Ordering::Relaxed);
    }

    /// Whether there is too much in memory, and some of it may go.
    pub(crate) fn is_over(&self) -> bool {
        self.is_above(1) && !self.is_stuck.load(Ordering::Relaxed)
    }

    /// Nothing may go before the database has been told of it.
    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.is_stuck.store(stuck, Ordering::Relaxed);
    }

    /// Whether there is more in memory than one part in so many of what may be.
    pub(crate) fn is_above(&self, parts: u64) -> bool {
        let limit = self.limit().min(self.cache_limit.load(Ordering::Relaxed));
        self.bytes.load(Ordering::Relaxed) > (limit / parts) as i64
    }

    #[inline]
    pub(crate) fn lines(&self, partition: Partition) -> Lines {
        Lines(self.lines[partition.index()].load(Ordering::SeqCst))
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// To be told whenever a table may have grown, shrunk or gone; `retired` is what it has left behind.
    #[inline]
    pub(crate) fn note_lines(&self, partition: Partition, lines: Lines, retired: &mut Retired) {
        let known = &self.lines[partition.index()];
        if known.load(Ordering::Relaxed) != lines.0 {
            known.store(lines.0, Ordering::SeqCst);
        }
        retired.free(&self.readers);
    }

    pub(crate) fn weight(&self, shard: usize) -> u64 {
        self.weights[shard].load(Ordering::Relaxed)
    }

    pub(crate) fn usage(&self) -> Usage {
        let read = |number: &AtomicI64| number.load(Ordering::Relaxed).max(0) as u64;
        Usage { keys: read(&self.keys), bytes: read(&self.bytes) + read(&self.cold_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_after(account: &Account, turns: usize, keys: usize, bytes: usize) -> usize {
        (0..turns).for_each(|_| account.note_traffic(keys, bytes));
        account.entry_lines()
    }

    #[test]
    fn as_much_is_prefetched_as_was_asked_for_lately_within_bounds() {
        let account = Account::new(0);
        assert_eq!(account.entry_lines(), 2);
        assert_eq!(lines_after(&account, 9, 0, 5_000), 2);
        assert_eq!(lines_after(&account, 9, 16, 16 * 1_088), 17);
        assert_eq!(lines_after(&account, 1, 16, 16 * 64), 13);
        assert_eq!(lines_after(&account, 20, 1, 1), 2);
        assert_eq!(lines_after(&account, 20, 1, 1 << 20), 20);
    }
}
