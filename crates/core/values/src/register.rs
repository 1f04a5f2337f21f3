//! Core: a string, or the memory that there was something.
//!
//! A last-writer-wins register (Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data Types", 2011,
//! section 3.2.1): the greater version wins. That is associative, commutative and idempotent. Deleting is writing "nothing" (a
//! tombstone), which has to be kept until all replicas have heard of it, or the old value would come back.

use bytes::Bytes;
use ringway_causality::Version;

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Register {
    pub version: Version,
    /// `None`: a tombstone.
    pub value: Option<Bytes>,
    /// Milliseconds since 1970. Past it the register counts as a tombstone of the same version.
    pub expires_ms: Option<u64>,
    /// What goes along with the value and is not seen with it: memcached's flags. Part of the write, like the value.
    pub marks: u64,
}

impl Register {
    pub fn new(version: Version, value: Bytes, expires_ms: Option<u64>) -> Self {
        Self { version, value: Some(value), expires_ms, marks: 0 }
    }

    pub fn tombstone(version: Version) -> Self {
        Self { version, value: None, expires_ms: None, marks: 0 }
    }

    /// What a reader may see at `now_ms`.
    pub fn live_value(&self, now_ms: u64) -> Option<&Bytes> {
        self.value.as_ref().filter(|_| !self.is_expired(now_ms))
    }

    pub fn is_live(&self, now_ms: u64) -> bool {
        self.live_value(now_ms).is_some()
    }

    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }

    /// Takes `other` if it is later. Whether it was. Equal versions are the same write.
    pub fn merge(&mut self, other: Register) -> bool {
        let wins = other.version > self.version;
        if wins {
            *self = other;
        }
        wins
    }

    /// When something is to be done about it: an expired value becomes a tombstone, an old tombstone goes.
    pub fn due_ms(&self, retention_ms: u64) -> Option<u64> {
        match self.value {
            Some(_) => self.expires_ms,
            None => Some(self.dead_since_ms().saturating_add(retention_ms)),
        }
    }

    /// Whether nobody needs to remember it any more: dead for longer than `retention_ms`.
    pub fn is_forgettable(&self, now_ms: u64, retention_ms: u64) -> bool {
        !self.is_live(now_ms) && self.dead_since_ms().saturating_add(retention_ms) <= now_ms
    }

    /// Drops the value of an expired register but keeps its version, so that digests do not change.
    pub fn bury(&mut self) {
        (self.value, self.marks) = (None, 0);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| crate::size_class(value.len()))
    }

    fn dead_since_ms(&self) -> u64 {
        self.version.wall_ms.max(self.expires_ms.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
