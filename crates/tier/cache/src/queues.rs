//! Core: what to evict: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023), counted in bytes.
//!
//! What is new goes into a small queue, and out again soon unless it is used there; what was used, or comes back soon after it left,
//! into the main one. So one visit to each of a million pages (a crawler) pushes out other such pages, and nothing that is in use.
//! Nothing moves at a hit: uses are counted in the response, which the front end can do by itself.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::entry::Entry;

/// The small queue's share is one in this many.
const SMALL_SHARE: u64 = 10;
/// So many uses in the small queue bring a response into the main one.
const USES_TO_STAY: u32 = 2;
/// More uses count no more: what was in use yesterday has to go some time.
const USES_MAX: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Queues {
    small: Lane,
    main: Lane,
    ghost: Ghost,
}

#[derive(Debug, Default)]
struct Lane {
    /// Also of what is gone: found out when its turn comes.
    queue: VecDeque<Weak<Entry>>,
    bytes: u64,
    count: usize,
}

/// The names of what was evicted lately from the small queue.
#[derive(Debug, Default)]
struct Ghost {
    names: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Queues {
    /// Queues something new, or something that stands for another that was in the main queue.
    pub(crate) fn enter(&mut self, entry: &Arc<Entry>, was_main: bool) {
        let returns = self.ghost.take(entry.name());
        self.push(entry, was_main || returns);
    }

    /// It is not to be had any more. Its place in the queue is found empty later.
    pub(crate) fn leave(&mut self, entry: &Entry) {
        let lane = self.lane(entry.is_main.load(Ordering::Relaxed));
        lane.bytes -= entry.weight;
        lane.count -= 1;
        self.sort_out();
    }

    /// What is to go next. It is still counted: [`Queues::leave`] follows.
    pub(crate) fn next(&mut self) -> Option<Arc<Entry>> {
        loop {
            let from_main =
                self.small.bytes < self.bytes() / SMALL_SHARE && self.main.count > 0 || self.small.count == 0;
            let entry = self.lane(from_main).pop()?;
            let uses = entry.response.uses.load(Ordering::Relaxed).min(USES_MAX);
            let stays = if from_main { uses > 0 } else { uses >= USES_TO_STAY };
            if !stays {
                if !from_main {
                    let count = self.small.count + self.main.count;
                    self.ghost.remember(entry.name(), count);
                }
                return Some(entry);
            }
            // One turn more. The uses that brought it into the main queue count no more there.
            entry.response.uses.store(if from_main { uses - 1 } else { 0 }, Ordering::Relaxed);
            let lane = self.lane(from_main);
            (lane.bytes, lane.count) = (lane.bytes - entry.weight, lane.count - 1);
            self.push(&entry, true);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.small.bytes + self.main.bytes
    }

    fn push(&mut self, entry: &Arc<Entry>, main: bool) {
        entry.is_main.store(main, Ordering::Relaxed);
        let lane = self.lane(main);
        lane.queue.push_back(Arc::downgrade(entry));
        (lane.bytes, lane.count) = (lane.bytes + entry.weight, lane.count + 1);
    }

    fn lane(&mut self, main: bool) -> &mut Lane {
        if main { &mut self.main } else { &mut self.small }
    }

    /// Empty places are bounded by those that are not.
    fn sort_out(&mut self) {
        for lane in [&mut self.small, &mut self.main] {
            if lane.queue.len() > lane.count * 2 + 64 {
                lane.queue.retain(|entry| entry.upgrade().is_some_and(|entry| !entry.is_gone()));
            }
        }
    }
}

impl Lane {
    fn pop(&mut self) -> Option<Arc<Entry>> {
        while let Some(entry) = self.queue.pop_front() {
            if let Some(entry) = entry.upgrade().filter(|entry| !entry.is_gone()) {
                return Some(entry);
            }
        }
        None
    }
}

impl Ghost {
    fn remember(&mut self, name: u64, count_max: usize) {
        if self.names.insert(name) {
            self.order.push_back(name);
        }
        while self.order.len() > count_max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.names.remove(&oldest);
        }
    }

    fn take(&mut self, name: u64) -> bool {
        self.names.remove(&name)
    }
}

#[cfg(test)]
mod tests;
