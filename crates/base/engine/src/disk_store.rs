//! Driver: a bucket on disk. A keyspace of the node's database; figures of each partition in memory, rebuilt when it is opened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::Keyspace;
use ringway_causality::Version;
use ringway_replication::Cell;
use ringway_ring::Partition;
use tracing::error;

use crate::cell_code::{decode_cell, decode_key, encode_cell, encode_key, prefix};
use crate::page::{POSITION_BITS, Page, PageLimit, PageWriter};
use crate::tally::{Fate, Swept, Tally, Totals, Usage, entry_bytes, fate_of};
use crate::{Disk, Error};

pub struct DiskStore {
    disk: Arc<Disk>,
    keyspace: Keyspace,
    /// A partition's lock, held while one of its cells is read and written.
    tallies: Box<[Mutex<Tally>]>,
    totals: Totals,
    limit: AtomicU64,
    retention_ms: AtomicU64,
    latest: Version,
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskStore").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

impl DiskStore {
    /// Reads every cell once: digests are not trusted to a file. Damaged cells are left out; repair brings them back.
    pub fn open(disk: Arc<Disk>, name: &str, limit: u64) -> Result<Self, Error> {
        let keyspace = disk.keyspace(name)?;
        let mut tallies = vec![Tally::EMPTY; Partition::all().len()];
        let mut latest = Version::default();
        for entry in keyspace.iter() {
            let (stored_key, stored) = entry.into_inner()?;
            let Some((partition, _, key)) = decode_key(&stored_key) else { continue };
            match decode_cell(key, &stored) {
                Ok(cell) => {
                    latest = latest.max(cell.version);
                    tallies[partition.index()].add(key, &cell, 0);
                }
                Err(damage) => {
                    error!(bucket = name, %damage, "damaged cell is dropped");
                    keyspace.remove(stored_key)?;
                }
            }
        }
        let totals = Totals::default();
        tallies.iter().for_each(|tally| totals.note(&Tally::EMPTY, tally));
        Ok(Self {
            disk,
            keyspace,
            tallies: tallies.into_iter().map(Mutex::new).collect(),
            totals,
            limit: AtomicU64::new(limit),
            retention_ms: AtomicU64::new(0),
            latest,
        })
    }

    /// The greatest version that was there when it was opened.
    pub(crate) fn latest(&self) -> Version {
        self.latest
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

    pub(crate) async fn synced(&self) -> Result<(), Error> {
        self.disk.synced().await
    }

    pub(crate) fn get(&self, partition: Partition, key: &[u8]) -> Result<Option<Cell>, Error> {
        self.read(&encode_key(partition, key), key)
    }

    pub(crate) fn update<R>(
        &self,
        partition: Partition,
        key: &[u8],
        change: impl FnOnce(Option<&Cell>) -> (Option<Cell>, R),
    ) -> Result<R, Error> {
        let mut tally = self.tally_mut(partition);
        let stored_key = encode_key(partition, key);
        let current = self.read(&stored_key, key)?;
        let (changed, result) = change(current.as_ref());
        let Some(cell) = changed else { return Ok(result) };
        if cell.value.is_some() {
            self.disk.check_room(entry_bytes(key, &cell) as usize)?;
        }
        self.keyspace.insert(stored_key, encode_cell(key, &cell))?;
        let before = *tally;
        if let Some(current) = &current {
            tally.remove(key, current);
        }
        tally.add(key, &cell, self.retention_ms.load(Ordering::Relaxed));
        self.totals.note(&before, &tally);
        Ok(result)
    }

    pub(crate) fn page(&self, partition: Partition, from: u64, limit: PageLimit) -> Result<Page, Error> {
        let mut page = PageWriter::new(limit);
        for entry in self.walk(partition, from) {
            let (stored_key, stored) = entry.into_inner()?;
            let Some((_, position, key)) = decode_key(&stored_key) else { continue };
            let cell = decode_cell(key, &stored)?;
            if !page.push(position, key, || cell) {
                break;
            }
        }
        Ok(page.finish())
    }

    pub(crate) fn tally(&self, partition: Partition) -> Tally {
        *self.tally_mut(partition)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.totals.usage()
    }

    pub(crate) fn sweep(&self, partition: Partition, now_ms: u64, may_forget: bool) -> Result<Swept, Error> {
        let mut tally = self.tally_mut(partition);
        if tally.due_ms > now_ms {
            return Ok(Swept::default());
        }
        let (before, retention_ms) = (*tally, self.retention_ms.load(Ordering::Relaxed));
        let mut swept = Swept::default();
        let mut after = Tally::EMPTY;
        for entry in self.walk(partition, 0) {
            let (stored_key, stored) = entry.into_inner()?;
            let Some((_, _, key)) = decode_key(&stored_key) else { continue };
            let mut cell = decode_cell(key, &stored)?;
            let fate = fate_of(&cell, now_ms, retention_ms, may_forget);
            match fate {
                Fate::Keep => {}
                Fate::Bury => {
                    cell.bury();
                    swept.expired += 1;
                    self.keyspace.insert(stored_key.clone(), encode_cell(key, &cell))?;
                }
                Fate::Forget => {
                    swept.expired += u64::from(cell.value.is_some());
                    swept.forgotten += 1;
                    self.keyspace.remove(stored_key.clone())?;
                    continue;
                }
            }
            after.add(key, &cell, retention_ms);
        }
        *tally = after;
        self.totals.note(&before, &tally);
        Ok(swept)
    }

    pub(crate) fn drop_partition(&self, partition: Partition) -> Result<(), Error> {
        let mut tally = self.tally_mut(partition);
        for entry in self.walk(partition, 0) {
            self.keyspace.remove(entry.key()?)?;
        }
        self.totals.note(&tally, &Tally::EMPTY);
        *tally = Tally::EMPTY;
        Ok(())
    }

    pub(crate) fn admit(&self, len: usize) -> Result<(), Error> {
        let limit = self.limit();
        match self.usage().bytes + len as u64 > limit {
            true => Err(Error::BucketFull { limit }),
            false => Ok(()),
        }
    }

    /// Takes the bucket off the disk.
    pub(crate) fn delete(&self) -> Result<(), Error> {
        self.disk.delete_keyspace(self.keyspace.clone())
    }

    fn walk(&self, partition: Partition, from: u64) -> fjall::Iter {
        let last = prefix(partition, (1 << POSITION_BITS) - 1);
        let end = match u64::from_be_bytes(last).checked_add(1) {
            Some(next) => std::ops::Bound::Excluded(next.to_be_bytes()),
            None => std::ops::Bound::Unbounded,
        };
        self.keyspace.range((std::ops::Bound::Included(prefix(partition, from)), end))
    }

    fn read(&self, stored_key: &[u8], key: &[u8]) -> Result<Option<Cell>, Error> {
        self.keyspace.get(stored_key)?.map(|stored| decode_cell(key, &stored)).transpose()
    }

    fn tally_mut(&self, partition: Partition) -> MutexGuard<'_, Tally> {
        self.tallies[partition.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
