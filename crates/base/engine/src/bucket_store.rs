//! Driver: one bucket on this node, in memory.
//!
//! 64 shards of 64 partitions, each shard under one lock (`shard.rs`): a hash table for each partition (`table.rs`) of entries in
//! one allocation each (`entry.rs`), S3-FIFO queues (`s3_fifo.rs`) and due times (`due.rs`). One byte limit for all shards: what
//! is over goes from the shard that is written to, mostly, and now and then from another, with a chance proportional to what that
//! one holds. In the long run each shard then has its share of what is written, as if there were one queue for all.
//!
//! ```text
//! store.prefetch(&[(partition, key), ..])         // a batch: everything that its commands will touch, into the cache
//! let mut locked = store.lock(partition);         // one lock for as many commands as are to happen at once
//! locked.get(key)? -> Option<Seen>                // counts as a use
//! locked.peek(key)? / locked.state(key)? -> Option<State>
//! locked.put(key, |latest: Option<Version>| RegisterRef { version, value, expires_ms })?
//! locked.edit(key, |state: &mut State| (update, result))? -> (Option<Update>, R)   // missing: a tombstone of version 0
//! locked.merge(key, state)? -> bool
//! locked.apply(key, &delta)? -> Applied
//! store.page(partition, from, limit)? -> StatePage
//! store.sweep(now_ms, |partition| may_forget) -> Swept
//! ```
//!
//! A bucket on disk is the same with the database behind it (`on_disk.rs`).
//!
//! Not here: other nodes, versions (who writes knows the clock), and who may see what has expired (who reads knows the time).

mod on_disk;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringway_causality::Version;
use ringway_ring::Partition;

use crate::Error;
use crate::account::{Account, Sums};
use crate::backing::Backing;
use crate::handle::{Handle, SHARD_COUNT, Seed, partition_at, shard_of};
use crate::line::Lines;
use crate::locked::Locked;
use crate::page::PageLimit;
use crate::range_digests::RangeDigests;
use crate::shard::{Shard, Step};
use crate::state_page::StatePage;
use crate::tally::{Swept, Usage, Uses};

/// How many entries are looked at under one lock, where nobody waits for more.
const STEPS_MAX: usize = 128;
/// How many shards one write may visit to make room. Each of their entries may have to be looked at once for each of its uses,
/// and once more; what is still over then waits for the next write.
const VISITS_MAX: usize = SHARD_COUNT * 256;
/// One eviction in this many looks for another shard than the one that is written to.
const OTHERS_TURN: u64 = 4;
/// How many shards are chosen by lot, before the rest is taken from one after the other.
const LOTS: usize = 8;
/// How many keys are prefetched at once: about as many as the processor can wait for.
const PREFETCH_MAX: usize = 32;

#[derive(Debug)]
pub struct BucketStore {
    shards: Arc<[Cell]>,
    account: Arc<Account>,
    seed: Seed,
    dice: AtomicU64,
    /// If there is more than what is in memory.
    backing: Option<Backing>,
    latest: Version,
}

/// Two shards never share a cache line, nor a pair of them.
#[derive(Debug)]
#[repr(align(128))]
struct Cell(Mutex<Shard>);

impl Cell {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Shard> {
        // What a panic interrupts is settled by guards: the shard is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BucketStore {
    /// `limit` in bytes, of what this node holds.
    pub fn new(limit: u64) -> Self {
        Self::with_seed(limit, Seed::random())
    }

    pub(crate) fn with_seed(limit: u64, seed: Seed) -> Self {
        let account = Arc::new(Account::new(limit));
        let shard = |number| Cell(Mutex::new(Shard::new(number, seed, Arc::clone(&account))));
        Self {
            shards: (0..SHARD_COUNT).map(shard).collect(),
            account: Arc::clone(&account),
            seed,
            dice: AtomicU64::new(0),
            backing: None,
            latest: Version::default(),
        }
    }

    /// Waits for its shard.
    #[inline]
    pub fn lock(&self, partition: Partition) -> Locked<'_> {
        Locked::new(self, self.shard(shard_of(partition).0), partition)
    }

    /// Brings the lines in which a key may be into the cache: a hint that makes [`BucketStore::prefetch`] cheaper a little later.
    #[inline]
    pub fn prefetch_lines(&self, partition: Partition, key: &[u8]) {
        self.account.lines(partition).prefetch(self.seed.spread(key));
    }

