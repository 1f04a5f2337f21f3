//! Core: a number that replicas add to at the same time.
//!
//! A positive-negative counter (Shapiro et al., 2011, section 3.1.3) on top of a string: `start` is the number that the string of
//! version `base` was, and every node keeps the sum of what it has added since. A later base (SET, DEL, the end of an expiry) wins
//! whole; over the same base the sums of different nodes add up and the later one of a node's own counts.
//!
//! When a counter has expired and is counted on, its new base is made from the moment of the expiry: two replicas that begin the
//! next window at the same time, unknown to each other, still add to the same base.

use ringway_causality::Version;

use crate::{Life, Register};

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    base: Version,
    start: i64,
    life: Life,
    /// By node.
    sums: Vec<Sum>,
    is_buried: bool,
}

/// What one node has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub node: u64,
    pub sum: i64,
    /// [`Version::time`] of the last addition.
    pub at: u64,
}

impl Counter {
    /// Over a register of `base` that reads as `start`; 0 over a tombstone.
    pub fn new(base: Version, start: i64, expires_ms: Option<u64>) -> Self {
        Self { base, start, life: Life { expires_ms, version: base }, ..Self::default() }
    }

    /// Over something of `version` that has expired at `expires_ms`: the base of the next window.
    pub fn after_expiry(version: Version, expires_ms: u64) -> Self {
        let end = Version { wall_ms: expires_ms, ..Version::default() };
        Self::new(end.max(version), 0, None)
    }

    pub fn base(&self) -> Version {
        self.base
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    pub fn life(&self) -> Life {
        self.life
    }

    pub fn value(&self) -> i64 {
        let sum = self.sums.iter().fold(i128::from(self.start), |sum, one| sum + i128::from(one.sum));
        sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The new value; `None` if it would overflow, and nothing has changed. `at` is later than [`Counter::latest`].
    pub fn add(&mut self, at: Version, by: i64) -> Option<i64> {
        let value = self.value().checked_add(by)?;
        match self.sums.binary_search_by_key(&at.node, |one| one.node) {
            Ok(place) => {
                let own = &mut self.sums[place];
                own.sum = own.sum.checked_add(by)?;
                own.at = own.at.max(at.time());
            }
            Err(place) => {
                self.sums.reserve_exact(1);
                self.sums.insert(place, Sum { node: at.node, sum: by, at: at.time() });
            }
        }
        self.is_buried = false;
        Some(value)
    }

    pub fn set_expiry(&mut self, at: Version, expires_ms: Option<u64>) {
        self.life.merge(Life { expires_ms, version: at });
        self.is_buried = false;
    }

    pub fn is_live(&self, now_ms: u64) -> bool {
        !self.life.is_expired(now_ms)
    }

    pub fn latest(&self) -> Version {
        let added = self.sums.iter().map(|one| Version::from_time(one.at, one.node)).max().unwrap_or_default();
        added.max(self.base).max(self.life.version)
    }

    pub(crate) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    /// From parts that were read: the sums in the order of their nodes.
    pub(crate) fn from_parts(base: Version, start: i64, life: Life, sums: Vec<Sum>) -> Self {
        Self { base, start, life, sums, is_buried: false }
    }

    pub(crate) fn merge(&mut self, other: Counter) -> bool {
        if other.base != self.base {
            let wins = other.base > self.base;
            if wins {
                *self = other;
            }
            return wins;
        }
        let mut changed = self.life.merge(other.life);
        changed |= self.merge_start(other.start);
        for sum in other.sums {
            changed |= self.merge_sum(sum);
        }
        self.is_buried &= !changed;
        changed
    }

    /// Starts over one base differ only if the base had expired for one replica's clock and not yet for the other's.
    fn merge_start(&mut self, other: i64) -> bool {
        let before = self.start;
        self.start = nearer_to_zero(before, other);
        self.start != before
    }

    fn merge_sum(&mut self, other: Sum) -> bool {
        match self.sums.binary_search_by_key(&other.node, |one| one.node) {
            Ok(place) => {
                let own = &mut self.sums[place];
                let wins = (other.at, other.sum) > (own.at, own.sum);
                if wins {
                    *own = other;
                }
                wins
            }
            Err(place) => {
                self.sums.insert(place, other);
                true
            }
        }
    }

    /// Whether `register` replaces it.
    pub(crate) fn loses_to(&self, register: &Register) -> bool {
        register.version > self.base
    }

    pub(crate) fn due_ms(&self, retention_ms: u64) -> Option<u64> {
        match self.is_buried {
            true => Some(self.dead_since_ms().saturating_add(retention_ms)),
            false => self.life.expires_ms,
        }
    }

    pub(crate) fn is_forgettable(&self, now_ms: u64, retention_ms: u64) -> bool {
        !self.is_live(now_ms) && self.dead_since_ms().saturating_add(retention_ms) <= now_ms
    }

    pub(crate) fn bury(&mut self) {
        self.is_buried = true;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        crate::size_class(self.sums.capacity() * size_of::<Sum>())
    }

    fn dead_since_ms(&self) -> u64 {
        self.latest().wall_ms.max(self.life.expires_ms.unwrap_or(0))
    }
}

fn nearer_to_zero(a: i64, b: i64) -> i64 {
    if (b.unsigned_abs(), b) < (a.unsigned_abs(), a) { b } else { a }
}

#[cfg(test)]
mod tests;
