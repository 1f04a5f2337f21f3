//! Core: a share of a bucket's partitions, under one lock: tables, queues, due times and sums that agree with each other.
//!
//! Everything that changes an entry ends in [`Shard::settle`], so that the sums cannot be forgotten.

mod cold;

use std::collections::HashSet;
use std::sync::Arc;

use ringway_causality::Version;
use ringway_values::{Applied, Delta, Register, State};

use crate::account::{Account, Measure, Sums, has_value};
use crate::due::Due;
use crate::entry::{Content, Entry};
use crate::handle::{Handle, SHARD_PARTITIONS, Seed, partition_at, region_of, region_of_position};
use crate::line::Lines;
use crate::node_index::NodeNumbers;
use crate::page::position_of;
use crate::range_digests::RangeDigests;
use crate::readers::Retired;
use crate::register_ref::{RegisterRef, Seen, Value};
use crate::s3_fifo::S3Fifo;
use crate::slot::Slot;
use crate::table::{Place, Table, free_all};
use crate::tally::{Swept, Uses};
use crate::tracks::Tracks;

/// How often something in the small queue must have been used to stay.
const USES_TO_STAY: u64 = 2;
/// When a tombstone that others may still need is looked at again.
const FORGET_RETRY_MS: u64 = 30_000;
/// Evictions are counted in lots.
const EVICTED_LOT: u64 = 256;

/// What even a read changes is in front, beside the lock: one cache line that goes from core to core.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shard {
    pub(crate) uses: Uses,
    number: usize,
    parts: Box<[Part]>,
    fifo: S3Fifo,
    due: Due,
    /// What due times were reckoned with.
    retention_ms: u64,
    seed: Seed,
    nodes: NodeNumbers,
    retired: Retired,
    account: Arc<Account>,
    evicted: u64,
    /// If the bucket is on disk.
    tracks: Option<Box<Tracks>>,
}

/// One partition, in one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Part {
    table: Table,
    sums: Sums,
}

const _: () = assert!(size_of::<Part>() == 64);

/// How an attempt to evict one entry went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Evicted,
    /// It stays for now, or was not there any more. That does not happen forever.
    Passed,
    /// It must not go.
    Kept,
    /// There is nothing.
    Empty,
}

impl Shard {
    pub(crate) fn new(number: usize, seed: Seed, account: Arc<Account>) -> Self {
        Self {
            number,
            parts: std::iter::repeat_with(Part::default).take(SHARD_PARTITIONS).collect(),
            fifo: S3Fifo::new(),
            due: Due::default(),
            retention_ms: account.retention_ms(),
            seed,
            nodes: NodeNumbers::new(),
            retired: Retired::default(),
            account,
            evicted: 0,
            tracks: None,
            uses: Uses::default(),
        }
    }

