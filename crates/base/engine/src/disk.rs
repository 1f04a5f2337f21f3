//! Driver: the node's one database on disk, shared by all disk buckets: one journal, one cache, one sync for all.
//!
//! Writes go into the journal's buffer and are visible at once; [`Disk::synced`] waits until they are durable, and nobody is told
//! "done" before. So an acknowledged write survives SIGKILL and the loss of power, as far as the disk keeps its promise.
//!
//! A full disk is noticed *before* the database hits it, because a database that failed half-way must be opened anew: some room
//! is kept in reserve, and while there is less, writes are refused and reads go on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use nix::sys::statvfs::statvfs;
use ringway_rt::clock;

use crate::Error;
use crate::sync_queue::SyncQueue;

/// Cache of blocks, for all buckets.
const CACHE_BYTES: u64 = 64 << 20;
/// Journals together; older ones go when what they hold is in tables.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// One bucket's writes before they become a table.
const MEMTABLE_BYTES_MAX: u64 = 8 << 20;
/// Kept free, but never more than a quarter of the file system.
const RESERVE_BYTES: u64 = 256 << 20;
/// How old a look at the free space may be.
const ROOM_AGE_MAX_MS: u64 = 50;

pub struct Disk {
    sync: SyncQueue,
    database: Database,
    dir: PathBuf,
    room_checked_ms: AtomicU64,
    room_bytes: AtomicU64,
    reserve_bytes: AtomicU64,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens or makes the database in `dir`. Blocks: replays the journal.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        ringway_rt::files::create_private_dir(dir)
            .map_err(|error| Error::Failed(format!("{}: {error}", dir.display())))?;
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .manual_journal_persist(true)
            .worker_threads(2)
            .open()?;
        let journal = database.clone();
        let sync = SyncQueue::start(move || Ok(journal.persist(PersistMode::SyncAll)?))
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self {
            sync,
            database,
            dir: dir.to_owned(),
            room_checked_ms: AtomicU64::new(0),
            room_bytes: AtomicU64::new(0),
            reserve_bytes: AtomicU64::new(0),
        })
    }

    pub(crate) fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        let options =
            || KeyspaceCreateOptions::default().manual_journal_persist(true).max_memtable_size(MEMTABLE_BYTES_MAX);
        Ok(self.database.keyspace(name, options)?)
    }

    pub(crate) fn delete_keyspace(&self, keyspace: Keyspace) -> Result<(), Error> {
        Ok(self.database.delete_keyspace(keyspace)?)
    }

    /// Waits until what was written before this call is on disk.
    pub async fn synced(&self) -> Result<(), Error> {
        self.sync.synced().await
    }

    /// Whether `len` more bytes may be written.
    pub(crate) fn check_room(&self, len: usize) -> Result<(), Error> {
        let now_ms = clock::wall_ms();
        if now_ms.abs_diff(self.room_checked_ms.load(Ordering::Relaxed)) > ROOM_AGE_MAX_MS {
            self.look_at_room()?;
            self.room_checked_ms.store(now_ms, Ordering::Relaxed);
        }
        let (free, reserve) = (self.room_bytes.load(Ordering::Relaxed), self.reserve_bytes.load(Ordering::Relaxed));
        if free < reserve.saturating_add(len as u64) {
            return Err(Error::DiskFull { dir: self.dir.clone(), free, reserve });
        }
        // What is written until the next look comes off, so that many small writes cannot slip by.
        self.room_bytes.fetch_sub(len as u64, Ordering::Relaxed);
        Ok(())
    }

    fn look_at_room(&self) -> Result<(), Error> {
        let stat = statvfs(&self.dir).map_err(|errno| Error::Failed(format!("{}: {errno}", self.dir.display())))?;
        let bytes = |blocks: u64| blocks * stat.fragment_size();
        self.room_bytes.store(bytes(stat.blocks_available()), Ordering::Relaxed);
        self.reserve_bytes.store(RESERVE_BYTES.min(bytes(stat.blocks()) / 4), Ordering::Relaxed);
        Ok(())
    }
}
