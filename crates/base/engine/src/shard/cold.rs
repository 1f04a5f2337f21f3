//! Core: the shard of a bucket on disk: entries that only the database has, and what it has to be told.
//!
//! Sums and digests are of everything, wherever it is: an entry that is evicted or comes back does not change them. What comes
//! back is what went, or what a batch has brought there since, for dirty entries and those of a batch under way stay in memory.

use ringway_ring::Partition;
use ringway_values::State;

use super::Shard;
use crate::Error;
use crate::account::{Measure, Sums};
use crate::backing::Cold;
use crate::entry::Entry;
use crate::handle::{Handle, partition_at};
use crate::slot::Slot;
use crate::stored_code::{encode_key, encode_seen};
use crate::table::Place;
use crate::tracks::Tracks;

/// What goes into the database at once: keys there with values, or without: to be removed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// How many of [`Shard::dirty_len`] were looked at.
    pub(crate) handles: usize,
    pub(crate) puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) removals: Vec<Box<[u8]>>,
}

impl Shard {
    /// It is one of a bucket on disk.
    pub(crate) fn track(&mut self, bucket: u32) {
        self.tracks = Some(Box::new(Tracks::new(bucket)));
    }

    pub(crate) fn partition(&self, local: usize) -> Partition {
        partition_at(self.number, local)
    }

    pub(crate) fn has(&self, local: usize, key: &[u8]) -> bool {
        self.parts[local].table.find(key, self.seed.spread(key)).is_some()
    }

    /// Whether the database has to be asked for a key.
    pub(crate) fn may_be_cold(&self, local: usize, key: &[u8]) -> bool {
        let Some(tracks) = &self.tracks else { return false };
        let gone = || tracks.gone.contains(encode_key(tracks.bucket, self.partition(local), key).as_slice());
        tracks.cold[local] > 0 && !self.has(local, key) && (tracks.gone.is_empty() || !gone())
    }

    pub(crate) fn cold_count(&self, local: usize) -> usize {
        self.tracks.as_ref().map_or(0, |tracks| tracks.cold[local])
    }

    /// Takes in what the database has of a key that [`Shard::may_be_cold`].
    pub(crate) fn warm(&mut self, local: usize, key: &[u8], state: State) {
        let measure = self.load(local, key, state);
        self.account.note_cold(self.number, self.fifo.bytes(), -(measure.bytes as i64));
        let Some(tracks) = &mut self.tracks else { return };
        tracks.cold[local] = tracks.cold[local].saturating_sub(1);
    }

    /// When the bucket is opened: the database has this.
    pub(crate) fn count_in(&mut self, local: usize, key: &[u8], state: State, stays_cold: bool) {
        let measure = if stays_cold { self.measure(key, state) } else { self.load(local, key, state) };
        self.parts[local].sums.add(&measure);
        self.account.note(self.number, self.fifo.bytes(), measure.bytes as i64, measure.is_key.into());
        if stays_cold {
            self.note_cold(local, &measure);
        }
    }

    /// When an entry that is not in memory is due next, at the earliest.
    pub(crate) fn cold_due(&self, local: usize) -> u64 {
        self.tracks.as_ref().map_or(u64::MAX, |tracks| tracks.cold_due[local])
    }

    pub(crate) fn set_cold_due(&mut self, local: usize, due_ms: u64) {
        if let Some(tracks) = &mut self.tracks {
            tracks.cold_due[local] = due_ms;
        }
    }

    /// The database has something under this key that is not to be believed.
    pub(crate) fn distrust(&mut self, stored_key: &[u8]) {
        if let Some(tracks) = &mut self.tracks {
            tracks.gone.insert(stored_key.into());
        }
    }

