//! Core: the stored responses of one part of the cache, within a limit of bytes. Addresses, under each its variants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use ringway_ports::CacheKey;

use crate::entry::Entry;
use crate::policy::vary;
use crate::queues::Queues;

/// Of one address, over both schemes. A `Vary` with more values than that is one that should not be cached.
const VARIANTS_MAX: usize = 64;

/// Where a response is found: what a purge by address names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) host: Arc<str>,
    pub(crate) target: Arc<str>,
}

#[derive(Debug)]
pub(crate) struct Store {
    limit: u64,
    places: HashMap<Place, Vec<Arc<Entry>>>,
    queues: Queues,
    /// By when they are of no use to anybody.
    due: BTreeMap<(u64, u64), Arc<Entry>>,
}

impl Place {
    pub(crate) fn of(key: &CacheKey) -> Self {
        Self { host: Arc::clone(&key.host), target: Arc::clone(&key.target) }
    }
}

impl Store {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, places: HashMap::new(), queues: Queues::default(), due: BTreeMap::new() }
    }

    /// The variant for such a request, the latest if there are several (RFC 9111, 4.1).
    pub(crate) fn find(&self, key: &CacheKey, request: &HeaderMap) -> Option<&Arc<Entry>> {
        let variants = self.places.get(&Place::of(key))?;
        let fits = |entry: &&Arc<Entry>| entry.key == *key && vary::matches(&entry.selecting, request);
        variants.iter().filter(fits).max_by_key(|entry| (entry.made_ms, entry.id))
    }

    /// Stores it in the place of whatever would have been found for `request`. Returns how many others had to go for lack of room.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>, request: &HeaderMap) -> u64 {
        let place = Place::of(&entry.key);
        let variants = self.places.get(&place).map_or(&[][..], Vec::as_slice);
        let is_same = |old: &&Arc<Entry>| old.key == entry.key && vary::matches(&old.selecting, request);
        let mut old: Vec<Arc<Entry>> = variants.iter().filter(is_same).cloned().collect();
        let was_main = old.iter().any(|old| old.is_main.load(Ordering::Relaxed));
        if old.is_empty() && variants.len() >= VARIANTS_MAX {
            old.extend(variants.iter().min_by_key(|variant| variant.id).cloned());
        }
        old.iter().for_each(|old| self.remove(old));
        if entry.weight > self.limit {
            return 0;
        }
        self.queues.enter(&entry, was_main);
        self.due.insert((entry.times.useless_from_ms(), entry.id), Arc::clone(&entry));
        self.places.entry(place).or_default().push(entry);
        self.make_room()
    }

    pub(crate) fn remove(&mut self, entry: &Arc<Entry>) {
        if self.due.remove(&(entry.times.useless_from_ms(), entry.id)).is_none() {
            return;
        }
        entry.response.is_gone.store(true, Ordering::Relaxed);
        self.queues.leave(entry);
        let place = Place::of(&entry.key);
        if let Some(variants) = self.places.get_mut(&place) {
            variants.retain(|variant| variant.id != entry.id);
            if variants.is_empty() {
                self.places.remove(&place);
            }
        }
    }

    /// Forgets what `is_meant` of one address, or of all. Returns how many.
    pub(crate) fn forget(&mut self, place: Option<&Place>, is_meant: impl Fn(&Entry) -> bool) -> u64 {
        let meant: Vec<Arc<Entry>> = match place {
            Some(place) => {
                self.places.get(place).into_iter().flatten().filter(|entry| is_meant(entry)).cloned().collect()
            }
            None => self.entries().filter(|entry| is_meant(entry)).cloned().collect(),
        };
        meant.iter().for_each(|entry| self.remove(entry));
        meant.len() as u64
    }

    /// Forgets what nobody can use any more.
    pub(crate) fn expire(&mut self, now_ms: u64) -> u64 {
        let mut count = 0;
        while let Some((_, entry)) = self.due.first_key_value().filter(|((due_ms, _), _)| *due_ms <= now_ms) {
            let entry = Arc::clone(entry);
            self.remove(&entry);
            count += 1;
        }
        count
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.due.values()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.queues.bytes()
    }

    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    fn make_room(&mut self) -> u64 {
        let mut evicted = 0;
        while self.bytes() > self.limit {
            let Some(entry) = self.queues.next() else { break };
            self.remove(&entry);
            evicted += 1;
        }
        evicted
    }
}

#[cfg(test)]
mod tests;
