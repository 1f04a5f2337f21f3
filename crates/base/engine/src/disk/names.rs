//! Driver: which buckets the database has, and their numbers.
//!
//! All buckets share one keyspace, told apart by the number that their keys begin with; a number is never given out twice. A keyspace
//! for each was tried: fjall 3.1 gives the number of a deleted one to a new one after a restart, and may then not find the new
//! one again at the start after that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fjall::{Database, Keyspace, PersistMode, UserKey};

use crate::Error;
use crate::wal::BUCKET_MAX;

/// Nobody's name begins with this.
const NEXT: &[u8] = b"\0next";
const DEAD: &[u8] = b"\0dead";
const LATEST: &[u8] = b"\0latest";

pub(crate) struct Names {
    database: Database,
    keyspace: Keyspace,
    /// Of the lists of buckets that this run was told of, the latest.
    latest: AtomicU64,
    /// Held while something is changed.
    lock: Mutex<()>,
}

impl Names {
    pub(crate) fn new(database: Database, keyspace: Keyspace) -> Self {
        Self { database, keyspace, latest: AtomicU64::new(0), lock: Mutex::new(()) }
    }

    /// Names that are asked for from now on are in the list of buckets of this revision, or in an earlier one.
    pub(crate) fn note_revision(&self, revision: u64) {
        self.latest.fetch_max(revision, Ordering::Relaxed);
    }

    /// The number of the bucket `name`, a new one if there is none. On disk when this returns.
    pub(crate) fn number_of(&self, name: &str) -> Result<u32, Error> {
        let _lock = self.lock();
        if let Some(number) = self.get(name.as_bytes())? {
            return Ok(number);
        }
        let number = self.get(NEXT)?.unwrap_or(0);
        if number > BUCKET_MAX {
            return Err(Error::Failed(format!("the database has given out {number} numbers for buckets")));
        }
        let mut batch = self.database.batch();
        batch.insert(&self.keyspace, name.as_bytes(), number.to_le_bytes());
        batch.insert(&self.keyspace, NEXT, (number + 1).to_le_bytes());
        let latest = self.latest.load(Ordering::Relaxed).max(self.latest_stored()?.unwrap_or(0));
        batch.insert(&self.keyspace, LATEST, latest.to_le_bytes());
        batch.commit()?;
        self.database.persist(PersistMode::SyncAll)?;
        Ok(number)
    }

    /// The bucket is not there any more; its entries are dead. On disk when this returns.
    pub(crate) fn remove(&self, name: &str, number: u32) -> Result<(), Error> {
        let _lock = self.lock();
        self.remove_locked(name.as_bytes(), number)
    }

    /// Removes all that are `gone` in the list of buckets of this revision; their numbers. None if a later list was known when the
    /// last new name was given out: what is not in this one may be in that one. On disk when this returns.
    pub(crate) fn remove_gone(&self, revision: u64, gone: impl Fn(&str, u32) -> bool) -> Result<Vec<u32>, Error> {
        let _lock = self.lock();
        if self.latest_stored()?.is_none_or(|latest| revision < latest) {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        for (name, number) in self.all()? {
            if std::str::from_utf8(&name).is_ok_and(|name| gone(name, number)) {
                self.remove_locked(&name, number)?;
                removed.push(number);
            }
        }
        Ok(removed)
    }

    /// Numbers of the buckets that are there.
    pub(crate) fn numbers(&self) -> Result<BTreeSet<u32>, Error> {
        Ok(self.all()?.into_iter().map(|(_, number)| number).collect())
    }

    /// Numbers of buckets whose entries are still to be removed.
    pub(crate) fn dead(&self) -> Result<Vec<u32>, Error> {
        self.keyspace.prefix(DEAD).map(|entry| number_in(&entry.value()?)).collect()
    }

    /// They are removed.
    pub(crate) fn bury(&self, number: u32) -> Result<(), Error> {
        Ok(self.keyspace.remove([DEAD, &number.to_le_bytes()].concat())?)
    }

    fn all(&self) -> Result<Vec<(UserKey, u32)>, Error> {
        let mut all = Vec::new();
        for entry in self.keyspace.iter() {
            let (name, number) = entry.into_inner()?;
            if !name.starts_with(b"\0") {
                all.push((name, number_in(&number)?));
            }
        }
        Ok(all)
    }

    fn remove_locked(&self, name: &[u8], number: u32) -> Result<(), Error> {
        let mut batch = self.database.batch();
        batch.remove(&self.keyspace, name);
        batch.insert(&self.keyspace, [DEAD, &number.to_le_bytes()].concat(), number.to_le_bytes());
        batch.commit()?;
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// The latest revision that was known when a new name was given out.
    fn latest_stored(&self) -> Result<Option<u64>, Error> {
        let Some(stored) = self.keyspace.get(LATEST)? else { return Ok(None) };
        let bytes = (&*stored).try_into().map_err(|_| Error::Damaged("revision of the names of buckets".to_owned()))?;
        Ok(Some(u64::from_le_bytes(bytes)))
    }

    fn get(&self, key: &[u8]) -> Result<Option<u32>, Error> {
        self.keyspace.get(key)?.map(|number| number_in(&number)).transpose()
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number_in(bytes: &[u8]) -> Result<u32, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::Damaged("number of a bucket".to_owned()))?;
    Ok(u32::from_le_bytes(bytes))
}
