//! Driver: a bucket on disk: the same shards as a cache in front of the node's database, with the node's log beside it.
//!
//! What is read comes into memory first. What is written is changed in memory and noted in the log; the flusher brings it into the
//! database later, and until then it is not evicted. If all of a partition fits into memory the database is not asked for it.

use std::ops::Range;
use std::sync::Arc;

use ringway_ring::Partition;
use tracing::{error, warn};

use super::{BucketStore, Cell};
use crate::account::Account;
use crate::backing::{Backing, Table};
use crate::disk::Flush;
use crate::handle::{SHARD_COUNT, SHARD_PARTITIONS, shard_of};
use crate::page::PageLimit;
use crate::range_digests::RangeDigests;
use crate::shard::Shard;
use crate::state_page::{StatePage, StatePageWriter};
use crate::stored_code::decode_key;
use crate::wal::{Durability, Wait};
use crate::{Disk, Error};

/// How much of a bucket is in memory at most, unless told otherwise.
const CACHE_BYTES: u64 = 256 << 20;
/// When a bucket is opened one part in so many of the cache is filled at most; the rest is for what will be asked for.
const FILLED_PART: u64 = 2;
/// What is written to the database at once, and encoded under one lock.
const BATCH_LEN_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 256 << 10;
/// How many partitions a sweep looks through on disk for what has expired, and how long each is left alone then.
const WALKS_MAX: usize = 64;
const WALK_AGAIN_MS: u64 = 60_000;

impl BucketStore {
    /// The bucket `name` on `disk`. `limit` in bytes, of what this node holds. Blocks: reads every entry once, for digests are not
    /// trusted to a file. Damaged ones are left out, and [`BucketStore::damaged`] says where; repair brings them back.
    pub fn open(disk: Arc<Disk>, name: &str, limit: u64) -> Result<Self, Error> {
        let backing = Backing::open(disk.clone(), name)?;
        let bucket = backing.table.bucket;
        disk.flusher().reserve(bucket)?;
        let mut store = Self::new(limit);
        store.account.set_cache_limit(CACHE_BYTES);
        store.shards.iter().for_each(|cell| cell.lock().track(bucket));
        let table = backing.table.clone();
        store.backing = Some(backing);
        if let Err(error) = store.read_in(&table) {
            disk.flusher().forget(bucket);
            // Nothing to be flushed when it is dropped.
            store.backing = None;
            return Err(error);
        }
        disk.shared().forget_recovered(bucket);
        let flushing = Flushing { shards: Arc::clone(&store.shards), account: Arc::clone(&store.account), table };
        disk.flusher().sit_down(bucket, Arc::new(flushing));
        Ok(store)
    }

    /// Whether there is more than what is in memory.
    #[inline]
    pub fn is_on_disk(&self) -> bool {
        self.backing.is_some()
    }

    /// Whether a command on this key can be run at once, without waiting for a disk.
    #[inline]
    pub fn is_at_hand(&self, partition: Partition, key: &[u8]) -> bool {
        self.backing.is_none() || {
            let (shard, local) = shard_of(partition);
            !self.shard(shard).may_be_cold(local, key)
        }
    }

    /// Waits until everything written so far is as safe as this bucket promises.
    pub async fn synced(&self) -> Result<(), Error> {
        match &self.backing {
            Some(backing) => backing.acknowledged().await,
            None => Ok(()),
        }
    }

    /// The same, to be awaited later; `None`: there is nothing to wait for.
    pub fn acknowledged(&self) -> Option<Wait> {
        let backing = self.backing.as_ref()?;
        (backing.durability() != Durability::Memory).then(|| backing.acknowledged())
    }

    /// Whether the disk does not follow: writes may be refused before [`BucketStore::caught_up`].
    pub fn is_behind(&self) -> bool {
        self.backing.as_ref().is_some_and(Backing::is_behind)
    }

    /// Returns when the disk has taken what waits for it now. Fails if it will not.
    pub async fn caught_up(&self) -> Result<(), Error> {
        match &self.backing {
            Some(backing) if backing.is_behind() => backing.caught_up().await,
            _ => Ok(()),
        }
    }

    /// Of writes from now on.
    pub fn set_durability(&self, durability: Durability) {
        if let Some(backing) = &self.backing {
            backing.set_durability(durability);
        }
    }

    /// How much of a bucket on disk may be in memory.
    pub fn set_cache_limit(&self, limit: u64) {
        if self.is_on_disk() {
            self.account.set_cache_limit(limit);
        }
    }

