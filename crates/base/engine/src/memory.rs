//! Driver: a bucket in memory, within a byte limit.
//!
//! A lock and a hash table for each partition. When the limit is passed, a clock hand goes round the partitions (Corbató, "A
//! paging experiment with the Multics system", 1968) and takes what was not used since its last visit, a few lives each as in
//! S3-FIFO (Yang et al., SOSP 2023). What is evicted just vanishes here: the bucket is a cache then, and other replicas may still
//! have it. A tagged table with prefetching is to replace the hash tables; nothing outside this file sees them.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ringway_replication::Cell;
use ringway_ring::{PARTITION_COUNT, Partition};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Error;
use crate::page::{Page, PageLimit, PageWriter, position_of};
use crate::tally::{Fate, Swept, Tally, Totals, Usage, entry_bytes, fate_of};

/// How often an entry that was used often is passed over before it goes.
const LIVES_MAX: u8 = 3;
/// How many partitions one write may visit to make room. More lives than rounds cannot be.
const EVICTION_VISITS_MAX: usize = PARTITION_COUNT * (LIVES_MAX as usize + 1);

#[derive(Debug)]
pub struct MemoryStore {
    shelves: Box<[Mutex<Shelf>]>,
    totals: Totals,
    limit: AtomicU64,
    retention_ms: AtomicU64,
    hand: AtomicUsize,
}

#[derive(Debug)]
struct Shelf {
    entries: HashMap<Box<[u8]>, Entry, Seed>,
    tally: Tally,
}

#[derive(Debug)]
struct Entry {
    cell: Cell,
    lives: u8,
}

