//! Driver: the node's disk, shared by all disk buckets: one write-ahead log, one database, one thread that brings what changed
//! from memory into the database.
//!
//! Like a shop's till roll and its ledger: each sale goes onto the roll at once (`wal`), and now and then somebody enters into the
//! ledger (the database) what has changed since, whereupon that part of the roll can be thrown away. After a power cut the roll
//! says what the ledger is missing. Only the roll is synced while customers wait, and the ledger once per entry session: no write
//! waits for two syncs.
//!
//! What the log brings back at the start is merged with what the database has, but stays in memory until the bucket is opened
//! and the flusher finds room: a full disk does not keep the node from starting.

mod flusher;
mod names;
mod recovery;
mod room;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::Error;
use crate::wal::{Log, LogConfig, Recovery};

pub(crate) use self::flusher::{Flush, Flusher};
use self::names::Names;
pub(crate) use self::recovery::Recovered;
use self::room::Room;

/// Cache of blocks, for all buckets.
const CACHE_BYTES: u64 = 64 << 20;
/// Journals together; older ones go when what they hold is in tables.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// Writes before they become a table.
const MEMTABLE_BYTES_MAX: u64 = 32 << 20;
/// Keyspaces. Nobody's bucket is called like this.
const NAMES: &str = "ringway names";
const CELLS: &str = "ringway cells";
/// How many entries of a bucket that is gone are removed at once.
const DEAD_BATCH_LEN: usize = 1024;
/// Of the log within the directory.
const LOG_DIR: &str = "log";

pub struct Disk {
    // Dropped in this order: the flusher first, the log and the database last.
    flusher: Flusher,
    shared: Arc<Shared>,
}

/// What the flusher needs, too.
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) names: Names,
    /// Of all buckets.
    pub(crate) cells: Keyspace,
    pub(crate) room: Room,
    dir: PathBuf,
    /// What the log brought back, by bucket, until the bucket is opened or it is in the database.
    recovered: Mutex<HashMap<u32, Arc<Recovered>>>,
    /// The log held something that is lost.
    is_damaged: bool,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.fmt(f)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens or makes database and log in `dir`. Blocks: reads the log.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_with(dir, LogConfig::default())
    }

    pub(crate) fn open_with(dir: &Path, config: LogConfig) -> Result<Self, Error> {
        ringway_rt::files::create_private_dir(dir)
            .map_err(|error| Error::Failed(format!("{}: {error}", dir.display())))?;
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .manual_journal_persist(true)
            // Of several, fjall 3's first one passes a compaction on to the next, over and over, until somebody is free to do it.
            .worker_threads(1)
            .open()?;
        let names = Names::new(database.clone(), keyspace(&database, NAMES)?);
        let cells = keyspace(&database, CELLS)?;
        let mut recovery = recovery::Reader::new(&cells, names.numbers()?);
        let (log, Recovery { damage, .. }) = Log::open(&dir.join(LOG_DIR), config, |record| recovery.read(record))?;
        let shared = Arc::new(Shared {
            log,
            database,
            names,
            cells,
            room: Room::of(dir),
            dir: dir.to_owned(),
            recovered: Mutex::new(recovery.finish()?),
            is_damaged: !damage.is_empty(),
        });
        let flusher = Flusher::start(shared.clone()).map_err(failed)?;
        Ok(Self { flusher, shared })
    }

    /// To be told before a bucket is opened: the revision of the list of buckets (it only grows) that has it.
    pub fn note_revision(&self, revision: u64) {
        self.shared.names.note_revision(revision);
    }

    /// Takes all buckets off the disk that are not open and not `kept`, as the list of buckets of `revision` has it: those that were
    /// deleted when the node was down, or before it had opened them. None if the disk has known a later list; it is to be asked again
    /// with that one. How many. Blocks; their entries are removed later.
    pub fn keep_only(&self, revision: u64, kept: impl Fn(&str) -> bool) -> Result<usize, Error> {
        let is_gone = |name: &str, number| !kept(name) && !self.flusher.is_open(number);
        let removed = self.shared.names.remove_gone(revision, is_gone)?;
        removed.iter().for_each(|bucket| self.shared.forget_recovered(*bucket));
        if !removed.is_empty() {
            self.flusher.hurry();
        }
        Ok(removed.len())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn flusher(&self) -> &Flusher {
        &self.flusher
    }

    /// Brings everything that has changed from memory into the database, and cuts the log. Happens by itself; blocks.
    pub fn flush(&self) -> Result<(), Error> {
        self.flusher.flush()
    }
}

impl Shared {
    /// What the log brought back of a bucket.
    pub(crate) fn recovered_of(&self, bucket: u32) -> Arc<Recovered> {
        self.recovered().get(&bucket).cloned().unwrap_or_default()
    }

    /// Somebody else has taken it over.
    pub(crate) fn forget_recovered(&self, bucket: u32) {
        self.recovered().remove(&bucket);
    }

    /// Whether something that was synced to the log is lost: everything may be older than it was.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Brings into the database what no bucket has taken over, unless one is about to. Whether nothing is left.
    pub(crate) fn store_recovered(&self, nobody_opens: impl FnOnce() -> bool) -> Result<bool, Error> {
        let mut all = self.recovered();
        if !nobody_opens() {
            return Ok(all.is_empty());
        }
        for (bucket, recovered) in all.iter_mut() {
            *recovered = Arc::new(recovered.store(*bucket, &self.database, &self.cells)?);
        }
        Ok(true)
    }

    /// Removes some of what buckets have left that are not there any more. Whether nothing is left of them.
    pub(crate) fn remove_dead(&self) -> Result<bool, Error> {
        let Some(bucket) = self.names.dead()?.pop() else { return Ok(true) };
        let mut batch = self.database.batch();
        for entry in self.cells.prefix(bucket.to_be_bytes()).take(DEAD_BATCH_LEN) {
            batch.remove(&self.cells, entry.key()?);
        }
        if batch.is_empty() {
            self.names.bury(bucket)?;
        }
        batch.commit()?;
        Ok(false)
    }

    fn recovered(&self) -> MutexGuard<'_, HashMap<u32, Arc<Recovered>>> {
        self.recovered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keyspace(database: &Database, name: &str) -> Result<Keyspace, Error> {
    let options =
        || KeyspaceCreateOptions::default().manual_journal_persist(true).max_memtable_size(MEMTABLE_BYTES_MAX);
    Ok(database.keyspace(name, options)?)
}

fn failed(error: std::io::Error) -> Error {
    Error::Failed(error.to_string())
}
