//! Driver: where a bucket on disk keeps what is not in memory, and notes what changes.
//!
//! A bucket's keyspace in the node's database, and its records in the node's log. Reading waits for the disk; noting does not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::Keyspace;
use ringway_ring::Partition;
use ringway_values::State;
use tracing::error;

use crate::Error;
use crate::disk::{Disk, Shared};
use crate::stored_code::{
    Change, STORED_KEY_LEN_MAX, decode_key, decode_state, encode_change, encode_key, encode_partition_dropped, prefix,
};
use crate::wal::{Durability, Position, Wait};

/// What the buffer for one note keeps.
const SCRATCH_KEPT_BYTES: usize = 64 << 10;
/// One part in so many of the reserve is not for changes.
const CHANGES_PARTS: u64 = 2;
/// One part in so many of the reserve is not for bringing into the database what was taken on already.
pub(crate) const FLUSH_PARTS: u64 = 8;

#[derive(Debug)]
pub(crate) struct Backing {
    name: String,
    disk: Arc<Disk>,
    pub(crate) table: Table,
    durability: AtomicU8,
    /// Behind the last note.
    noted: AtomicU64,
    is_closed: AtomicBool,
}

/// The part of it that does not keep the disk open.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bucket: u32,
    damaged: Arc<Mutex<Damaged>>,
}

#[derive(Debug, Default)]
struct Damaged {
    /// Something is missing there until a replica has given it back.
    partitions: BTreeSet<Partition>,
    /// Something damaged is still in the database there, and in the sums.
    to_recount: BTreeSet<Partition>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.bucket)
    }
}

