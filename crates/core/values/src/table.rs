//! Core: elements by their bytes: found by hash, counted, taken by number, scanned in an order that survives growth.
//!
//! The elements lie in a vector (so that the nth is one step away: random members), an open-addressing index beside it maps hashes
//! to their places. The index is ordered by hash (linear probing where whoever has the smaller hash comes first, Celis 1986), so
//! that walking over it is walking by hash: a scan's cursor is the next hash, and growing, shrinking and other elements'
//! coming and going do not move an element across it. Small tables have no index, they are searched from end to end.

mod index;

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::index::Index;
use crate::Dot;
use crate::slot::{Slot, Weight};

/// Up to this many elements are found without an index.
const UNINDEXED_LEN_MAX: usize = 8;

static HASH_SEED: AtomicU64 = AtomicU64::new(0);

/// To be called once, before there are collections, with a number that all nodes share and clients do not know: else a client
/// could choose members that all fall on one place.
pub fn set_hash_seed(seed: u64) {
    HASH_SEED.store(seed, Ordering::Relaxed);
}

#[derive(Clone, Debug)]
pub(crate) struct Table<K, V> {
    entries: Vec<Entry<K, V>>,
    index: Index,
    /// The elements' shares.
    digest: u64,
    /// What keys and values take outside of `entries`.
    bytes: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<K, V> {
    pub key: K,
    pub slot: Slot<V>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: Index::default(), digest: 0, bytes: 0 }
    }
}

