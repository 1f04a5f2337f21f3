//! Core: what a key holds, whatever it is.
//!
//! Between kinds: a register wins over what is older than it and raises the floor of a collection that goes on; a register against
//! a counter is decided by the counter's base; of a counter and a collection that know nothing of each other the one that was
//! changed last stays. In the last case replicas may need to hear of each other more than once, but what decides only grows.

use bytes::Bytes;
use ringway_causality::Version;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::collection::Mix;
use crate::{Applied, Collection, Counter, Delta, Edit, Hash, Kind, List, Register, Set, SortedSet, Update, WrongKind};

#[derive(Clone, Debug)]
pub enum State {
    Register(Register),
    Counter(Counter),
    Collection(Box<Collection>),
}

impl Default for State {
    /// Nothing, and nothing is known of it.
    fn default() -> Self {
        State::Register(Register::default())
    }
}

impl State {
    /// `None`: there is nothing (a tombstone, an empty collection). Does not look at the expiry.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            State::Register(register) => register.value.as_ref().map(|_| Kind::String),
            State::Counter(_) => Some(Kind::String),
            State::Collection(collection) => (!collection.is_empty()).then(|| collection.kind()),
        }
    }

    pub fn is_live(&self, now_ms: u64) -> bool {
        match self {
            State::Register(register) => register.is_live(now_ms),
            State::Counter(counter) => counter.is_live(now_ms),
            State::Collection(collection) => collection.is_live(now_ms),
        }
    }

    /// What a reader sees at `now_ms`.
    pub fn live_kind(&self, now_ms: u64) -> Option<Kind> {
        self.kind().filter(|_| self.is_live(now_ms))
    }

    /// `None` also if there is nothing that could expire.
    pub fn expires_ms(&self) -> Option<u64> {
        match self {
            State::Register(register) => register.expires_ms.filter(|_| register.value.is_some()),
            State::Counter(counter) => counter.life().expires_ms,
            State::Collection(collection) => collection.life().expires_ms.filter(|_| !collection.is_empty()),
        }
    }

    /// The greatest version in it: the clock has to be ahead of it before the next write.
    pub fn latest(&self) -> Version {
        match self {
            State::Register(register) => register.version,
            State::Counter(counter) => counter.latest(),
            State::Collection(collection) => collection.latest(),
        }
    }

    /// Whether nothing is known of the key: not even that there was something.
    pub fn is_unknown(&self) -> bool {
        matches!(self, State::Register(register) if register.value.is_none() && register.version == Version::default())
    }

    /// The string's bytes at `now_ms`; a counter's in decimal.
    pub fn string(&self, now_ms: u64) -> Result<Option<Bytes>, WrongKind> {
        match self {
            State::Register(register) => Ok(register.live_value(now_ms).cloned()),
            State::Counter(counter) => Ok(counter.is_live(now_ms).then(|| Bytes::from(counter.value().to_string()))),
            State::Collection(_) => self.live_collection(Kind::String, now_ms).map(|_| None),
        }
    }

    pub fn list(&self, now_ms: u64) -> Result<Option<&List>, WrongKind> {
        Ok(self.live_collection(Kind::List, now_ms)?.and_then(Collection::list))
    }

    pub fn hash(&self, now_ms: u64) -> Result<Option<&Hash>, WrongKind> {
        Ok(self.live_collection(Kind::Hash, now_ms)?.and_then(Collection::hash))
    }

    pub fn set(&self, now_ms: u64) -> Result<Option<&Set>, WrongKind> {
        Ok(self.live_collection(Kind::Set, now_ms)?.and_then(Collection::set))
    }

    pub fn sorted_set(&self, now_ms: u64) -> Result<Option<&SortedSet>, WrongKind> {
        Ok(self.live_collection(Kind::SortedSet, now_ms)?.and_then(Collection::sorted_set))
    }

    fn live_collection(&self, kind: Kind, now_ms: u64) -> Result<Option<&Collection>, WrongKind> {
        match self.live_kind(now_ms) {
            Some(other) if other != kind => Err(WrongKind(other)),
            _ => match self {
                State::Collection(collection) if collection.is_live(now_ms) => Ok(Some(collection)),
                _ => Ok(None),
            },
        }
    }

    /// For a command that changes a collection of `kind`: what is there, or an empty one if there is nothing (any more). To be
    /// called only by who will change something; if nothing comes of it after all, call [`State::settle`].
    pub fn open(&mut self, kind: Kind, now_ms: u64, dot: Version) -> Result<Edit<'_>, WrongKind> {
        match self.live_kind(now_ms) {
            Some(other) if other != kind => Err(WrongKind(other)),
            Some(_) => Ok(self.collection(kind).edit(dot)),
            None => Ok(self.overwrite(kind, dot)),
        }
    }

    /// For a command that makes a new collection of `kind`, whatever there was.
    pub fn overwrite(&mut self, kind: Kind, dot: Version) -> Edit<'_> {
        let mut edit = self.collection(kind).edit(dot);
        edit.clear();
        edit.turn(kind);
        edit
    }

    /// Itself as a collection; an empty one of `kind` if it is none.
    fn collection(&mut self, kind: Kind) -> &mut Collection {
        if !matches!(self, State::Collection(_)) {
            *self = State::Collection(Box::new(Collection::replacing(self.latest(), kind)));
        }
        match self {
            State::Collection(collection) => collection,
            _ => unreachable!("it has just become one"),
        }
    }

    /// INCR and the like: a counter over what is there. `Ok(None)`: that is no number.
    pub fn counter(&mut self, now_ms: u64) -> Result<Option<&mut Counter>, WrongKind> {
        match self.live_kind(now_ms) {
            Some(Kind::String) | None => {}
            Some(other) => return Err(WrongKind(other)),
        }
        if let Some(counter) = self.counter_over(now_ms) {
            let Some(counter) = counter else { return Ok(None) };
            *self = State::Counter(counter);
        }
        match self {
            State::Counter(counter) => Ok(Some(counter)),
            _ => Ok(None),
        }
    }

    /// The counter that replaces it: `None` if it is a live one already, `Some(None)` if it is no number.
    fn counter_over(&self, now_ms: u64) -> Option<Option<Counter>> {
        let latest = self.latest();
        let expired_ms = self.expires_ms().filter(|at| *at <= now_ms);
        match (self, expired_ms) {
            (_, Some(at)) => Some(Some(Counter::after_expiry(latest, at))),
            (State::Counter(_), None) => None,
            (State::Register(Register { value: Some(value), expires_ms, .. }), None) => {
                Some(number_in(value).map(|start| Counter::new(latest, start, *expires_ms)))
            }
            _ => Some(Some(Counter::new(latest, 0, None))),
        }
    }

    /// DEL, whatever it is. `at` is later than [`State::latest`]; `None`: there was nothing.
    pub fn remove(&mut self, now_ms: u64, at: Version) -> Option<Update> {
        if !self.is_live(now_ms) {
            return None;
        }
        if let State::Collection(collection) = self {
            let mut edit = collection.edit(at);
            edit.clear();
            return edit.finish().map(Update::Delta);
        }
        *self = State::Register(Register::tombstone(at));
        Some(Update::State(self.clone()))
    }

    /// EXPIRE and PERSIST, whatever it is. `None`: there was nothing.
    pub fn set_expiry(&mut self, now_ms: u64, at: Version, expires_ms: Option<u64>) -> Option<Update> {
        if !self.is_live(now_ms) {
            return None;
        }
        match self {
            State::Register(register) => (register.version, register.expires_ms) = (at, expires_ms),
            State::Counter(counter) => counter.set_expiry(at, expires_ms),
            State::Collection(collection) => {
                let mut edit = collection.edit(at);
                edit.set_expiry(expires_ms);
                return edit.finish().map(Update::Delta);
            }
        }
        Some(Update::State(self.clone()))
    }

    /// Beyond its own size, which is part of what it lies in.
    pub fn heap_bytes(&self) -> usize {
        match self {
            State::Register(register) => register.heap_bytes(),
            State::Counter(counter) => counter.heap_bytes(),
            State::Collection(collection) => crate::size_class(size_of::<Collection>()) + collection.heap_bytes(),
        }
    }

    /// Equal at two replicas if and only if their states are (up to 2^-64).
    pub fn digest(&self, key: &[u8]) -> u64 {
        match self {
            State::Register(register) => digest_of(key, &register.version),
            State::Counter(counter) => xxh3_64_with_seed(key, counter.digest()),
            State::Collection(collection) => xxh3_64_with_seed(key, collection.digest()),
        }
    }

    /// Joins another replica's state of the same key. Whether anything changed here.
    pub fn merge(&mut self, other: State) -> bool {
        match (&mut *self, other) {
            (State::Register(own), State::Register(other)) => own.merge(other),
            (State::Counter(own), State::Counter(other)) => own.merge(other),
            (State::Collection(own), State::Collection(other)) => own.merge(*other),
            (own, other) => {
                let before = own.digest(&[]);
                let joined = join(std::mem::take(own), other);
                *self = joined;
                self.digest(&[]) != before
            }
        }
    }

    /// Applies what a command changed at another replica.
    pub fn apply(&mut self, delta: &Delta) -> Applied {
        match self {
            State::Collection(collection) => {
                let applied = collection.apply(delta);
                self.settle();
                applied
            }
            State::Register(register) if delta.at <= register.version => Applied::Known,
            State::Register(register) => {
                let floor = register.version;
                self.apply_over(floor, delta)
            }
            State::Counter(counter) if delta.at <= counter.base() => Applied::Known,
            // Its writer had seen the counter, or something later than its base.
            State::Counter(counter) if delta.floor > counter.base() => {
                let floor = counter.base();
                self.apply_over(floor, delta)
            }
            State::Counter(_) => Applied::Gap,
        }
    }

    fn apply_over(&mut self, floor: Version, delta: &Delta) -> Applied {
        let mut collection = Collection::replacing(floor, delta.kind);
        let applied = collection.apply(delta);
        if applied == Applied::Changed {
            *self = State::Collection(Box::new(collection));
            self.settle();
        }
        applied
    }

    /// A collection that was opened and of which nothing needs to be remembered becomes a tombstone again.
    pub fn settle(&mut self) {
        if let State::Collection(collection) = self
            && collection.is_spent()
        {
            *self = State::Register(Register::tombstone(collection.floor.into()));
        }
    }

    /// When something is to be done about it: something expired is to be buried, a memory to be forgotten.
    pub fn due_ms(&self, retention_ms: u64) -> Option<u64> {
        match self {
            State::Register(register) => register.due_ms(retention_ms),
            State::Counter(counter) => counter.due_ms(retention_ms),
            State::Collection(collection) => collection.due_ms(retention_ms),
        }
    }

    /// Whether nobody needs to remember it any more: dead for longer than `retention_ms`.
    pub fn is_forgettable(&self, now_ms: u64, retention_ms: u64) -> bool {
        match self {
            State::Register(register) => register.is_forgettable(now_ms, retention_ms),
            State::Counter(counter) => counter.is_forgettable(now_ms, retention_ms),
            State::Collection(collection) => collection.is_forgettable(now_ms, retention_ms),
        }
    }

    /// Drops the contents of what has expired. That removes nothing at other replicas, for which it may live longer.
    pub fn bury(&mut self) {
        match self {
            State::Register(register) => register.bury(),
            State::Counter(counter) => counter.bury(),
            State::Collection(collection) => collection.bury(),
        }
    }
}

