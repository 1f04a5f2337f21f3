//! Core: what a command's function works with: the keys of one partition, locked, and the reply that it writes.
//!
//! Reads give what a client may see: nothing that has expired. Every change gets a version of its own and is noted as an
//! [`Update`] for the other replicas, if there are any. A change is whole before the next command runs: the lock is held from the
//! first to the last command of a [`crate::unit::Unit`].

mod item;
mod text;

use bytes::Bytes;
use ringway_causality::Version;
use ringway_engine::{BucketStore, Locked, RegisterRef, Seen, Value};
use ringway_protocol::resp::Out;
use ringway_ring::Partition;
use ringway_values::{Body, Collection, Edit, Kind, Register, State, Update};

pub(crate) use self::item::{Item, Marks};
pub(crate) use self::text::Text;
use crate::bucket::Bucket;
use crate::clock::Clock;
use crate::fail::{Fail, Ran};
use crate::hot_keys::is_looked_at;
use crate::pubsub::Publication;
use crate::share::{SHARED_LEN_MIN, share_to_keep};

/// Longest key.
pub(crate) const KEY_LEN_MAX: usize = 65_000;
/// Longest value, as Redis' `proto-max-bulk-len`.
pub(crate) const VALUE_LEN_MAX: usize = 512 << 20;

/// About what a counter takes.
const COUNTER_LEN: usize = 128;
const KEY_TOO_LONG: Fail = Fail::new("ERR key is longer than 65000 bytes");

/// The words of a command, its name first.
pub(crate) type Args<'a> = &'a [&'a [u8]];

/// One command at work.
pub(crate) struct Call<'c, 'k> {
    pub(crate) keys: &'c mut Keys<'k>,
    pub(crate) out: &'c mut Out,
}

/// What is the same for all commands of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a BucketStore,
    pub(crate) clock: &'a Clock,
    pub(crate) now_ms: u64,
    /// Of keys written without one.
    pub(crate) ttl_ms: Option<u64>,
    /// The buffer that the commands' words are slices of, if they may stay in it: long values are then not copied.
    pub(crate) source: Option<&'a Bytes>,
    /// Which partition a key is in.
    pub(crate) place: &'a Bucket,
}

/// What commands have changed.
#[derive(Default)]
pub(crate) struct Written {
    /// Nobody else needs to hear: nothing is kept of the changes but their number.
    pub(crate) alone: bool,
    pub(crate) updates: Vec<(Partition, Bytes, Update)>,
    /// Where something has changed, if that is all that is kept of it.
    pub(crate) partitions: Vec<Partition>,
    pub(crate) count: usize,
    /// Somebody waits for elements of some key: those that may have got some are noted.
    pub(crate) waited_for: bool,
    pub(crate) filled: Vec<Bytes>,
    /// What scripts have said to those who listen at other nodes.
    pub(crate) published: Vec<Publication>,
    /// Reads of keys that were there and that were not, until the lock is gone.
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl Written {
    /// What was changed after this, in the same bucket.
    pub(crate) fn append(&mut self, later: Written) {
        self.alone |= later.alone;
        self.updates.extend(later.updates);
        self.partitions.extend(later.partitions);
        self.count += later.count;
        self.filled.extend(later.filled);
        self.published.extend(later.published);
    }
}

/// The keys of one partition.
pub(crate) struct Keys<'a> {
    locked: Locked<'a>,
    scene: &'a Scene<'a>,
    written: &'a mut Written,
    partition: Partition,
    /// The command reads only: what it looks for is a hit or a miss.
    is_read: bool,
    /// Nothing else has run or will run under this lock: another partition would do as well.
    is_movable: bool,
    /// What the command is called, for those who watch.
    event: &'static str,
    /// What it has changed, if anybody watches.
    changed: Option<Vec<(Bytes, &'static str)>>,
}

impl Drop for Keys<'_> {
    /// Figures are under the lock, so that they cost next to nothing.
    fn drop(&mut self) {
        let uses = self.locked.uses();
        uses.hits += std::mem::take(&mut self.written.hits);
        uses.misses += std::mem::take(&mut self.written.misses);
        if let Some(changed) = self.changed.take().filter(|changed| !changed.is_empty()) {
            self.scene.place.held.feed.note(changed.into_iter(), self.scene.now_ms);
        }
    }
}

/// What is there, as a client may see it.
pub(crate) enum Live<'a> {
    Text(Text<'a>),
    Collection(&'a Collection),
}

impl Live<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Live::Text(_) => Kind::String,
            Live::Collection(collection) => collection.kind(),
        }
    }
}