impl MemoryStore {
    pub fn new(limit: u64) -> Self {
        let seed = Seed(ringway_rt::random::number());
        let shelf = || Mutex::new(Shelf { entries: HashMap::with_hasher(seed), tally: Tally::EMPTY });
        Self {
            shelves: Partition::all().map(|_| shelf()).collect(),
            totals: Totals::default(),
            limit: AtomicU64::new(limit),
            retention_ms: AtomicU64::new(0),
            hand: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_retention(&self, retention_ms: u64) {
        self.retention_ms.store(retention_ms, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, partition: Partition, key: &[u8]) -> Option<Cell> {
        let mut shelf = self.shelf(partition);
        let entry = shelf.entries.get_mut(key)?;
        entry.lives = (entry.lives + 1).min(LIVES_MAX);
        Some(entry.cell.clone())
    }

    pub(crate) fn update<R>(
        &self,
        partition: Partition,
        key: &[u8],
        change: impl FnOnce(Option<&Cell>) -> (Option<Cell>, R),
    ) -> R {
        let mut guard = self.shelf(partition);
        let shelf = &mut *guard;
        let before = shelf.tally;
        let entry = shelf.entries.get_mut(key);
        let (changed, result) = change(entry.as_deref().map(|entry| &entry.cell));
        let Some(cell) = changed.map(compact) else { return result };
        shelf.tally.add(key, &cell, self.retention_ms.load(Ordering::Relaxed));
        match entry {
            Some(entry) => {
                shelf.tally.remove(key, &entry.cell);
                entry.cell = cell;
            }
            None => {
                shelf.entries.insert(key.into(), Entry { cell, lives: 0 });
            }
        }
        self.totals.note(&before, &shelf.tally);
        drop(guard);
        self.make_room();
        result
    }

    pub(crate) fn page(&self, partition: Partition, from: u64, limit: PageLimit) -> Page {
        let shelf = self.shelf(partition);
        let mut keys: Vec<(u64, &[u8])> = shelf
            .entries
            .keys()
            .map(|key| (position_of(key), &**key))
            .filter(|(position, _)| *position >= from)
            .collect();
        keys.sort_unstable();
        let mut page = PageWriter::new(limit);
        for (position, key) in keys {
            if !page.push(position, key, || shelf.entries[key].cell.clone()) {
                break;
            }
        }
        page.finish()
    }

    pub(crate) fn tally(&self, partition: Partition) -> Tally {
        self.shelf(partition).tally
    }

    pub(crate) fn usage(&self) -> Usage {
        self.totals.usage()
    }

    pub(crate) fn sweep(&self, partition: Partition, now_ms: u64, may_forget: bool) -> Swept {
        let mut guard = self.shelf(partition);
        let Shelf { entries, tally } = &mut *guard;
        if tally.due_ms > now_ms {
            return Swept::default();
        }
        let (before, retention_ms) = (*tally, self.retention_ms.load(Ordering::Relaxed));
        let mut swept = Swept::default();
        tally.due_ms = u64::MAX;
        entries.retain(|key, entry| {
            let fate = fate_of(&entry.cell, now_ms, retention_ms, may_forget);
            match fate {
                Fate::Keep => {}
                Fate::Bury => {
                    tally.remove(key, &entry.cell);
                    entry.cell.bury();
                    tally.add(key, &entry.cell, retention_ms);
                    swept.expired += 1;
                }
                Fate::Forget => {
                    swept.expired += u64::from(entry.cell.value.is_some());
                    tally.remove(key, &entry.cell);
                    swept.forgotten += 1;
                }
            }
            if fate != Fate::Forget {
                tally.due_ms = tally.due_ms.min(entry.cell.due_ms(retention_ms).unwrap_or(u64::MAX));
            }
            fate != Fate::Forget
        });
        self.totals.note(&before, tally);
        swept
    }

    pub(crate) fn drop_partition(&self, partition: Partition) {
        let mut shelf = self.shelf(partition);
        self.totals.note(&shelf.tally, &Tally::EMPTY);
        shelf.tally = Tally::EMPTY;
        shelf.entries = HashMap::with_hasher(*shelf.entries.hasher());
    }

    pub(crate) fn admit(&self, len: usize) -> Result<(), Error> {
        let limit = self.limit();
        if len as u64 > limit { Err(Error::BucketFull { limit }) } else { Ok(()) }
    }

    fn make_room(&self) {
        let limit = self.limit();
        for _ in 0..EVICTION_VISITS_MAX {
            let over = self.usage().bytes.saturating_sub(limit);
            if over == 0 {
                return;
            }
            self.evict_from(self.hand.fetch_add(1, Ordering::Relaxed) % PARTITION_COUNT, over);
        }
    }

    fn evict_from(&self, shelf: usize, wanted: u64) {
        let mut guard = lock(&self.shelves[shelf]);
        let Shelf { entries, tally } = &mut *guard;
        let before = *tally;
        let mut freed = 0;
        entries.retain(|key, entry| {
            if freed >= wanted {
                return true;
            }
            if entry.lives > 0 {
                entry.lives -= 1;
                return true;
            }
            freed += entry_bytes(key, &entry.cell);
            tally.remove(key, &entry.cell);
            false
        });
        self.totals.note(&before, tally);
        let evicted = (before.cells - tally.cells) as u64;
        if evicted > 0 {
            metrics::counter!("ringway_data_evictions_total").increment(evicted);
        }
    }

    fn shelf(&self, partition: Partition) -> MutexGuard<'_, Shelf> {
        lock(&self.shelves[partition.index()])
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value cut out of a read buffer would keep the whole buffer in memory.
fn compact(mut cell: Cell) -> Cell {
    cell.value = cell.value.map(|value| Bytes::copy_from_slice(&value));
    cell
}

/// A random seed for each store, so that nobody can send keys that all fall into one slot.
#[derive(Clone, Copy, Debug)]
struct Seed(u64);

impl BuildHasher for Seed {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher(self.0)
    }
}

struct SeededHasher(u64);

impl Hasher for SeededHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length prefix of a slice; the hash of the bytes covers it.
    fn write_usize(&mut self, _len: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
