//! Driver: one bucket's cells on this node, wherever they are kept.

use ringway_causality::Version;
use ringway_replication::Cell;
use ringway_ring::Partition;

use crate::page::{Page, PageLimit};
use crate::{DiskStore, Error, MemoryStore, Swept, Usage};

/// All methods but [`Store::synced`] are synchronous; those of a disk store may wait for the disk ([`Store::blocks`]).
#[derive(Debug)]
pub enum Store {
    Memory(MemoryStore),
    Disk(DiskStore),
}

impl Store {
    /// Whether its methods may take as long as a disk does: call them where blocking is allowed.
    pub fn blocks(&self) -> bool {
        matches!(self, Store::Disk(_))
    }

    /// The cell as it is stored: a tombstone or an expired value, too.
    pub fn get(&self, partition: Partition, key: &[u8]) -> Result<Option<Cell>, Error> {
        match self {
            Store::Memory(store) => Ok(store.get(partition, key)),
            Store::Disk(store) => store.get(partition, key),
        }
    }

    /// Reads and writes one cell under its partition's lock. `change` is given what is stored and returns what is to be stored
    /// instead, if anything. Not durable before [`Store::synced`].
    pub fn update<R>(
        &self,
        partition: Partition,
        key: &[u8],
        change: impl FnOnce(Option<&Cell>) -> (Option<Cell>, R),
    ) -> Result<R, Error> {
        match self {
            Store::Memory(store) => Ok(store.update(partition, key, change)),
            Store::Disk(store) => store.update(partition, key, change),
        }
    }

    /// Merges a cell from another replica. Whether it was later than what was here.
    pub fn apply(&self, partition: Partition, key: &[u8], cell: Cell) -> Result<bool, Error> {
        self.update(partition, key, |current| match current.is_none_or(|current| cell.wins_over(current)) {
            true => (Some(cell), true),
            false => (None, false),
        })
    }

    /// Waits until everything written so far survives a crash, as far as this kind of store does.
    pub async fn synced(&self) -> Result<(), Error> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Disk(store) => store.synced().await,
        }
    }

    /// Cells of a partition from a position on, in the order of positions.
    pub fn page(&self, partition: Partition, from: u64, limit: PageLimit) -> Result<Page, Error> {
        match self {
            Store::Memory(store) => Ok(store.page(partition, from, limit)),
            Store::Disk(store) => store.page(partition, from, limit),
        }
    }

    /// Equal for replicas that hold the same cells; 0 for none.
    pub fn digest(&self, partition: Partition) -> u64 {
        match self {
            Store::Memory(store) => store.tally(partition).digest,
            Store::Disk(store) => store.tally(partition).digest,
        }
    }

    /// How many keys of a partition have a value.
    pub fn key_count(&self, partition: Partition) -> u64 {
        let keys = match self {
            Store::Memory(store) => store.tally(partition).keys,
            Store::Disk(store) => store.tally(partition).keys,
        };
        keys.max(0) as u64
    }

    /// Whether nothing is stored of a partition, not even tombstones.
    pub fn is_empty(&self, partition: Partition) -> bool {
        match self {
            Store::Memory(store) => store.tally(partition).cells == 0,
            Store::Disk(store) => store.tally(partition).cells == 0,
        }
    }

    pub fn usage(&self) -> Usage {
        match self {
            Store::Memory(store) => store.usage(),
            Store::Disk(store) => store.usage(),
        }
    }

    /// Makes tombstones of what has expired and, if `may_forget`, drops those older than the retention. Cheap if nothing is due.
    pub fn sweep(&self, partition: Partition, now_ms: u64, may_forget: bool) -> Result<Swept, Error> {
        match self {
            Store::Memory(store) => Ok(store.sweep(partition, now_ms, may_forget)),
            Store::Disk(store) => store.sweep(partition, now_ms, may_forget),
        }
    }

    pub fn drop_partition(&self, partition: Partition) -> Result<(), Error> {
        match self {
            Store::Memory(store) => {
                store.drop_partition(partition);
                Ok(())
            }
            Store::Disk(store) => store.drop_partition(partition),
        }
    }

    /// Whether a value of `len` bytes may be written: memory makes room for anything below the limit, disk forgets nothing.
    pub fn admit(&self, len: usize) -> Result<(), Error> {
        match self {
            Store::Memory(store) => store.admit(len),
            Store::Disk(store) => store.admit(len),
        }
    }

    /// In bytes, of what this node holds.
    pub fn set_limit(&self, limit: u64) {
        match self {
            Store::Memory(store) => store.set_limit(limit),
            Store::Disk(store) => store.set_limit(limit),
        }
    }

    /// Whether it is about to evict or refuse.
    pub fn is_nearly_full(&self) -> bool {
        let limit = match self {
            Store::Memory(store) => store.limit(),
            Store::Disk(store) => store.limit(),
        };
        self.usage().bytes >= limit - limit / 16
    }

    /// How long tombstones are kept.
    pub fn set_retention(&self, retention_ms: u64) {
        match self {
            Store::Memory(store) => store.set_retention(retention_ms),
            Store::Disk(store) => store.set_retention(retention_ms),
        }
    }

    /// The greatest version found when it was opened.
    pub fn latest(&self) -> Version {
        match self {
            Store::Memory(_) => Version::default(),
            Store::Disk(store) => store.latest(),
        }
    }

    /// Takes the bucket off the disk. The store is not to be used any more.
    pub fn delete(&self) -> Result<(), Error> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Disk(store) => store.delete(),
        }
    }
}

#[cfg(test)]
mod tests;
