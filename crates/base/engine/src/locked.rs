//! Driver: one partition of a bucket, locked.
//!
//! Everything here happens at once for others. What a write brings the bucket above its limit is evicted: a little at once, from
//! the same shard, and the rest after the lock is gone, so that nobody ever holds two.

use std::sync::MutexGuard;

use ringway_causality::Version;
use ringway_ring::Partition;
use ringway_values::{Applied, Delta, State, Update};

use crate::Error;
use crate::backing::Table;
use crate::bucket_store::BucketStore;
use crate::entry::KEY_LEN_MAX;
use crate::handle::{Handle, shard_of};
use crate::register_ref::{RegisterRef, Seen};
use crate::shard::{Shard, Step};
use crate::stored_code::Change;
use crate::tally::Uses;

/// How many entries a write looks at to make room while it has the lock.
const OWN_STEPS_MAX: usize = 32;

#[derive(Debug)]
pub struct Locked<'a> {
    // Dropped in this order: the lock first.
    shard: MutexGuard<'a, Shard>,
    relief: Relief<'a>,
    partition: Partition,
    /// The partition's number in its shard.
    local: usize,
}

/// Makes room when the lock is gone.
#[derive(Debug)]
struct Relief<'a> {
    store: &'a BucketStore,
    /// What was written last, if that was too much: not to be evicted itself.
    written: Option<(Partition, Handle)>,
}

impl<'a> Locked<'a> {
    pub(crate) fn new(store: &'a BucketStore, shard: MutexGuard<'a, Shard>, partition: Partition) -> Self {
        Self { shard, relief: Relief { store, written: None }, partition, local: shard_of(partition).1 }
    }

    /// For whoever runs commands to count them in.
    #[inline]
    pub fn uses(&mut self) -> &mut Uses {
        &mut self.shard.uses
    }

