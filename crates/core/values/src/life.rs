//! Core: when a collection or a counter expires.
//!
//! A last-writer-wins register of its own, so that EXPIRE at one replica clobbers no element added at another.

use ringway_causality::Version;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Life {
    /// Milliseconds since 1970.
    pub expires_ms: Option<u64>,
    pub version: Version,
}

impl Life {
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }

    /// Takes `other` if it is later. Whether it was.
    pub(crate) fn merge(&mut self, other: Life) -> bool {
        let wins = (other.version, other.expires_ms) > (self.version, self.expires_ms);
        if wins {
            *self = other;
        }
        wins
    }
}