    /// Brings what commands on these keys will touch into the cache, all at once instead of one after the other. A hint: shards
    /// that are busy are left out.
    pub fn prefetch(&self, keys: &[(Partition, &[u8])]) {
        let entry_lines = self.account.entry_lines();
        let reading = self.account.readers().enter();
        for keys in keys.chunks(PREFETCH_MAX) {
            let mut places = [(0, Lines::default()); PREFETCH_MAX];
            for ((partition, key), (spread, lines)) in keys.iter().zip(&mut places) {
                (*spread, *lines) = (self.seed.spread(key), self.account.lines(*partition));
                lines.prefetch(*spread);
            }
            for ((partition, key), (spread, lines)) in keys.iter().zip(&places) {
                if *lines == Lines::SEVERAL {
                    self.with_table(*partition, |shard, local| shard.table(local).prefetch(key, *spread, entry_lines));
                } else {
                    // SAFETY: `reading` was there before `lines` was read.
                    unsafe { lines.prefetch_entry(*spread, entry_lines) };
                }
            }
        }
        drop(reading);
    }

    /// Commands about so many keys have brought and taken so many bytes: how much of an entry is worth prefetching depends on it.
    pub fn note_traffic(&self, keys: usize, bytes: usize) {
        self.account.note_traffic(keys, bytes);
    }

    /// Entries of a partition from a position on, in the order of positions.
    pub fn page(&self, partition: Partition, from: u64, limit: PageLimit) -> Result<StatePage, Error> {
        self.page_within(partition, from, None, limit)
    }

    /// The same, of positions before `until`.
    pub fn page_within(
        &self,
        partition: Partition,
        from: u64,
        until: Option<u64>,
        limit: PageLimit,
    ) -> Result<StatePage, Error> {
        let (shard, local) = shard_of(partition);
        let (shard, within) = (self.shard(shard), from..until.unwrap_or(u64::MAX));
        match &self.backing {
            Some(backing) if shard.cold_count(local) > 0 => on_disk::page(&shard, local, &backing.table, within, limit),
            _ => Ok(StatePage::of(shard.table(local), within, limit)),
        }
    }

    /// The digests of as many equal ranges of positions (a power of two), whose exclusive or is [`BucketStore::digest`]. Looks at
    /// all entries, those of a large partition not under one lock.
    pub fn range_digests(&self, partition: Partition, ranges: usize) -> Result<Vec<u64>, Error> {
        let ((number, local), mut digests) = (shard_of(partition), RangeDigests::new(ranges));
        let (mut shard, mut next) = (self.shard(number), Some(0));
        while let Some(region) = next {
            if region > 0 && self.backing.is_none() {
                // Others' turn. On disk it has to be one look: what is evicted meanwhile would count twice.
                drop(shard);
                shard = self.shard(number);
            }
            next = shard.add_digests(local, region, &mut digests);
        }
        if let Some(backing) = self.backing.as_ref().filter(|_| shard.cold_count(local) > 0) {
            on_disk::add_digests(&shard, local, &backing.table, &mut digests)?;
        }
        Ok(digests.finish())
    }

    /// Equal for replicas that hold the same; 0 for nothing.
    pub fn digest(&self, partition: Partition) -> u64 {
        self.sums(partition).digest
    }

    /// How many keys of a partition have a value.
    pub fn key_count(&self, partition: Partition) -> u64 {
        self.sums(partition).keys.into()
    }

    /// Whether nothing is stored of a partition, not even tombstones.
    pub fn is_empty(&self, partition: Partition) -> bool {
        let (shard, local) = shard_of(partition);
        let shard = self.shard(shard);
        shard.table(local).is_empty() && shard.cold_count(local) == 0
    }

    /// Of all shards, one after the other.
    pub fn uses(&self) -> Uses {
        let mut all = Uses::default();
        (0..SHARD_COUNT).for_each(|shard| all += self.shard(shard).uses);
        all
    }

    pub fn usage(&self) -> Usage {
        self.account.usage()
    }

    /// Makes tombstones of what has expired and, where `may_forget`, drops those older than the retention. Cheap if nothing is
    /// due; holds each lock for a bounded time.
    pub fn sweep(&self, now_ms: u64, may_forget: impl Fn(Partition) -> bool) -> Result<Swept, Error> {
        self.warm_due(now_ms, &may_forget)?;
        let mut all = Swept::default();
        for number in 0..SHARD_COUNT {
            loop {
                let mut shard = self.shard(number);
                let (swept, done) = shard.sweep(now_ms, STEPS_MAX, &|local| may_forget(partition_at(number, local)));
                all.expired += swept.expired;
                all.forgotten += swept.forgotten;
                if done {
                    shard.flush_counts();
                    break;
                }
            }
        }
        if self.account.is_over() {
            self.make_room(None);
        }
        Ok(all)
    }

