//! Driver: the consensus group's log, vote and snapshot in one redb file, durable before anything is acknowledged.
//!
//! redb is synchronous and syncs on every commit, so all work on it is done on blocking threads, one piece after the other. The
//! control log sees a few changes a minute: simple beats fast here.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::types::{Entry, LogId, Snapshot, SnapshotMeta, Types, Vote};
use crate::error::Error;

const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";
const SNAPSHOT_META: &str = "snapshot-meta";
const SNAPSHOT: &str = "snapshot";

/// Entries that are read at once for replication: together below the limit of a message.
const READ_BYTES_MAX: usize = 4 << 20;
const CACHE_BYTES: usize = 4 << 20;
const LOCK_WITHIN: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Cheap to clone; all clones are one file.
#[derive(Clone)]
pub struct Disk {
    database: Arc<Database>,
}

impl Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// If another process has the file, it may be the predecessor on its way out: it is given a moment.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let damaged = |e: &dyn std::fmt::Display| Error::Damaged { path: path.to_owned(), why: e.to_string() };
        let deadline = tokio::time::Instant::now() + LOCK_WITHIN;
        let database = loop {
            match create(path) {
                Err(redb::DatabaseError::DatabaseAlreadyOpen) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(redb::DatabaseError::DatabaseAlreadyOpen) => return Err(Error::InUse(path.to_owned())),
                opened => break opened.map_err(|e| damaged(&e))?,
            }
        };
        let disk = Self { database: Arc::new(database) };
        // So that readers find the tables.
        disk.write_now(|_, _| Ok(())).map_err(|e| damaged(&e))?;
        Ok(disk)
    }

    async fn write<F>(&self, work: F) -> io::Result<()>
    where
        F: FnOnce(
                &mut redb::Table<'_, u64, &'static [u8]>,
                &mut redb::Table<'_, &'static str, &'static [u8]>,
            ) -> Result<(), redb::Error>
            + Send
            + 'static,
    {
        let disk = self.clone();
        blocking(move || disk.write_now(work)).await
    }

    /// One transaction, synced when this returns (redb's default durability).
    fn write_now<F>(&self, work: F) -> io::Result<()>
    where
        F: FnOnce(
            &mut redb::Table<'_, u64, &'static [u8]>,
            &mut redb::Table<'_, &'static str, &'static [u8]>,
        ) -> Result<(), redb::Error>,
    {
        let transaction = self.database.begin_write().map_err(io::Error::other)?;
        {
            let mut log = transaction.open_table(LOG).map_err(io::Error::other)?;
            let mut meta = transaction.open_table(META).map_err(io::Error::other)?;
            work(&mut log, &mut meta).map_err(io::Error::other)?;
        }
        transaction.commit().map_err(io::Error::other)
    }

    async fn put(&self, name: &'static str, value: &impl Serialize) -> io::Result<()> {
        let bytes = to_json(value)?;
        self.write(move |_, meta| Ok(meta.insert(name, bytes.as_slice()).map(|_| ())?)).await
    }

    async fn get<T: DeserializeOwned + Send + 'static>(&self, name: &'static str) -> io::Result<Option<T>> {
        self.get_bytes(name).await?.map(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)).transpose()
    }

    async fn get_bytes(&self, name: &'static str) -> io::Result<Option<Vec<u8>>> {
        let disk = self.clone();
        blocking(move || {
            let meta =
                disk.database.begin_read().map_err(io::Error::other)?.open_table(META).map_err(io::Error::other)?;
            let found = meta.get(name).map_err(io::Error::other)?;
            Ok(found.map(|bytes| bytes.value().to_vec()))
        })
        .await
    }

    /// Entries of `range` in order, all of them or as many as fit in `bytes_max` (but one at least).
    async fn entries(&self, range: impl RangeBounds<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let disk = self.clone();
        blocking(move || {
            let log =
                disk.database.begin_read().map_err(io::Error::other)?.open_table(LOG).map_err(io::Error::other)?;
            let (mut entries, mut len) = (Vec::new(), 0);
            for row in log.range::<u64>(range).map_err(io::Error::other)? {
                let (_, bytes) = row.map_err(io::Error::other)?;
                len += bytes.value().len();
                if len > bytes_max && !entries.is_empty() {
                    break;
                }
                entries.push(serde_json::from_slice(bytes.value()).map_err(io::Error::other)?);
            }
            Ok(entries)
        })
        .await
    }

    async fn last_entry(&self) -> io::Result<Option<Entry>> {
        let disk = self.clone();
        blocking(move || {
            let log =
                disk.database.begin_read().map_err(io::Error::other)?.open_table(LOG).map_err(io::Error::other)?;
            let last = log.last().map_err(io::Error::other)?;
            last.map(|(_, bytes)| serde_json::from_slice(bytes.value()).map_err(io::Error::other)).transpose()
        })
        .await
    }

    /// In place of the one before.
    pub async fn save_snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        let (meta_json, bytes) = (to_json(&snapshot.meta)?, snapshot.snapshot.clone());
        self.write(move |_, meta| {
            meta.insert(SNAPSHOT_META, meta_json.as_slice())?;
            meta.insert(SNAPSHOT, bytes.as_ref())?;
            Ok(())
        })
        .await
    }

    pub async fn load_snapshot(&self) -> io::Result<Option<Snapshot>> {
        let Some(meta) = self.get::<SnapshotMeta>(SNAPSHOT_META).await? else { return Ok(None) };
        let Some(bytes) = self.get_bytes(SNAPSHOT).await? else { return Ok(None) };
        Ok(Some(Snapshot { meta, snapshot: Bytes::from(bytes) }))
    }
}

fn create(path: &Path) -> Result<Database, redb::DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn to_json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::other)
}

#[derive(Clone, Debug)]
pub struct LogStore {
    disk: Disk,
}

impl LogStore {
    pub fn new(disk: Disk) -> Self {
        Self { disk }
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, io::Error>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.disk.entries(range, usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.disk.entries(start..end, READ_BYTES_MAX).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        self.disk.get(VOTE).await
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let purged: Option<LogId> = self.disk.get(PURGED).await?;
        let last = self.disk.last_entry().await?.map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: purged, last_log_id: last.or(purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.disk.put(VOTE, vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.disk.put(COMMITTED, &committed).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.disk.get::<Option<LogId>>(COMMITTED).await?.flatten())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let rows: Vec<(u64, Vec<u8>)> =
            entries.into_iter().map(|entry| Ok((entry.log_id.index, to_json(&entry)?))).collect::<io::Result<_>>()?;
        self.disk
            .write(move |log, _| {
                for (index, bytes) in &rows {
                    log.insert(index, bytes.as_slice())?;
                }
                Ok(())
            })
            .await?;
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index + 1);
        self.disk.write(move |log, _| Ok(log.retain_in(from.., |_, _| false)?)).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let bytes = to_json(&upto)?;
        self.disk
            .write(move |log, meta| {
                meta.insert(PURGED, bytes.as_slice())?;
                Ok(log.retain_in(..=upto.index, |_, _| false)?)
            })
            .await
    }
}

#[cfg(test)]
mod tests;
