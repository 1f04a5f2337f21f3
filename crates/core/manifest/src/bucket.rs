//! core: a bucket: a key-value space of the app, with the guarantees it asks for.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::duration;

/// One `[kv.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    pub consistency: Consistency,
    /// Copies of each key, on as many nodes if there are as many. 1 to 3.
    pub replicas: u8,
    pub storage: Storage,
    /// Of one copy, over all nodes; what was used least goes first.
    pub limit: Bytes,
    /// Of keys written without one. None: they stay.
    #[serde(with = "duration::as_ms_option")]
    pub ttl: Option<Duration>,
}

/// What a bucket promises, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    #[default]
    Eventual,
    Causal,
    Sequential,
    Strict,
}

/// Where a bucket's keys are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    #[default]
    Memory,
    Disk,
}

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket {
            consistency: Consistency::default(),
            replicas: 3,
            storage: Storage::default(),
            limit: Bytes::mb(64),
            ttl: None,
        }
    }
}

impl Consistency {
    pub(crate) const ALL: [Consistency; 4] =
        [Consistency::Eventual, Consistency::Causal, Consistency::Sequential, Consistency::Strict];

    /// Whether the data tier keeps this promise yet.
    pub(crate) fn is_available(self) -> bool {
        self == Consistency::Eventual
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Consistency::Eventual => "eventual",
            Consistency::Causal => "causal",
            Consistency::Sequential => "sequential",
            Consistency::Strict => "strict",
        })
    }
}

impl Storage {
    pub(crate) const ALL: [Storage; 2] = [Storage::Memory, Storage::Disk];
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::Memory => "memory",
            Storage::Disk => "disk",
        })
    }
}