    /// Counts as a use.
    #[inline]
    pub(crate) fn get(&mut self, local: usize, key: &[u8]) -> Option<Seen<'_>> {
        let spread = self.seed.spread(key);
        let table = &mut self.parts[local].table;
        let place = table.find(key, spread)?;
        let mut slot = table.slot(place);
        if slot.note_use() {
            table.set_slot(place, slot);
        }
        Some(slot.entry().seen())
    }

    pub(crate) fn peek(&self, local: usize, key: &[u8]) -> Option<Seen<'_>> {
        let table = &self.parts[local].table;
        Some(table.slot(table.find(key, self.seed.spread(key))?).entry().seen())
    }

    /// Overwrites whatever is there; `make` is given the greatest version in that.
    #[inline]
    pub(crate) fn put<'a>(&mut self, local: usize, key: &[u8], make: impl FnOnce(Option<Version>) -> RegisterRef<'a>) {
        let spread = self.seed.spread(key);
        let place = self.parts[local].table.find(key, spread);
        let latest = place.map(|place| self.parts[local].table.slot(place).entry().seen().latest());
        let content = self.content_of_register(make(latest));
        self.store_at(local, key, spread, place, content);
    }

    /// A missing key is a tombstone of version 0 to `change`, and stays missing if it leaves it so.
    pub(crate) fn edit<R>(&mut self, local: usize, key: &[u8], change: impl FnOnce(&mut State) -> R) -> R {
        let spread = self.seed.spread(key);
        let place = self.parts[local].table.find(key, spread);
        if let Some(place) = place
            && self.parts[local].table.slot(place).entry().is_state()
        {
            return self.edit_in_place(local, key, place, change);
        }
        let before = match place {
            Some(place) => self.parts[local].table.slot(place).entry().seen().to_state(),
            None => State::default(),
        };
        let mut after = before.clone();
        let result = change(&mut after);
        after.settle();
        if !is_same_register(&before, &after) {
            let content = self.content_of(after);
            self.store_at(local, key, spread, place, content);
        }
        result
    }

    /// Whether it changed anything.
    pub(crate) fn merge(&mut self, local: usize, key: &[u8], state: State) -> bool {
        let State::Register(register) = state else {
            return self.edit(local, key, |own| own.merge(state));
        };
        let spread = self.seed.spread(key);
        let place = self.parts[local].table.find(key, spread);
        let own = place.map(|place| self.parts[local].table.slot(place).entry());
        match own.map(Entry::register_version) {
            Some(None) => self.edit(local, key, |own| own.merge(State::Register(register))),
            Some(Some(version)) if version >= register.version => false,
            None if register.version == Version::default() => false,
            _ => {
                let content = self.content_of(State::Register(register));
                self.store_at(local, key, spread, place, content);
                true
            }
        }
    }

    pub(crate) fn apply(&mut self, local: usize, key: &[u8], delta: &Delta) -> Applied {
        self.edit(local, key, |own| own.apply(delta))
    }

    pub(crate) fn sums(&self, local: usize) -> Sums {
        self.parts[local].sums
    }

    pub(crate) fn table(&self, local: usize) -> &Table {
        &self.parts[local].table
    }

    /// Adds the entries of the segment that has a region, without those before it. The first region that is not in it.
    pub(crate) fn add_digests(&self, local: usize, region: usize, digests: &mut RangeDigests) -> Option<usize> {
        let (slots, next) = self.parts[local].table.slots_at(region);
        for slot in slots {
            let entry = slot.entry();
            let position = position_of(entry.key());
            if region_of_position(position) >= region {
                digests.add(position, Measure::of(entry, self.retention_ms).digest);
            }
        }
        next
    }

    pub(crate) fn handle_of(&self, local: usize, key: &[u8]) -> Handle {
        Handle::new(local, region_of(key), self.seed.spread(key))
    }

    /// Looks at one entry in the order of eviction; `spared` is not to go.
    pub(crate) fn evict_one(&mut self, spared: Option<Handle>) -> Step {
        let Some((handle, main)) = self.fifo.next() else { return Step::Empty };
        let table = &mut self.parts[handle.local()].table;
        let Some(place) = table.find_by(handle.region(), handle.spread(), |slot| slot.is_main() == main) else {
            return Step::Passed;
        };
        let mut slot = table.slot(place);
        let is_held = || self.tracks.as_ref().is_some_and(|tracks| tracks.holds(handle));
        if slot.is_dirty() || spared == Some(handle) || is_held() {
            self.fifo.keep(handle, main);
            return Step::Kept;
        }
        match (main, slot.uses()) {
            (true, 1..) => {
                slot.set_uses(slot.uses() - 1);
                table.set_slot(place, slot);
                self.fifo.requeue(handle, main);
                Step::Passed
            }
            (false, USES_TO_STAY..) => {
                slot.set_uses(0);
                slot.set_main(true);
                table.set_slot(place, slot);
                let bytes = Measure::of(slot.entry(), self.retention_ms).bytes;
                self.fifo.leave(bytes, false);
                self.fifo.enter(handle, bytes, true);
                Step::Passed
            }
            _ => {
                self.evict(handle.local(), place);
                if !main {
                    self.fifo.remember(handle);
                }
                self.count_eviction();
                Step::Evicted
            }
        }
    }

    /// Buries and forgets what is due; looks at no more than `budget`. Whether it is done.
    pub(crate) fn sweep(
        &mut self,
        now_ms: u64,
        mut budget: usize,
        may_forget: &dyn Fn(usize) -> bool,
    ) -> (Swept, bool) {
        if self.retention_ms != self.account.retention_ms() {
            self.retention_ms = self.account.retention_ms();
            self.reckon_due();
        }
        self.due.advance(now_ms);
        let mut swept = Swept::default();
        while let Some(handle) = self.due.pop(&mut budget) {
            self.do_due(handle, now_ms, may_forget(handle.local()), &mut swept);
        }
        (swept, budget > 0)
    }

    /// Everything of a partition.
    pub(crate) fn drop_partition(&mut self, local: usize) {
        self.drop_cold(local);
        let part = std::mem::take(&mut self.parts[local]);
        for slot in part.table.slots() {
            let measure = Measure::of(slot.entry(), self.retention_ms);
            self.fifo.leave(measure.bytes, slot.is_main());
        }
        self.account.note(self.number, self.fifo.bytes(), -(part.sums.bytes as i64), -i64::from(part.sums.keys));
        free_all(part.table, &mut self.retired);
        self.account.note_lines(partition_at(self.number, local), Lines::default(), &mut self.retired);
        if self.fifo.is_stale() {
            self.sort_out();
        }
    }

    pub(crate) fn flush_counts(&mut self) {
        if self.evicted > 0 {
            metrics::counter!("ringway_data_evictions_total").increment(std::mem::take(&mut self.evicted));
        }
    }

    fn edit_in_place<R>(&mut self, local: usize, key: &[u8], place: Place, change: impl FnOnce(&mut State) -> R) -> R {
        let mut entry = self.parts[local].table.slot(place).entry();
        let before = Measure::of(entry, self.retention_ms);
        // Settles on the way out, even if `change` panics.
        let settling = Settling { shard: self, local, place, before };
        let state = entry.state_mut().expect("the caller has looked");
        let result = change(state);
        state.settle();
        let register = matches!(state, State::Register(_)).then(|| std::mem::take(state));
        drop(settling);
        if let Some(register) = register {
            let content = self.content_of(register);
            self.store_at(local, key, self.seed.spread(key), Some(place), content);
        }
        result
    }

    fn store_at(&mut self, local: usize, key: &[u8], spread: u32, place: Option<Place>, content: Content<'_>) {
        let Some(place) = place else { return self.insert(local, key, spread, content) };
        let table = &mut self.parts[local].table;
        let old = table.slot(place);
        let before = Measure::of(old.entry(), self.retention_ms);
        let mut slot = old;
        slot.set_entry(old.entry().replace(content));
        slot.note_use();
        if slot != old {
            table.set_slot(place, slot);
        }
        self.settle(local, place, before);
    }

    fn insert(&mut self, local: usize, key: &[u8], spread: u32, content: Content<'_>) {
        let measure = self.take_in(local, key, spread, content);
        self.parts[local].sums.add(&measure);
        self.account.note(self.number, self.fifo.bytes(), measure.bytes as i64, measure.is_key.into());
        self.note_new(local, key, spread);
        if self.fifo.is_stale() {
            self.sort_out();
        }
    }

    /// Into table and queues; the sums are the caller's.
    fn take_in(&mut self, local: usize, key: &[u8], spread: u32, content: Content<'_>) -> Measure {
        let handle = Handle::new(local, region_of(key), spread);
        let entry = Entry::new(key, content);
        let measure = Measure::of(entry, self.retention_ms);
        let mut slot = Slot::new(entry, spread);
        slot.set_main(self.fifo.admit(handle, measure.bytes));
        let (table, seed) = (&mut self.parts[local].table, self.seed);
        table.insert(handle.region(), spread, slot, &mut self.retired, |key| seed.spread(key));
        self.account.note_lines(partition_at(self.number, local), table.lines(), &mut self.retired);
        if let Some(due_ms) = measure.due_ms {
            self.push_due(handle, due_ms);
        }
        measure
    }

    fn remove(&mut self, local: usize, place: Place) {
        let measure = self.take_out(local, place);
        self.parts[local].sums.remove(&measure);
        self.account.note(self.number, self.fifo.bytes(), -(measure.bytes as i64), -i64::from(measure.is_key));
    }

    /// Out of memory; what the sums say of it is the caller's.
    fn take_out(&mut self, local: usize, place: Place) -> Measure {
        let (part, seed) = (&mut self.parts[local], self.seed);
        let slot = part.table.remove(place, &mut self.retired, |key| seed.spread(key));
        self.account.note_lines(partition_at(self.number, local), part.table.lines(), &mut self.retired);
        let measure = Measure::of(slot.entry(), self.retention_ms);
        self.fifo.leave(measure.bytes, slot.is_main());
        // SAFETY: it is in no table any more, and nobody has a reference into the shard.
        unsafe { slot.entry().free() }
        measure
    }

    /// Brings all sums up to date with an entry that measured `before`.
    fn settle(&mut self, local: usize, place: Place, before: Measure) {
        let part = &mut self.parts[local];
        let slot = part.table.slot(place);
        let after = Measure::of(slot.entry(), self.retention_ms);
        part.sums.remove(&before);
        part.sums.add(&after);
        let bytes = after.bytes as i64 - before.bytes as i64;
        self.fifo.resize(before.bytes, after.bytes, slot.is_main());
        let keys = i64::from(after.is_key) - i64::from(before.is_key);
        self.account.note(self.number, self.fifo.bytes(), bytes, keys);
        if self.tracks.is_some() && after != before {
            self.note_change(local, place);
        }
        if let Some(due_ms) = after.due_ms
            && before.due_ms.is_none_or(|before| due_ms < before)
        {
            let handle = self.handle_of(local, slot.entry().key());
            self.push_due(handle, due_ms);
        }
    }

    fn push_due(&mut self, handle: Handle, due_ms: u64) {
        self.due.push(handle, due_ms);
        if self.due.len() > self.fifo.count() * 2 + 1024 {
            self.reckon_due();
        }
    }

    /// Due times anew: with another retention, or because most of what was queued is out of date.
    fn reckon_due(&mut self) {
        self.due.clear();
        for (local, part) in self.parts.iter().enumerate() {
            for slot in part.table.slots() {
                if let Some(due_ms) = Measure::of(slot.entry(), self.retention_ms).due_ms {
                    let key = slot.entry();
                    let key = key.key();
                    self.due.push(Handle::new(local, region_of(key), self.seed.spread(key)), due_ms);
                }
            }
        }
    }

    /// All entries that the handle may mean. What is due later among them is queued again, once.
    fn do_due(&mut self, handle: Handle, now_ms: u64, may_forget: bool, swept: &mut Swept) {
        let (local, region, spread) = (handle.local(), handle.region(), handle.spread());
        let retention_ms = self.retention_ms;
        let fate = |slot: Slot| fate_of(slot, now_ms, retention_ms, may_forget);
        while let Some(place) = self.parts[local].table.find_by(region, spread, |slot| fate(slot) != Fate::Keep) {
            let slot = self.parts[local].table.slot(place);
            swept.expired += u64::from(Measure::of(slot.entry(), retention_ms).is_key);
            if fate(slot) == Fate::Forget {
                swept.forgotten += 1;
                self.note_gone(local, slot);
                self.remove(local, place);
            } else {
                self.bury(local, place);
            }
        }
        let mut next = None::<u64>;
        self.parts[local].table.find_by(region, spread, |slot| {
            if let Some(due_ms) = Measure::of(slot.entry(), retention_ms).due_ms {
                let due_ms = if due_ms <= now_ms { now_ms + FORGET_RETRY_MS } else { due_ms };
                next = Some(next.map_or(due_ms, |next| next.min(due_ms)));
            }
            false
        });
        if let Some(due_ms) = next {
            self.due.push(handle, due_ms);
        }
    }

    /// Makes a tombstone of what has expired. Its version and digest stay, and that is no use.
    fn bury(&mut self, local: usize, place: Place) {
        let mut entry = self.parts[local].table.slot(place).entry();
        let before = Measure::of(entry, self.retention_ms);
        if let Some(state) = entry.state_mut() {
            state.bury();
        } else {
            let entry = entry.bury();
            let table = &mut self.parts[local].table;
            let mut slot = table.slot(place);
            slot.set_entry(entry);
            table.set_slot(place, slot);
        }
        self.settle(local, place, before);
    }

    /// Drops the handles of what is gone from the queues.
    fn sort_out(&mut self) {
        let (parts, mut known) = (&self.parts, HashSet::new());
        self.fifo.sort_out(|handle, main| {
            let is_new = |slot: Slot| slot.is_main() == main && known.insert(slot.address());
            parts[handle.local()].table.find_by(handle.region(), handle.spread(), is_new).is_some()
        });
    }

    fn count_eviction(&mut self) {
        self.uses.evicted += 1;
        self.evicted += 1;
        if self.evicted >= EVICTED_LOT {
            self.flush_counts();
        }
    }

    fn content_of_register<'a>(&mut self, register: RegisterRef<'a>) -> Content<'a> {
        let RegisterRef { version, value, expires_ms } = register;
        match self.nodes.number_of(version.node) {
            Some(node) => Content::Register { time: version.time(), node, expires_ms, value },
            None => {
                let value = value.map(Value::into_bytes);
                Content::State(State::Register(Register { version, value, expires_ms, marks: 0 }))
            }
        }
    }

    fn content_of(&mut self, state: State) -> Content<'static> {
        match state {
            State::Register(Register { version, value, expires_ms, marks: 0 }) => {
                self.content_of_register(RegisterRef { version, value: value.map(Value::Shared), expires_ms })
            }
            state => Content::State(state),
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        for part in &mut self.parts {
            free_all(std::mem::take(&mut part.table), &mut self.retired);
        }
    }
}

/// An entry whose state is being changed where it is.
struct Settling<'a> {
    shard: &'a mut Shard,
    local: usize,
    place: Place,
    before: Measure,
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.shard.settle(self.local, self.place, self.before);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Keep,
    Bury,
    Forget,
}

fn fate_of(slot: Slot, now_ms: u64, retention_ms: u64, may_forget: bool) -> Fate {
    let (is_live, is_key, is_forgettable) = match slot.entry().seen() {
        Seen::Register { version, expires_ms, value } => {
            let is_live = value.is_some() && expires_ms.is_none_or(|at| at > now_ms);
            let dead_since_ms = version.wall_ms.max(expires_ms.unwrap_or(0));
            (is_live, value.is_some(), !is_live && dead_since_ms.saturating_add(retention_ms) <= now_ms)
        }
        Seen::State(state) => (state.is_live(now_ms), has_value(state), state.is_forgettable(now_ms, retention_ms)),
    };
    match (is_live, is_key) {
        _ if may_forget && is_forgettable && !slot.is_dirty() => Fate::Forget,
        (false, true) => Fate::Bury,
        _ => Fate::Keep,
    }
}

fn is_same_register(one: &State, other: &State) -> bool {
    match (one, other) {
        (State::Register(one), State::Register(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