/// Two states of different sorts.
fn join(one: State, other: State) -> State {
    match (one, other) {
        (State::Register(register), State::Collection(collection))
        | (State::Collection(collection), State::Register(register)) => raised(collection, register),
        (State::Register(register), State::Counter(counter)) | (State::Counter(counter), State::Register(register)) => {
            match counter.loses_to(&register) {
                true => State::Register(register),
                false => State::Counter(counter),
            }
        }
        (State::Counter(counter), State::Collection(collection))
        | (State::Collection(collection), State::Counter(counter)) => later_of(counter, collection),
        (one, _) => one,
    }
}

fn raised(mut collection: Box<Collection>, register: Register) -> State {
    collection.raise_floor(register.version.into());
    match collection.is_spent() && Version::from(collection.floor) <= register.version {
        true => State::Register(register),
        false => settled(State::Collection(collection)),
    }
}

fn later_of(counter: Counter, mut collection: Box<Collection>) -> State {
    if Version::from(collection.floor) > counter.base() {
        return settled(State::Collection(collection));
    }
    collection.raise_floor(counter.base().into());
    match !collection.is_spent() && collection.latest() > counter.latest() {
        true => State::Collection(collection),
        false => State::Counter(counter),
    }
}

fn settled(mut state: State) -> State {
    state.settle();
    state
}

/// A register's share of a partition's digest.
pub fn digest_of(key: &[u8], version: &Version) -> u64 {
    let seed = version.wall_ms ^ version.node.rotate_left(32) ^ u64::from(version.count).rotate_left(17);
    xxh3_64_with_seed(key, seed)
}

/// As Redis reads a counter: decimal, no blanks, no plus, no leading zeros.
fn number_in(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}

impl Counter {
    fn digest(&self) -> u64 {
        let mut sum = Mix::new(self.value() as u64);
        for version in [self.base(), self.life().version] {
            sum.add_dot(version.into());
        }
        sum.add(self.life().expires_ms.map_or(0, |at| at.wrapping_add(1)));
        for one in self.sums() {
            [one.node, one.at, one.sum as u64].into_iter().for_each(|number| sum.add(number));
        }
        sum.0
    }
}

#[cfg(test)]
mod tests;
