//! Core: who listens to what in one bucket on this node, and who gets a message. The clock is handed in.
//!
//! Channels, patterns and shard channels are three sets of names; a client that listens to a channel and to a pattern that fits it
//! gets a message twice, as in Redis. What is on its way to a client is in its [`Inbox`].

mod inbox;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use self::inbox::{Inbox, News};
use ringway_protocol::glob;

/// The three sets of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Channels,
    Patterns,
    Shards,
}

/// A message, as it is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publication {
    pub(crate) channel: Bytes,
    pub(crate) message: Bytes,
    pub(crate) is_sharded: bool,
}

type Listeners = HashMap<Bytes, HashMap<u64, Arc<Inbox>>>;

#[derive(Debug, Default)]
pub(crate) struct PubSub {
    /// Names with listeners: nothing is locked where there are none.
    count: AtomicUsize,
    by_name: RwLock<ByName>,
}

#[derive(Debug, Default)]
struct ByName {
    channels: Listeners,
    patterns: Listeners,
    shards: Listeners,
}

impl ByName {
    fn of(&self, names: Names) -> &Listeners {
        match names {
            Names::Channels => &self.channels,
            Names::Patterns => &self.patterns,
            Names::Shards => &self.shards,
        }
    }

    fn of_mut(&mut self, names: Names) -> &mut Listeners {
        match names {
            Names::Channels => &mut self.channels,
            Names::Patterns => &mut self.patterns,
            Names::Shards => &mut self.shards,
        }
    }
}

impl PubSub {
    pub(crate) fn join(&self, names: Names, name: &Bytes, inbox: &Arc<Inbox>) {
        let mut by_name = self.write();
        let listeners = by_name.of_mut(names).entry(name.clone()).or_insert_with(|| {
            self.count.fetch_add(1, Ordering::SeqCst);
            HashMap::new()
        });
        listeners.insert(inbox.id(), inbox.clone());
    }

    pub(crate) fn leave(&self, names: Names, name: &Bytes, id: u64) {
        let mut by_name = self.write();
        let all = by_name.of_mut(names);
        let Some(listeners) = all.get_mut(name) else { return };
        listeners.remove(&id);
        if listeners.is_empty() {
            all.remove(name);
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Puts a message into the inboxes of those who listen here. How many times.
    pub(crate) fn deliver(&self, said: &Publication, now_ms: u64) -> u64 {
        if self.count.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        let by_name = self.read();
        let put = |listeners: &HashMap<u64, Arc<Inbox>>, news: News| {
            listeners.values().filter(|inbox| inbox.put(news.clone(), now_ms)).count() as u64
        };
        let names = if said.is_sharded { Names::Shards } else { Names::Channels };
        let direct = by_name.of(names).get(&said.channel).map_or(0, |listeners| put(listeners, News::plain(said)));
        if said.is_sharded {
            return direct;
        }
        let fitting = by_name.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, &said.channel));
        direct + fitting.map(|(pattern, listeners)| put(listeners, News::by_pattern(pattern, said))).sum::<u64>()
    }

    /// The names somebody listens to.
    pub(crate) fn names(&self, names: Names, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let fits = |name: &&Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        self.read().of(names).keys().filter(fits).cloned().collect()
    }

    /// How many listen to each of these.
    pub(crate) fn counts(&self, names: Names, asked: &[Bytes]) -> Vec<u64> {
        let by_name = self.read();
        asked.iter().map(|name| by_name.of(names).get(name).map_or(0, HashMap::len) as u64).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, ByName> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByName> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