impl<K: AsRef<[u8]>, V: Weight> Table<K, V> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn heap_bytes(&self) -> usize {
        self.bytes + self.entries.capacity() * size_of::<Entry<K, V>>() + self.index.heap_bytes()
    }

    pub fn entries(&self) -> &[Entry<K, V>] {
        &self.entries
    }

    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.find(key).map(|at| &self.entries[at].slot.value)
    }

    pub fn find(&self, key: &[u8]) -> Option<usize> {
        if self.entries.len() <= UNINDEXED_LEN_MAX {
            return self.entries.iter().position(|entry| entry.key.as_ref() == key);
        }
        self.index.find(hash_of(key), |at| self.entries[at].key.as_ref() == key)
    }

    /// Writes `value` over those writes of `key` that are `gone`. Where the element is then.
    pub fn put(&mut self, key: &[u8], dot: Dot, value: V, gone: impl Fn(Dot) -> bool) -> usize
    where
        K: for<'k> From<&'k [u8]>,
    {
        let Some(at) = self.find(key) else { return self.add(K::from(key), Slot::new(dot, value)) };
        self.uncount(at);
        let slot = &mut self.entries[at].slot;
        if slot.is_gone(&gone) {
            *slot = Slot::new(dot, value);
        } else {
            slot.forget(gone);
            slot.insert(dot, value);
        }
        self.count(at);
        at
    }

    /// Drops the writes of the element at `at` that are `gone`, and the element if none is left: whether it was dropped.
    pub fn erase(&mut self, at: usize, gone: impl Fn(Dot) -> bool) -> bool {
        if self.entries[at].slot.is_gone(&gone) {
            self.take(at);
            return true;
        }
        self.uncount(at);
        self.entries[at].slot.forget(gone);
        self.count(at);
        false
    }

    /// Removes the element at `at`; the last one takes its place.
    pub fn take(&mut self, at: usize) -> Entry<K, V> {
        self.uncount(at);
        if self.entries.len() > UNINDEXED_LEN_MAX {
            self.unindex(at);
        }
        let entry = self.entries.swap_remove(at);
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        entry
    }

    /// Adds an element that is not there. Where it is.
    pub fn add(&mut self, key: K, slot: Slot<V>) -> usize {
        let at = self.entries.len();
        let hash = hash_of(key.as_ref());
        if at == 0 {
            self.entries.reserve_exact(1);
        }
        self.entries.push(Entry { key, slot });
        self.count(at);
        match at {
            ..UNINDEXED_LEN_MAX => {}
            UNINDEXED_LEN_MAX => self.index = Index::of(self.entries.iter().map(|entry| hash_of(entry.key.as_ref()))),
            _ => self.index.insert(hash, at),
        }
        at
    }

    /// Drops all writes that are `gone`. Whether there were any.
    pub fn retain(&mut self, gone: impl Fn(&[u8], Dot) -> bool) -> bool {
        let mut changed = false;
        let mut at = 0;
        while let Some(Entry { key, slot }) = self.entries.get(at) {
            let writes_left = slot.writes().filter(|(dot, _)| !gone(key.as_ref(), *dot)).count();
            changed |= writes_left < slot.write_count();
            if writes_left == 0 {
                self.take(at);
                continue;
            }
            if writes_left < slot.write_count() {
                self.uncount(at);
                let Entry { key, slot } = &mut self.entries[at];
                slot.forget(|dot| gone(key.as_ref(), dot));
                self.count(at);
            }
            at += 1;
        }
        changed
    }

    /// What two replicas' elements make: a write that one has and the other has seen but has no more was overwritten or removed.
    /// Whether anything changed here.
    pub fn absorb(&mut self, other: Self, seen: impl Fn(Dot) -> bool, seen_there: impl Fn(Dot) -> bool) -> bool {
        let has = |key: &[u8], dot| other.find(key).is_some_and(|at| other.entries[at].slot.has(dot));
        let mut changed = self.retain(|key, dot| seen_there(dot) && !has(key, dot));
        for Entry { key, slot } in other.entries {
            let Some(news) = slot.without(&seen) else { continue };
            changed = true;
            self.join(key, news);
        }
        changed
    }

    fn join(&mut self, key: K, news: Slot<V>) {
        let Some(at) = self.find(key.as_ref()) else {
            self.add(key, news);
            return;
        };
        self.uncount(at);
        news.into_writes().for_each(|(dot, value)| self.entries[at].slot.insert(dot, value));
        self.count(at);
    }

    /// Calls `f` with elements in the order of their hashes, from `cursor` on, at least `count` of them if there are as many.
    /// Where to go on; 0 at the end. Whoever is there from the first to the last step is passed once.
    pub fn scan(&self, cursor: u64, count: usize, mut f: impl FnMut(&Entry<K, V>)) -> u64 {
        if self.entries.len() <= UNINDEXED_LEN_MAX {
            // Shrunk in the middle of a scan: some are passed again, none is missed.
            self.entries.iter().filter(|entry| u64::from(hash_of(entry.key.as_ref())) >= cursor).for_each(f);
            return 0;
        }
        self.index.scan(cursor, count, |at| f(&self.entries[at]))
    }

    fn unindex(&mut self, at: usize) {
        let last = self.entries.len() - 1;
        if last == UNINDEXED_LEN_MAX {
            self.index = Index::default();
            return;
        }
        self.index.remove(hash_of(self.entries[at].key.as_ref()), at);
        if at != last {
            self.index.renumber(hash_of(self.entries[last].key.as_ref()), last, at);
        }
    }

    fn count(&mut self, at: usize) {
        let Entry { key, slot } = &self.entries[at];
        self.digest ^= slot.digest(key.as_ref());
        self.bytes += crate::size_class(key.as_ref().len()) + slot.heap_bytes();
    }

    fn uncount(&mut self, at: usize) {
        let Entry { key, slot } = &self.entries[at];
        self.digest ^= slot.digest(key.as_ref());
        self.bytes -= crate::size_class(key.as_ref().len()) + slot.heap_bytes();
    }
}

fn hash_of(key: &[u8]) -> u32 {
    (xxh3_64_with_seed(key, HASH_SEED.load(Ordering::Relaxed)) >> 32) as u32
}

#[cfg(test)]
mod tests;