    /// A partition's sums anew, from what is in memory and what the database has of the rest.
    pub(crate) fn recount<'a>(&mut self, local: usize, cold: impl Iterator<Item = &'a (Cold, Result<State, Error>)>) {
        let mut sums = Sums::default();
        let mut count = 0;
        for slot in self.parts[local].table.slots() {
            sums.add(&Measure::of(slot.entry(), self.retention_ms));
        }
        for (cold, state) in cold {
            match state {
                _ if self.has(local, cold.key()) || self.is_gone(&cold.stored_key) => {}
                Ok(state) => {
                    sums.add(&self.measure(cold.key(), state.clone()));
                    count += 1;
                }
                Err(_) => self.distrust(&cold.stored_key),
            }
        }
        let before = std::mem::replace(&mut self.parts[local].sums, sums);
        let keys = i64::from(sums.keys) - i64::from(before.keys);
        self.account.note(self.number, self.fifo.bytes(), 0, keys);
        if let Some(tracks) = &mut self.tracks {
            tracks.cold[local] = count;
        }
    }

    pub(crate) fn is_gone(&self, stored_key: &[u8]) -> bool {
        self.tracks.as_ref().is_some_and(|tracks| tracks.gone.contains(stored_key))
    }

    /// How much there is for [`Shard::take_dirty`]: handles of entries, and keys that are gone.
    pub(crate) fn dirty_len(&self) -> (usize, usize) {
        self.tracks.as_ref().map_or((0, 0), |tracks| (tracks.dirty.len(), tracks.gone.len()))
    }

    /// Some of what the database has to be told, the oldest first. Followed by [`Shard::landed`] or [`Shard::bounced`].
    pub(crate) fn take_dirty(&mut self, len_max: usize, bytes_max: usize) -> Batch {
        let mut batch = Batch::default();
        let Some(mut tracks) = self.tracks.take() else { return batch };
        tracks.gone_in_flight = tracks.gone.iter().take(len_max).cloned().collect();
        batch.removals.clone_from(&tracks.gone_in_flight);
        let mut bytes = 0;
        while batch.puts.len() < len_max && bytes < bytes_max {
            let Some(handle) = tracks.dirty.pop_front() else { break };
            batch.handles += 1;
            self.take_dirty_at(handle, &mut tracks, |key, stored| {
                bytes += key.len() + stored.len();
                batch.puts.push((key, stored));
            });
        }
        self.tracks = Some(tracks);
        batch
    }

    /// The batch is in the database.
    pub(crate) fn landed(&mut self) {
        let Some(tracks) = &mut self.tracks else { return };
        tracks.in_flight.clear();
        for stored_key in tracks.gone_in_flight.drain(..) {
            tracks.gone.remove(&stored_key);
        }
    }

    /// The batch is not in the database: it is all as dirty as before.
    pub(crate) fn bounced(&mut self) {
        let Some(tracks) = &mut self.tracks else { return };
        tracks.gone_in_flight.clear();
        for handle in std::mem::take(&mut tracks.in_flight) {
            // Perhaps also another entry that the handle may mean: it does no harm.
            let is_clean = |slot: Slot| !slot.is_dirty();
            while let Some(place) = self.parts[handle.local()].table.find_by(handle.region(), handle.spread(), is_clean)
            {
                self.note_change(handle.local(), place);
            }
        }
    }

    /// Partitions of which the database still has what was dropped.
    pub(crate) fn dropping(&self) -> impl Iterator<Item = usize> + use<> {
        let bits = self.tracks.as_ref().map_or(0, |tracks| tracks.dropping);
        (0..u64::BITS as usize).filter(move |local| bits >> local & 1 == 1)
    }

    pub(crate) fn end_drop(&mut self, local: usize) {
        if let Some(tracks) = &mut self.tracks {
            tracks.end_drop(local);
        }
    }

    /// What is in the database of a partition is out of date, all of it.
    pub(crate) fn begin_drop(&mut self, local: usize) {
        if let Some(tracks) = &mut self.tracks {
            tracks.begin_drop(local);
        }
    }

    /// Before all that is in memory of a partition goes.
    pub(super) fn drop_cold(&mut self, local: usize) {
        if self.tracks.is_none() {
            return;
        }
        let retention_ms = self.retention_ms;
        let warm: u64 = self.parts[local].table.slots().map(|slot| Measure::of(slot.entry(), retention_ms).bytes).sum();
        let cold = self.parts[local].sums.bytes as i64 - warm as i64;
        // What is dropped next is taken off what is in memory: all that the sums say.
        self.account.note_cold(self.number, self.fifo.bytes(), -cold);
        self.begin_drop(local);
    }

    /// An entry has come that was not there.
    pub(super) fn note_new(&mut self, local: usize, key: &[u8], spread: u32) {
        let partition = self.partition(local);
        let Some(tracks) = &mut self.tracks else { return };
        if !tracks.gone.is_empty() {
            // The database is not to forget it after it has been told.
            tracks.gone.remove(encode_key(tracks.bucket, partition, key).as_slice());
        }
        if let Some(place) = self.parts[local].table.find(key, spread) {
            self.note_change(local, place);
        }
    }

    /// An entry is not what the database has.
    pub(super) fn note_change(&mut self, local: usize, place: Place) {
        let mut slot = self.parts[local].table.slot(place);
        if slot.is_dirty() {
            return;
        }
        slot.set_dirty(true);
        self.parts[local].table.set_slot(place, slot);
        let entry = slot.entry();
        let handle = self.handle_of(local, entry.key());
        if let Some(tracks) = &mut self.tracks {
            tracks.dirty.push_back(handle);
        }
    }

    /// Nobody has to remember the entry any more, the database neither.
    pub(super) fn note_gone(&mut self, local: usize, slot: Slot) {
        if let Some(tracks) = &self.tracks {
            self.distrust(&encode_key(tracks.bucket, self.partition(local), slot.entry().key()));
        }
    }

    pub(super) fn evict(&mut self, local: usize, place: Place) {
        if self.tracks.is_none() {
            return self.remove(local, place);
        }
        let measure = self.take_out(local, place);
        self.note_cold(local, &measure);
    }

    fn note_cold(&mut self, local: usize, measure: &Measure) {
        self.account.note_cold(self.number, self.fifo.bytes(), measure.bytes as i64);
        let Some(tracks) = &mut self.tracks else { return };
        tracks.cold[local] += 1;
        tracks.note_cold(local, measure.due_ms);
    }

    fn take_dirty_at(&mut self, handle: Handle, tracks: &mut Tracks, mut each: impl FnMut(Vec<u8>, Vec<u8>)) {
        let local = handle.local();
        while let Some(place) =
            self.parts[local].table.find_by(handle.region(), handle.spread(), |slot| slot.is_dirty())
        {
            let mut slot = self.parts[local].table.slot(place);
            slot.set_dirty(false);
            self.parts[local].table.set_slot(place, slot);
            let entry = slot.entry();
            tracks.in_flight.push(self.handle_of(local, entry.key()));
            each(
                encode_key(tracks.bucket, self.partition(local), entry.key()),
                encode_seen(entry.key(), &entry.seen()),
            );
        }
    }

    /// Into memory; what the sums say of it is the caller's.
    fn load(&mut self, local: usize, key: &[u8], state: State) -> Measure {
        let content = self.content_of(state);
        self.take_in(local, key, self.seed.spread(key), content)
    }

    /// What an entry would measure in memory.
    fn measure(&mut self, key: &[u8], state: State) -> Measure {
        let entry = Entry::new(key, self.content_of(state));
        let measure = Measure::of(entry, self.retention_ms);
        // SAFETY: it is in no table, and nobody else has seen it.
        unsafe { entry.free() }
        measure
    }
}