impl Backing {
    pub(crate) fn open(disk: Arc<Disk>, name: &str) -> Result<Self, Error> {
        let shared = disk.shared().clone();
        let bucket = shared.names.number_of(name)?;
        Ok(Self {
            name: name.to_owned(),
            disk,
            table: Table { shared, bucket, damaged: Arc::default() },
            durability: AtomicU8::new(Durability::Batch as u8),
            noted: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(crate) fn set_durability(&self, durability: Durability) {
        self.durability.store(durability as u8, Ordering::Relaxed);
    }

    pub(crate) fn durability(&self) -> Durability {
        match self.durability.load(Ordering::Relaxed) {
            number if number == Durability::Memory as u8 => Durability::Memory,
            number if number == Durability::Batch as u8 => Durability::Batch,
            _ => Durability::Sync,
        }
    }

    /// Whether a change of about `len` bytes would be taken: to be asked before it is made in memory. Removals, and what is of
    /// unknown size, are 0 and may use half of the reserve: how else would room be made.
    pub(crate) fn check(&self, key: &[u8], len: usize) -> Result<(), Error> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        if key.len() > STORED_KEY_LEN_MAX {
            return Err(Error::KeyTooLong { len: key.len() });
        }
        self.table.shared.log.check()?;
        self.disk.flusher().check()?;
        match len {
            0 => self.table.shared.room.check_reserve(CHANGES_PARTS),
            _ => self.check_room(key.len() + len),
        }
    }

    /// Whether the disk does not follow with what is written.
    pub(crate) fn is_behind(&self) -> bool {
        self.table.shared.log.is_behind() || self.disk.flusher().is_behind()
    }

    /// Returns when it has taken what waited for it. Fails if it will not.
    pub(crate) async fn caught_up(&self) -> Result<(), Error> {
        let log = &self.table.shared.log;
        if log.is_behind() {
            log.written(log.end()).await?;
        }
        self.disk.flusher().caught_up().await;
        log.check()
    }

    /// Appends a change to the log. It is to be called with the shard locked, so that notes of one key are in order.
    pub(crate) fn note(&self, partition: Partition, key: &[u8], change: Change<'_>) -> Result<(), Error> {
        thread_local! {
            static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        SCRATCH.with_borrow_mut(|body| {
            body.clear();
            encode_change(partition, key, change, body);
            let appended = self.append(body);
            body.shrink_to(SCRATCH_KEPT_BYTES);
            appended
        })
    }

    pub(crate) fn note_partition_dropped(&self, partition: Partition) -> Result<(), Error> {
        self.append(&encode_partition_dropped(partition))
    }

    /// Waits until everything noted so far is what the bucket's durability says.
    pub(crate) fn acknowledged(&self) -> Wait {
        let position = Position(self.noted.load(Ordering::Acquire));
        self.table.shared.log.acknowledged(position, self.durability())
    }

    /// Nothing is noted any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Takes the bucket off the disk, after nobody can note anything any more. Blocks. Its entries are removed later.
    pub(crate) fn delete(&self) -> Result<(), Error> {
        self.disk.flusher().forget(self.table.bucket);
        self.table.shared.names.remove(&self.name, self.table.bucket)?;
        self.disk.flusher().hurry();
        Ok(())
    }

    /// What is in the log only needs as much again in the database, and twice that while the database has it in its own journal.
    fn check_room(&self, len: usize) -> Result<(), Error> {
        let promised = self.disk.flusher().unflushed() * 2;
        let checked = self.table.shared.room.check(len, promised);
        if checked.is_err() {
            self.disk.flusher().hurry();
        }
        checked
    }

    fn append(&self, body: &[u8]) -> Result<(), Error> {
        let position = self.table.shared.log.append(self.table.bucket, self.durability(), body)?;
        self.noted.fetch_max(position.0, Ordering::Release);
        self.disk.flusher().note(body.len());
        Ok(())
    }
}

impl Table {
    /// What the database has of a key. Waits for the disk.
    pub(crate) fn load(&self, partition: Partition, key: &[u8]) -> Result<Option<State>, Error> {
        let Some(stored) = self.shared.cells.get(encode_key(self.bucket, partition, key))? else { return Ok(None) };
        match decode_state(key, &stored) {
            Ok(state) => Ok(Some(state)),
            Err(damage) => {
                error!(bucket = self.bucket, partition = partition.0, %damage, "damaged value is dropped and asked of a replica");
                self.damaged().to_recount.insert(partition);
                self.suspect(partition);
                Err(damage)
            }
        }
    }

    /// Writes to the database, if there is room. Not synced.
    pub(crate) fn write(
        &self,
        puts: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
        removals: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), Error> {
        self.shared.room.check_reserve(FLUSH_PARTS)?;
        let mut batch = self.shared.database.batch();
        puts.for_each(|(key, value)| batch.insert(&self.shared.cells, key, value));
        removals.for_each(|key| batch.remove(&self.shared.cells, key));
        Ok(batch.commit()?)
    }

    /// What the database has of a partition from a position on, in order.
    pub(crate) fn walk(&self, partition: Partition, from: u64) -> impl Iterator<Item = Result<Cold, Error>> {
        walk(&self.shared.cells, self.bucket, partition, from).filter_map(|entry| Cold::of(entry).transpose())
    }

    /// All that the database has of the bucket, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Cold, Error>> {
        self.shared.cells.prefix(self.bucket.to_be_bytes()).filter_map(|entry| Cold::of(entry).transpose())
    }

    /// A replica has to be asked for the partition.
    pub(crate) fn suspect(&self, partition: Partition) {
        self.damaged().partitions.insert(partition);
    }

    pub(crate) fn suspects(&self) -> Vec<Partition> {
        self.damaged().partitions.iter().copied().collect()
    }

    pub(crate) fn clear(&self, partition: Partition) {
        self.damaged().partitions.remove(&partition);
    }

    pub(crate) fn take_to_recount(&self) -> BTreeSet<Partition> {
        std::mem::take(&mut self.damaged().to_recount)
    }

    fn damaged(&self) -> MutexGuard<'_, Damaged> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry of the database.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) stored_key: fjall::UserKey,
    pub(crate) partition: Partition,
    pub(crate) position: u64,
    stored: fjall::UserValue,
}

impl Cold {
    /// `None`: it is none of ours.
    pub(crate) fn of(entry: fjall::Guard) -> Result<Option<Self>, Error> {
        let (stored_key, stored) = entry.into_inner()?;
        let place = decode_key(&stored_key).map(|(partition, position, _)| (partition, position));
        Ok(place.map(|(partition, position)| Self { stored_key, partition, position, stored }))
    }

    pub(crate) fn key(&self) -> &[u8] {
        decode_key(&self.stored_key).map_or(&[], |(_, _, key)| key)
    }

    pub(crate) fn state(&self) -> Result<State, Error> {
        decode_state(self.key(), &self.stored)
    }
}

/// All of a partition from a position on.
pub(crate) fn walk(cells: &Keyspace, bucket: u32, partition: Partition, from: u64) -> fjall::Iter {
    // Partitions have fewer than 16 bits: there is always a next one.
    let end = prefix(bucket, Partition(partition.0 + 1), 0);
    cells.range(prefix(bucket, partition, from)..end)
}
