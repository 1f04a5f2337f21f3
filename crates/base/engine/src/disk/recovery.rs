//! Driver: what the log says and the database does not know yet, at the start.
//!
//! Each change is merged with what the database has of the key. That is idempotent, so it does not matter how much of the log had
//! reached the database already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fjall::{Database, Keyspace};
use ringway_ring::Partition;
use ringway_values::{Applied, Register, State, Update};
use tracing::error;

use crate::Error;
use crate::backing::walk;
use crate::register_ref::Seen;
use crate::stored_code::{Note, decode_key, decode_note, decode_state, encode_key, encode_seen, prefix};
use crate::wal::Replayed;

/// How many entries are written to the database at once.
const BATCH_LEN_MAX: usize = 256;

/// What the log brought back of one bucket.
#[derive(Default)]
pub(crate) struct Recovered {
    /// Later than what the database has, by its keys there.
    pub(crate) states: BTreeMap<Vec<u8>, State>,
    /// What the database has of these is out of date, but for `states`.
    pub(crate) dropped: BTreeSet<Partition>,
    /// Of these something could not be brought back: replicas have to be asked.
    pub(crate) suspect: BTreeSet<Partition>,
    /// All partitions are suspect.
    pub(crate) is_everything_suspect: bool,
}

pub(crate) struct Reader {
    cells: Keyspace,
    buckets: BTreeSet<u32>,
    recovered: HashMap<u32, Recovered>,
    failure: Option<Error>,
}

impl Reader {
    pub(crate) fn new(cells: &Keyspace, buckets: BTreeSet<u32>) -> Self {
        Self { cells: cells.clone(), buckets, recovered: HashMap::new(), failure: None }
    }

    pub(crate) fn read(&mut self, record: Replayed<'_>) {
        let bucket = record.bucket;
        // All others are deleted.
        if !self.buckets.contains(&bucket) {
            return;
        }
        let recovered = self.recovered.entry(bucket).or_default();
        let read = match decode_note(record.body) {
            Some(Note::Changed { partition, key, update }) => {
                recovered.change(&self.cells, bucket, partition, key, update)
            }
            Some(Note::PartitionDropped(partition)) => {
                recovered.drop_partition(bucket, partition);
                Ok(())
            }
            None => {
                error!(bucket, position = record.position.0, "log record cannot be understood");
                recovered.is_everything_suspect = true;
                Ok(())
            }
        };
        if let Err(error) = read {
            self.failure.get_or_insert(error);
        }
    }

    pub(crate) fn finish(self) -> Result<HashMap<u32, Arc<Recovered>>, Error> {
        let recovered = self.recovered.into_iter().map(|(bucket, recovered)| (bucket, Arc::new(recovered)));
        self.failure.map_or_else(|| Ok(recovered.collect()), Err)
    }
}

impl std::fmt::Debug for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states, dropped, suspect, .. } = self;
        write!(f, "Recovered({} states, dropped {dropped:?}, suspect {suspect:?})", states.len())
    }
}

impl Recovered {
    /// Brings it into the database; what is left is what is suspect.
    pub(crate) fn store(&self, bucket: u32, database: &Database, cells: &Keyspace) -> Result<Self, Error> {
        for partition in &self.dropped {
            walk(cells, bucket, *partition, 0).try_for_each(|entry| Ok::<_, Error>(cells.remove(entry.key()?)?))?;
        }
        let mut batch = database.batch();
        for (stored_key, state) in &self.states {
            let Some((_, _, key)) = decode_key(stored_key) else { continue };
            batch.insert(cells, &stored_key[..], encode_seen(key, &Seen::State(state)));
            if batch.len() >= BATCH_LEN_MAX {
                std::mem::replace(&mut batch, database.batch()).commit()?;
            }
        }
        batch.commit()?;
        let Self { suspect, is_everything_suspect, .. } = self;
        Ok(Self { suspect: suspect.clone(), is_everything_suspect: *is_everything_suspect, ..Self::default() })
    }

    fn change(
        &mut self,
        cells: &Keyspace,
        bucket: u32,
        partition: Partition,
        key: &[u8],
        update: Update,
    ) -> Result<(), Error> {
        let stored_key = encode_key(bucket, partition, key);
        let mut state = match self.states.remove(&stored_key) {
            Some(state) => state,
            None => self.load(cells, partition, key, &stored_key)?,
        };
        match update {
            Update::State(other) => {
                state.merge(other);
            }
            Update::Delta(delta) => {
                let is_behind = !state.is_unknown() && state.latest() < delta.at;
                // What the database has may be later than the delta and not know what that was based on, as a register does not.
                if state.apply(&delta) == Applied::Gap && is_behind {
                    error!(key = %key.escape_ascii(), "log does not have all of a collection's changes");
                    self.suspect.insert(partition);
                }
            }
        }
        self.states.insert(stored_key, state);
        Ok(())
    }

    fn load(&mut self, cells: &Keyspace, partition: Partition, key: &[u8], stored_key: &[u8]) -> Result<State, Error> {
        let nothing = State::Register(Register::default());
        if self.dropped.contains(&partition) {
            return Ok(nothing);
        }
        let Some(stored) = cells.get(stored_key)? else { return Ok(nothing) };
        Ok(decode_state(key, &stored).unwrap_or_else(|damage| {
            error!(%damage, "damaged value is dropped");
            self.suspect.insert(partition);
            nothing
        }))
    }

    fn drop_partition(&mut self, bucket: u32, partition: Partition) {
        let (first, end) = (prefix(bucket, partition, 0), prefix(bucket, Partition(partition.0 + 1), 0));
        self.states.retain(|stored_key, _| !(&first[..]..&end[..]).contains(&&stored_key[..]));
        self.dropped.insert(partition);
    }
}