    /// Partitions of which something was lost here that a replica may still have, until [`BucketStore::repaired`].
    pub fn damaged(&self) -> Vec<Partition> {
        self.backing.as_ref().map_or_else(Vec::new, |backing| backing.table.suspects())
    }

    /// The partition has been compared with a replica.
    pub fn repaired(&self, partition: Partition) {
        if let Some(backing) = &self.backing {
            backing.table.clear(partition);
        }
    }

    /// Takes the bucket off the disk. Writes fail from now on. Blocks.
    pub fn delete(&self) -> Result<(), Error> {
        let Some(backing) = &self.backing else { return Ok(()) };
        backing.close();
        // Who had a lock before has noted what he did.
        self.shards.iter().for_each(|cell| drop(cell.lock()));
        backing.delete()
    }

    pub(crate) fn backing(&self) -> Option<&Backing> {
        self.backing.as_ref()
    }

    /// There is too much in memory, and none of it may go.
    pub(super) fn wait_for_flusher(&self) {
        if let Some(backing) = &self.backing {
            self.account.set_stuck(true);
            backing.disk().flusher().hurry();
        }
    }

    /// Brings into memory what is due but only on disk, for the sweep to find it there.
    pub(super) fn warm_due(&self, now_ms: u64, may_forget: &impl Fn(Partition) -> bool) -> Result<(), Error> {
        let Some(backing) = &self.backing else { return Ok(()) };
        let mut walks = 0;
        for number in 0..SHARD_COUNT {
            for local in 0..SHARD_PARTITIONS {
                let mut shard = self.shard(number);
                if shard.cold_due(local) > now_ms {
                    continue;
                }
                shard.set_cold_due(local, now_ms + WALK_AGAIN_MS);
                let partition = shard.partition(local);
                drop(shard);
                self.warm_due_of(partition, &backing.table, now_ms, may_forget(partition))?;
                walks += 1;
                if walks >= WALKS_MAX {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn warm_due_of(&self, partition: Partition, table: &Table, now_ms: u64, may_forget: bool) -> Result<(), Error> {
        let (number, local) = shard_of(partition);
        let mut next_ms = u64::MAX;
        for cold in table.walk(partition, 0) {
            let cold = cold?;
            let Ok(state) = cold.state() else { continue };
            let Some(due_ms) = state.due_ms(self.account.retention_ms()) else { continue };
            if due_ms > now_ms || !(may_forget || state.kind().is_some()) {
                next_ms = next_ms.min(due_ms);
                continue;
            }
            let mut shard = self.shard(number);
            // It may have changed since the walk began: what counts is what the database has now.
            if shard.may_be_cold(local, cold.key())
                && let Some(state) = table.load(partition, cold.key())?
            {
                shard.warm(local, cold.key(), state);
            }
        }
        let mut shard = self.shard(number);
        let again_ms = shard.cold_due(local).min(next_ms).max(now_ms + WALK_AGAIN_MS);
        shard.set_cold_due(local, again_ms);
        Ok(())
    }

    /// Sums of everything in the database, and what the log brought back on top.
    fn read_in(&mut self, table: &Table) -> Result<(), Error> {
        let recovered = table.shared.recovered_of(table.bucket);
        for partition in &recovered.dropped {
            let (number, local) = shard_of(*partition);
            self.shard(number).begin_drop(local);
        }
        for cold in table.iter() {
            let cold = cold?;
            if recovered.dropped.contains(&cold.partition) {
                continue;
            }
            let (number, local) = shard_of(cold.partition);
            match cold.state() {
                Ok(state) => {
                    self.latest = self.latest.max(state.latest());
                    let stays_cold = self.account.is_above(FILLED_PART);
                    self.shard(number).count_in(local, cold.key(), state, stays_cold);
                }
                Err(damage) => {
                    error!(bucket = table.bucket, partition = cold.partition.0, %damage, "damaged value is dropped");
                    self.shard(number).distrust(&cold.stored_key);
                    table.suspect(cold.partition);
                }
            }
        }
        for (stored_key, state) in &recovered.states {
            let Some((partition, _, key)) = decode_key(stored_key) else { continue };
            self.latest = self.latest.max(state.latest());
            self.lock(partition).restore(key, state.clone())?;
        }
        let everything = recovered.is_everything_suspect || table.shared.is_damaged();
        let all = Partition::all().filter(|partition| everything || recovered.suspect.contains(partition));
        all.for_each(|partition| table.suspect(partition));
        Ok(())
    }
}

impl Drop for BucketStore {
    fn drop(&mut self) {
        if let Some(backing) = &self.backing {
            backing.disk().flusher().stand_up(backing.table.bucket);
        }
    }
}

/// A page of what is in memory and what is not.
pub(super) fn page(
    shard: &Shard,
    local: usize,
    table: &Table,
    within: Range<u64>,
    limit: PageLimit,
) -> Result<StatePage, Error> {
    let warm = StatePage::of(shard.table(local), within.clone(), limit);
    let mut cold = StatePageWriter::new(limit);
    for entry in table.walk(shard.partition(local), within.start) {
        let entry = entry?;
        if entry.position >= within.end {
            break;
        }
        if shard.has(local, entry.key()) || shard.is_gone(&entry.stored_key) {
            continue;
        }
        if cold.is_full(entry.position) {
            cold.end_at(entry.position);
            break;
        }
        cold.push(entry.position, entry.key(), entry.state()?);
    }
    Ok(warm.merge(cold.finish(), limit))
}

/// Adds what is not in memory.
pub(super) fn add_digests(shard: &Shard, local: usize, table: &Table, digests: &mut RangeDigests) -> Result<(), Error> {
    for entry in table.walk(shard.partition(local), 0) {
        let entry = entry?;
        if !shard.has(local, entry.key()) && !shard.is_gone(&entry.stored_key) {
            digests.add(entry.position, entry.state()?.digest(entry.key()));
        }
    }
    Ok(())
}

/// What the flusher needs of a bucket.
#[derive(Debug)]
struct Flushing {
    shards: Arc<[Cell]>,
    account: Arc<Account>,
    table: Table,
}

impl Flush for Flushing {
    fn flush(&self) -> Result<(), Error> {
        for cell in &*self.shards {
            let dropping: Vec<usize> = cell.lock().dropping().collect();
            dropping.into_iter().try_for_each(|local| self.remove_dropped(cell, local))?;
            self.flush_shard(cell)?;
        }
        // Also if nothing was dirty: what was in the way may have gone for another reason.
        self.account.set_stuck(false);
        self.table.take_to_recount().into_iter().try_for_each(|partition| self.recount(partition))
    }
}

impl Flushing {
    /// What was dirty when it began; what becomes dirty meanwhile is for the next round.
    fn flush_shard(&self, cell: &Cell) -> Result<(), Error> {
        let (mut handles, mut gone) = cell.lock().dirty_len();
        while handles > 0 || gone > 0 {
            let batch = cell.lock().take_dirty(BATCH_LEN_MAX, BATCH_BYTES_MAX);
            handles = handles.saturating_sub(batch.handles);
            gone = if batch.removals.is_empty() { 0 } else { gone.saturating_sub(batch.removals.len()) };
            let written = self.table.write(batch.puts.into_iter(), batch.removals.iter().map(|key| key.to_vec()));
            match written {
                Ok(()) => {
                    cell.lock().landed();
                    self.account.set_stuck(false);
                }
                Err(error) => {
                    cell.lock().bounced();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What is in memory was written after the partition was dropped, and cannot be evicted until this is done.
    fn remove_dropped(&self, cell: &Cell, local: usize) -> Result<(), Error> {
        let partition = cell.lock().partition(local);
        let mut removals = Vec::new();
        for entry in self.table.walk(partition, 0) {
            let entry = entry?;
            if !cell.lock().has(local, entry.key()) {
                removals.push(entry.stored_key.to_vec());
            }
            if removals.len() >= BATCH_LEN_MAX {
                self.table.write(std::iter::empty(), removals.drain(..))?;
            }
        }
        self.table.write(std::iter::empty(), removals.into_iter())?;
        cell.lock().end_drop(local);
        Ok(())
    }

    /// Leaves out what is damaged. The sums are of what is left then, and tell other replicas that something is missing.
    fn recount(&self, partition: Partition) -> Result<(), Error> {
        let (number, local) = shard_of(partition);
        let mut shard = self.shards[number].lock();
        let mut entries = Vec::new();
        for entry in self.table.walk(partition, 0) {
            let entry = entry?;
            let state = entry.state();
            entries.push((entry, state));
        }
        warn!(bucket = self.table.bucket, partition = partition.0, "damaged values are left out");
        shard.recount(local, entries.iter());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