impl<'a> Keys<'a> {
    pub(crate) fn lock(partition: Partition, scene: &'a Scene<'a>, written: &'a mut Written) -> Self {
        let changed = scene.place.held.feed.is_watched(scene.now_ms).then(Vec::new);
        Self {
            locked: scene.store.lock(partition),
            scene,
            written,
            partition,
            is_read: false,
            is_movable: false,
            event: "set",
            changed,
        }
    }

    /// A command on this key comes next; for the figures.
    #[inline]
    pub(crate) fn begin(&mut self, key: &[u8], is_read: bool, event: &'static str) {
        (self.is_read, self.event) = (is_read, event);
        let uses = self.locked.uses();
        uses.commands += 1;
        if is_looked_at(uses.commands) {
            self.scene.place.held.figures.note_use(key, self.scene.now_ms);
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.scene.now_ms
    }

    /// Whether a key is one of these: scripts may name any.
    pub(crate) fn has_place_for(&self, key: &[u8]) -> bool {
        self.scene.place.partition_of(key) == self.partition
    }

    pub(crate) fn bucket(&self) -> &'a Bucket {
        self.scene.place
    }

    pub(crate) fn is_movable(&self) -> bool {
        self.is_movable
    }

    pub(crate) fn set_movable(&mut self) {
        self.is_movable = true;
    }

    /// Says something to those who listen on this node at once, to others when the lock is gone. How many on this node.
    pub(crate) fn publish(&mut self, said: Publication) -> u64 {
        let count = self.scene.place.held.pubsub.deliver(&said, self.scene.now_ms);
        self.written.published.push(said);
        count
    }

    /// When a key that is written without an expiry expires.
    pub(crate) fn default_expiry(&self) -> Option<u64> {
        self.scene.ttl_ms.map(|ttl| self.scene.now_ms + ttl)
    }

    /// What is there and when it expires.
    pub(crate) fn live(&mut self, key: &[u8]) -> Ran<Option<(Live<'_>, Option<u64>)>> {
        let now_ms = self.scene.now_ms;
        let live = match self.locked.get(key)? {
            Some(Seen::Register { value: Some(value), expires_ms, .. }) if expires_ms.is_none_or(|at| at > now_ms) => {
                Some((Live::Text(Text::from(value)), expires_ms))
            }
            Some(Seen::State(state)) if state.is_live(now_ms) => match state {
                State::Counter(counter) => Some((Live::Text(Text::number(counter.value())), state.expires_ms())),
                State::Collection(collection) => Some((Live::Collection(collection), state.expires_ms())),
                State::Register(register) => {
                    register.value.as_ref().map(|value| (Live::Text(Text::Shared(value)), register.expires_ms))
                }
            },
            _ => None,
        };
        if self.is_read {
            self.written.hits += u64::from(live.is_some());
            self.written.misses += u64::from(live.is_none());
        }
        Ok(live)
    }

    pub(crate) fn kind(&mut self, key: &[u8]) -> Ran<Option<Kind>> {
        Ok(self.live(key)?.map(|(live, _)| live.kind()))
    }

    pub(crate) fn exists(&mut self, key: &[u8]) -> Ran<bool> {
        Ok(self.live(key)?.is_some())
    }

    /// A string and when it expires.
    pub(crate) fn text(&mut self, key: &[u8]) -> Ran<Option<(Text<'_>, Option<u64>)>> {
        match self.live(key)? {
            None => Ok(None),
            Some((Live::Text(text), expires_ms)) => Ok(Some((text, expires_ms))),
            Some(_) => Err(Fail::WRONG_TYPE),
        }
    }

    /// A list, hash, set or sorted set.
    pub(crate) fn collection(&mut self, key: &[u8], kind: Kind) -> Ran<Option<&Collection>> {
        match self.live(key)? {
            None => Ok(None),
            Some((Live::Collection(collection), _)) if collection.kind() == kind => Ok(Some(collection)),
            Some(_) => Err(Fail::WRONG_TYPE),
        }
    }

    /// Tells two states of a key apart, for WATCH; 0 if there is nothing.
    pub(crate) fn fingerprint(&mut self, key: &[u8]) -> Ran<u64> {
        let now_ms = self.scene.now_ms;
        let is_gone = |expires_ms: Option<u64>| expires_ms.is_some_and(|at| at <= now_ms);
        Ok(match self.locked.get(key)? {
            Some(Seen::Register { value: Some(_), expires_ms, version }) if !is_gone(expires_ms) => {
                (version.time() ^ version.node.rotate_left(32)).max(1)
            }
            Some(Seen::State(state)) if state.is_live(now_ms) => state.digest(key).max(1),
            _ => 0,
        })
    }

