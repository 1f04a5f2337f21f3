//! Core: what has happened to keys, for those who watch.

use bytes::Bytes;
use ringway_protocol::glob;
use serde::{Deserialize, Serialize};

/// Whose changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvPattern {
    Key(Bytes),
    /// As Redis' `KEYS` has it.
    Glob(Bytes),
}

impl KvPattern {
    pub fn matches(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(only) => *only == key,
            Self::Glob(pattern) => glob::matches(pattern, key),
        }
    }
}

/// How far somebody has heard a node's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesFrom {
    /// Differs after a restart, and after the feed had ended.
    pub run: u64,
    /// Number of the next change.
    pub next: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvChange {
    /// By the clock of the node that executed it.
    pub at_ms: u64,
    pub key: Bytes,
    /// The command that did it, in lower case: `set`, `del`, `lpush`, ...
    pub event: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvChanges {
    /// Oldest first.
    pub changes: Vec<KvChange>,
    /// For the next call.
    pub next: ChangesFrom,
    /// Changes (of any key) since `from` that are not here any more: they came faster than they were asked for.
    pub lost: u64,
}