    /// What is stored, if anything: a tombstone or something expired, too. Counts as a use.
    #[inline]
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Seen<'_>>, Error> {
        self.fetch(key)?;
        Ok(self.shard.get(self.local, key))
    }

    /// Like [`Locked::get`], but no use.
    pub fn peek(&mut self, key: &[u8]) -> Result<Option<Seen<'_>>, Error> {
        self.fetch(key)?;
        Ok(self.shard.peek(self.local, key))
    }

    /// A copy, for replication.
    pub fn state(&mut self, key: &[u8]) -> Result<Option<State>, Error> {
        Ok(self.peek(key)?.map(|seen| seen.to_state()))
    }

    /// Overwrites whatever is there. `make` is given the greatest version in that, and has to give a later one.
    #[inline]
    pub fn put<'v>(&mut self, key: &[u8], make: impl FnOnce(Option<Version>) -> RegisterRef<'v>) -> Result<(), Error> {
        check_key(key)?;
        if self.relief.store.is_on_disk() {
            return self.put_on_disk(key, make);
        }
        self.shard.put(self.local, key, make);
        self.make_room(key);
        Ok(())
    }

    /// Changes what is stored, and says what others are to be told. A missing key is a tombstone of version 0 to `change`, and
    /// stays missing if it is left so. Sums, digest and due time follow, even if `change` panics.
    pub fn edit<R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut State) -> (Option<Update>, R),
    ) -> Result<(Option<Update>, R), Error> {
        check_key(key)?;
        self.prepare(key)?;
        let result = self.shard.edit(self.local, key, change);
        self.make_room(key);
        match &result.0 {
            Some(Update::State(state)) => self.note(key, Change::State(state))?,
            Some(Update::Delta(delta)) => self.note(key, Change::Delta(delta))?,
            None => {}
        }
        Ok(result)
    }

    /// Takes another replica's state. Whether it changed anything.
    pub fn merge(&mut self, key: &[u8], state: State) -> Result<bool, Error> {
        check_key(key)?;
        self.relief.store.admit(key.len() + state.heap_bytes())?;
        self.prepare(key)?;
        let changed = self.shard.merge(self.local, key, state);
        self.make_room(key);
        if changed {
            self.note_whole(key)?;
        }
        Ok(changed)
    }

    /// Takes another replica's change.
    pub fn apply(&mut self, key: &[u8], delta: &Delta) -> Result<Applied, Error> {
        check_key(key)?;
        self.prepare(key)?;
        let applied = self.shard.apply(self.local, key, delta);
        self.make_room(key);
        if applied == Applied::Changed {
            self.note(key, Change::Delta(delta))?;
        }
        Ok(applied)
    }

    /// What the log brought back at the start: not noted again.
    pub(crate) fn restore(&mut self, key: &[u8], state: State) -> Result<(), Error> {
        self.fetch(key)?;
        self.shard.edit(self.local, key, |own| *own = state);
        self.make_room(key);
        Ok(())
    }

    /// Noted before it is done: what the log does not take does not happen.
    fn put_on_disk<'v>(
        &mut self,
        key: &[u8],
        make: impl FnOnce(Option<Version>) -> RegisterRef<'v>,
    ) -> Result<(), Error> {
        self.fetch(key)?;
        let latest = self.shard.peek(self.local, key).map(|seen| seen.latest());
        let register = make(latest);
        if let Some(backing) = self.relief.store.backing() {
            backing.check(key, register.value.as_ref().map_or(0, |value| value.as_slice().len()))?;
            backing.note(self.partition, key, Change::Register(&register))?;
        }
        self.shard.put(self.local, key, |_| register);
        self.make_room(key);
        Ok(())
    }

    /// Brings the key into memory if it is on disk only, which waits for the disk. See [`BucketStore::is_at_hand`].
    #[inline]
    fn fetch(&mut self, key: &[u8]) -> Result<(), Error> {
        match self.relief.store.backing() {
            Some(backing) if self.shard.may_be_cold(self.local, key) => self.load(key, &backing.table),
            _ => Ok(()),
        }
    }

    #[cold]
    fn load(&mut self, key: &[u8], table: &Table) -> Result<(), Error> {
        if let Some(state) = table.load(self.partition, key)? {
            self.shard.warm(self.local, key, state);
            self.make_room(key);
        }
        Ok(())
    }

    /// Before a change of unknown size.
    fn prepare(&mut self, key: &[u8]) -> Result<(), Error> {
        let Some(backing) = self.relief.store.backing() else { return Ok(()) };
        backing.check(key, 0)?;
        self.fetch(key)
    }

    /// Notes a change that was made. If that fails it may or may not survive, and nobody has been told that it does.
    fn note(&self, key: &[u8], change: Change<'_>) -> Result<(), Error> {
        self.relief.store.backing().map_or(Ok(()), |backing| backing.note(self.partition, key, change))
    }

    fn note_whole(&self, key: &[u8]) -> Result<(), Error> {
        let Some(backing) = self.relief.store.backing() else { return Ok(()) };
        let seen = self.shard.peek(self.local, key);
        seen.map_or(Ok(()), |seen| backing.note(self.partition, key, Change::Seen(&seen)))
    }

    #[inline]
    fn make_room(&mut self, key: &[u8]) {
        if self.relief.store.account().is_over() {
            self.evict(key);
        }
    }

    #[cold]
    fn evict(&mut self, key: &[u8]) {
        let account = self.relief.store.account();
        let written = self.shard.handle_of(self.local, key);
        self.relief.written = Some((self.partition, written));
        if self.relief.store.is_others_turn() {
            return;
        }
        for _ in 0..OWN_STEPS_MAX {
            if !account.is_over() {
                self.relief.written = None;
                return;
            }
            if self.shard.evict_one(Some(written)) == Step::Empty {
                return;
            }
        }
    }
}

fn check_key(key: &[u8]) -> Result<(), Error> {
    if key.len() > KEY_LEN_MAX {
        return Err(Error::KeyTooLong { len: key.len() });
    }
    Ok(())
}

impl Drop for Relief<'_> {
    fn drop(&mut self) {
        if self.written.is_some() {
            self.store.make_room(self.written);
        }
    }
}