    /// Writes a string over whatever is there.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Ran {
        if key.len() > KEY_LEN_MAX {
            return Err(KEY_TOO_LONG);
        }
        if value.len() >= SHARED_LEN_MIN {
            return self.set_shared(key, share_to_keep(value, self.scene.source), expires_ms);
        }
        self.admit(key.len() + value.len())?;
        let version = self.put(key, Some(Value::Slice(value)), expires_ms)?;
        self.note(key, || Register { version, value: Some(Bytes::copy_from_slice(value)), expires_ms, marks: 0 });
        Ok(())
    }

    fn set_shared(&mut self, key: &[u8], value: Bytes, expires_ms: Option<u64>) -> Ran {
        if value.len() > VALUE_LEN_MAX {
            return Err(Fail::TOO_LONG);
        }
        self.admit(key.len() + value.len())?;
        let version = self.put(key, Some(Value::Shared(value.clone())), expires_ms)?;
        self.note(key, || Register { version, value: Some(value), expires_ms, marks: 0 });
        Ok(())
    }

    /// Deletes whatever is there. Whether there was something.
    pub(crate) fn delete(&mut self, key: &[u8]) -> Ran<bool> {
        match self.kind(key)? {
            None => Ok(false),
            Some(Kind::String) => {
                let version = self.put(key, None, None)?;
                self.note(key, || Register { version, value: None, expires_ms: None, marks: 0 });
                Ok(true)
            }
            Some(_) => {
                let now_ms = self.scene.now_ms;
                self.change(key, |state, version| (state.remove(now_ms, version), ()))?;
                Ok(true)
            }
        }
    }

    /// Changes when a key expires; nothing if it is not there. A time that has passed is the caller's to turn into a deletion.
    pub(crate) fn set_expiry(&mut self, key: &[u8], expires_ms: Option<u64>) -> Ran {
        let now_ms = self.scene.now_ms;
        if self.exists(key)? {
            self.change(key, |state, version| (state.set_expiry(now_ms, version, expires_ms), ()))?;
        }
        Ok(())
    }

    /// Adds to a number; a key that is not there is 0. The sum.
    pub(crate) fn add(&mut self, key: &[u8], by: i64) -> Ran<i64> {
        let current = match self.text(key)? {
            None => None,
            Some((text, _)) => Some(text.as_int().ok_or(Fail::NOT_AN_INTEGER)?),
        };
        current.unwrap_or(0).checked_add(by).ok_or(Fail::OVERFLOW)?;
        self.admit(key.len() + COUNTER_LEN)?;
        let expires_ms = self.default_expiry().filter(|_| current.is_none());
        let (now_ms, is_told) = (self.scene.now_ms, self.is_told());
        self.change(key, |state, version| {
            let Ok(Some(counter)) = state.counter(now_ms) else { return (None, Err(Fail::NOT_AN_INTEGER)) };
            if expires_ms.is_some() {
                counter.set_expiry(version, expires_ms);
            }
            let sum = counter.add(version, by).ok_or(Fail::OVERFLOW);
            (is_told.then(|| Update::State(State::Counter(counter.clone()))), sum)
        })
        .inspect(|_| {
            if !is_told {
                self.written.count += 1;
                self.written.partitions.push(self.partition);
            }
        })?
    }

    /// Changes a collection of this kind, which begins empty if it is not there. One that is left empty is gone.
    pub(crate) fn edit<R>(&mut self, key: &[u8], kind: Kind, change: impl FnOnce(&mut Edit<'_>) -> R) -> Ran<R> {
        if key.len() > KEY_LEN_MAX {
            return Err(KEY_TOO_LONG);
        }
        let is_new = match self.kind(key)? {
            Some(found) if found != kind => return Err(Fail::WRONG_TYPE),
            found => found.is_none(),
        };
        let (now_ms, expires_ms) = (self.scene.now_ms, self.default_expiry().filter(|_| is_new));
        let (is_changed, result) = self.change(key, |state, dot| {
            let mut edit = match state.open(kind, now_ms, dot) {
                Ok(edit) => edit,
                Err(_) => return (None, (false, Err(Fail::WRONG_TYPE))),
            };
            if expires_ms.is_some() {
                edit.set_expiry(expires_ms);
            }
            let result = change(&mut edit);
            let delta = edit.finish();
            if delta.is_none() {
                state.settle();
            }
            let is_changed = delta.is_some();
            (delta.map(Update::Delta), (is_changed, Ok(result)))
        })?;
        if self.written.waited_for && is_changed {
            self.written.filled.push(Bytes::copy_from_slice(key));
        }
        result
    }

    /// The same for one that is there; `None` if it is not.
    pub(crate) fn edit_existing<R>(
        &mut self,
        key: &[u8],
        kind: Kind,
        change: impl FnOnce(&mut Edit<'_>) -> R,
    ) -> Ran<Option<R>> {
        match self.kind(key)? {
            None => Ok(None),
            Some(_) => self.edit(key, kind, change).map(Some),
        }
    }

    /// A copy of what is there, for RENAME and COPY, and when it expires.
    pub(crate) fn live_state(&mut self, key: &[u8]) -> Ran<Option<State>> {
        if !self.exists(key)? {
            return Ok(None);
        }
        Ok(self.locked.state(key)?)
    }

    /// Writes what another key had over whatever is there.
    pub(crate) fn set_state(&mut self, key: &[u8], state: &State) -> Ran {
        let expires_ms = state.expires_ms();
        match state {
            State::Register(Register { value: Some(value), .. }) => self.set_shared(key, value.clone(), expires_ms),
            State::Register(_) => Ok(()),
            State::Counter(counter) => self.set(key, &Text::number(counter.value()), expires_ms),
            State::Collection(collection) => self.replace(key, collection.kind(), |edit| {
                copy(collection, edit);
                edit.set_expiry(expires_ms);
            }),
        }
    }

    /// Makes a new collection, whatever there was.
    pub(crate) fn replace<R>(&mut self, key: &[u8], kind: Kind, fill: impl FnOnce(&mut Edit<'_>) -> R) -> Ran<R> {
        if key.len() > KEY_LEN_MAX {
            return Err(KEY_TOO_LONG);
        }
        let result = self.change(key, |state, dot| {
            let mut edit = state.overwrite(kind, dot);
            let result = fill(&mut edit);
            let delta = edit.finish();
            state.settle();
            (delta.map(Update::Delta), result)
        })?;
        if self.written.waited_for {
            self.written.filled.push(Bytes::copy_from_slice(key));
        }
        Ok(result)
    }

    /// Whether so many more bytes may be written.
    pub(crate) fn admit(&self, len: usize) -> Ran {
        Ok(self.scene.store.admit(len)?)
    }

    fn put(&mut self, key: &[u8], value: Option<Value<'_>>, expires_ms: Option<u64>) -> Ran<Version> {
        let (clock, now_ms) = (self.scene.clock, self.scene.now_ms);
        let mut version = Version::default();
        self.locked.put(key, |latest| {
            version = clock.next_after(latest, now_ms);
            RegisterRef { version, value, expires_ms }
        })?;
        Ok(version)
    }

    /// Changes whatever is there; `change` is given a version that is later than it, and says what the others are told.
    fn change<R>(&mut self, key: &[u8], change: impl FnOnce(&mut State, Version) -> (Option<Update>, R)) -> Ran<R> {
        let (clock, now_ms) = (self.scene.clock, self.scene.now_ms);
        let (update, result) = self.locked.edit(key, |state| {
            let version = clock.next_after(Some(state.latest()), now_ms);
            change(state, version)
        })?;
        if let Some(update) = update {
            self.note_event(key);
            self.written.count += 1;
            match self.written.alone {
                true => self.written.partitions.push(self.partition),
                false => self.written.updates.push((self.partition, Bytes::copy_from_slice(key), update)),
            }
        }
        Ok(result)
    }

    /// Whether anybody, another node, the disk or who watches, has to be told of changes.
    fn is_told(&self) -> bool {
        !self.written.alone || self.scene.store.is_on_disk() || self.changed.is_some()
    }

    #[inline]
    fn note_event(&mut self, key: &[u8]) {
        if let Some(changed) = &mut self.changed {
            changed.push((Bytes::copy_from_slice(key), self.event));
        }
    }

    fn note(&mut self, key: &[u8], register: impl FnOnce() -> Register) {
        self.note_event(key);
        self.written.count += 1;
        if self.written.alone {
            return self.written.partitions.push(self.partition);
        }
        let update = Update::State(State::Register(register()));
        self.written.updates.push((self.partition, Bytes::copy_from_slice(key), update));
    }
}

/// Puts all elements of another collection.
fn copy(from: &Collection, edit: &mut Edit<'_>) {
    match from.body() {
        Body::List(list) => list.iter().for_each(|item| edit.push_back(item)),
        Body::Hash(hash) => hash.iter().for_each(|(field, value)| {
            edit.hash_set(field, value);
        }),
        Body::Set(set) => set.iter().for_each(|member| {
            edit.set_add(member);
        }),
        Body::SortedSet(set) => set.iter().for_each(|(member, score)| {
            edit.zset_put(member, score);
        }),
    }
}
