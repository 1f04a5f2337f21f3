//! Core: one of the parts that addresses are spread over: what is stored there, and what is being fetched for it.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;
use ringway_ports::{CacheKey, Purge};

use crate::entry::Entry;
use crate::flight::Flight;
use crate::store::{Place, Store};

/// Fetches of one address at a time that others may join: one for each variant that is asked for.
const FLIGHTS_MAX: usize = 64;
/// What is fetched while more tags than that are purged is not stored, whatever its tags.
const PURGED_TAGS_MAX: usize = 64;

pub(crate) struct Part {
    pub(crate) store: Store,
    flights: HashMap<CacheKey, Vec<Arc<Flight>>>,
    /// Everything that is being fetched and may be stored, by number.
    fills: HashMap<u64, Fill>,
}

/// What must not be stored because it was purged while it was fetched.
struct Fill {
    key: CacheKey,
    is_spoiled: bool,
    tags: Vec<Box<str>>,
}

impl Part {
    pub(crate) fn new(limit: u64) -> Self {
        Self { store: Store::new(limit), flights: HashMap::new(), fills: HashMap::new() }
    }

    /// A fetch that such a request may wait for.
    pub(crate) fn joinable(&self, key: &CacheKey, request: &HeaderMap, fresh_only: bool) -> Option<&Arc<Flight>> {
        let flights = self.flights.get(key)?;
        flights.iter().find(|flight| flight.is_joinable(request) && !(fresh_only && flight.has_landed()))
    }

    /// `None`: so many are under way that nobody can keep track.
    pub(crate) fn take_off(&mut self, key: &CacheKey, id: u64) -> Option<Arc<Flight>> {
        let flights = self.flights.entry(key.clone()).or_default();
        if flights.len() >= FLIGHTS_MAX {
            return None;
        }
        let flight = Flight::new(id);
        flights.push(Arc::clone(&flight));
        Some(flight)
    }

    pub(crate) fn begin_fill(&mut self, key: &CacheKey, id: u64) {
        self.fills.insert(id, Fill { key: key.clone(), is_spoiled: false, tags: Vec::new() });
    }

    /// The fetch with this number is over, and so is its flight.
    pub(crate) fn end(&mut self, key: &CacheKey, id: u64) {
        self.fills.remove(&id);
        if let Some(flights) = self.flights.get_mut(key) {
            flights.retain(|flight| flight.id != id);
            if flights.is_empty() {
                self.flights.remove(key);
            }
        }
    }

    /// Stores what was fetched under this number, unless it was purged meanwhile. How many others had to go.
    pub(crate) fn fill(&mut self, id: u64, entry: Arc<Entry>, request: &HeaderMap) -> u64 {
        match self.fills.get(&id) {
            Some(fill) if !fill.is_spoiled && !fill.tags.iter().any(|tag| entry.tags.contains(tag)) => {
                self.store.insert(entry, request)
            }
            _ => 0,
        }
    }

    /// Forgets what is meant, and sees to it that nothing that began before comes in. How many were forgotten.
    pub(crate) fn purge(&mut self, purge: &Purge) -> u64 {
        for fill in self.fills.values_mut() {
            match purge {
                Purge::Tag { app, tag } if *fill.key.app == **app => fill.spoil_tag(tag),
                purge => fill.is_spoiled |= means(purge, &fill.key),
            }
        }
        // Who comes from now on must not get what began before. An answer's tags may not have come yet.
        self.flights.retain(|key, _| match purge {
            Purge::Tag { app, .. } => *key.app != **app,
            purge => !means(purge, key),
        });
        match purge {
            Purge::Url { host, target, .. } => {
                let place = Place { host: host.as_str().into(), target: target.as_str().into() };
                self.store.forget(Some(&place), |entry| means(purge, &entry.key))
            }
            Purge::Tag { app, tag } => {
                self.store.forget(None, |entry| *entry.key.app == **app && entry.tags.iter().any(|own| **own == **tag))
            }
            _ => self.store.forget(None, |entry| means(purge, &entry.key)),
        }
    }
}

impl Fill {
    fn spoil_tag(&mut self, tag: &str) {
        self.is_spoiled |= self.tags.len() >= PURGED_TAGS_MAX;
        if !self.is_spoiled && !self.tags.iter().any(|known| **known == *tag) {
            self.tags.push(tag.into());
        }
    }
}

/// By its address alone.
fn means(purge: &Purge, key: &CacheKey) -> bool {
    match purge {
        Purge::Url { tls, host, target } => {
            tls.is_none_or(|tls| tls == key.tls) && *key.host == **host && *key.target == **target
        }
        Purge::Prefix { host, target } => *key.host == **host && key.target.starts_with(target.as_str()),
        Purge::Tag { .. } => false,
        Purge::App(app) => *key.app == **app,
        Purge::All => true,
    }
}