    pub fn drop_partition(&self, partition: Partition) -> Result<(), Error> {
        let (shard, local) = shard_of(partition);
        let mut shard = self.shard(shard);
        if let Some(backing) = &self.backing {
            backing.note_partition_dropped(partition)?;
        }
        shard.drop_partition(local);
        Ok(())
    }

    /// Whether something of `len` bytes may be written. In memory there will be room for anything below the limit; on disk nothing
    /// is evicted, so what is there counts.
    pub fn admit(&self, len: usize) -> Result<(), Error> {
        let limit = self.account.limit();
        let used = if self.is_on_disk() { self.usage().bytes } else { 0 };
        if used.saturating_add(len as u64) > limit { Err(Error::BucketFull { limit }) } else { Ok(()) }
    }

    /// Of this node, in bytes.
    pub fn limit(&self) -> u64 {
        self.account.limit()
    }

    /// What is over goes with the next writes and sweeps.
    pub fn set_limit(&self, limit: u64) {
        self.account.set_limit(limit);
    }

    /// Whether it is about to evict or refuse.
    pub fn is_nearly_full(&self) -> bool {
        let limit = self.account.limit();
        self.usage().bytes >= limit - limit / 16
    }

    /// How long tombstones are kept. What is there already follows at the next sweep.
    pub fn set_retention(&self, retention_ms: u64) {
        self.account.set_retention(retention_ms);
    }

    /// The greatest version found when it was opened.
    pub fn latest(&self) -> Version {
        self.latest
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Whether this time another shard than the one that is written to has to give, by lot.
    pub(crate) fn is_others_turn(&self) -> bool {
        self.roll().is_multiple_of(OTHERS_TURN)
    }

    /// Evicts until the bucket is within its limit, from one shard after the other, but not what was just `written`. The caller
    /// holds no lock.
    pub(crate) fn make_room(&self, written: Option<(Partition, Handle)>) {
        let mut idle = 0;
        for visit in 0..VISITS_MAX {
            if !self.account.is_over() {
                return;
            }
            if idle > LOTS + SHARD_COUNT {
                return self.wait_for_flusher();
            }
            let shard = self.choose_shard(visit);
            let spared = written.filter(|(partition, _)| shard_of(*partition).0 == shard).map(|(_, handle)| handle);
            idle = if self.evict_from(shard, spared) { 0 } else { idle + 1 };
        }
    }

    /// A few by lot, weighted with what they hold; then one after the other.
    fn choose_shard(&self, visit: usize) -> usize {
        let roll = self.roll();
        let by_lot = (roll >> 32) as usize % SHARD_COUNT;
        if visit >= LOTS {
            return visit % SHARD_COUNT;
        }
        let mean = self.usage().bytes / SHARD_COUNT as u64;
        let other = (roll >> 16) as usize % SHARD_COUNT;
        let is_taken = self.account.weight(by_lot) >= (roll & 0xFFFF) * mean / 0x8000;
        if is_taken { by_lot } else { other }
    }

    /// Whether anything changed in it.
    fn evict_from(&self, number: usize, spared: Option<Handle>) -> bool {
        if self.account.weight(number) == 0 {
            return false;
        }
        let mut shard = self.shard(number);
        let mut changed = false;
        for _ in 0..STEPS_MAX {
            if !self.account.is_over() {
                return true;
            }
            match shard.evict_one(spared) {
                Step::Evicted | Step::Passed => changed = true,
                Step::Kept => {}
                Step::Empty => return changed,
            }
        }
        changed
    }

    fn sums(&self, partition: Partition) -> Sums {
        let (shard, local) = shard_of(partition);
        self.shard(shard).sums(local)
    }

    #[inline]
    fn with_table(&self, partition: Partition, look: impl FnOnce(&Shard, usize)) {
        let (shard, local) = shard_of(partition);
        if let Ok(shard) = self.shards[shard].0.try_lock() {
            look(&shard, local);
        }
    }

    #[inline]
    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number].lock()
    }

    /// splitmix64 (Steele et al., 2014).
    fn roll(&self) -> u64 {
        let state = self.dice.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests;
