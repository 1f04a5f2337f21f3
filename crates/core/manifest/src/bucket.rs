//! core: a bucket: a key-value space of the app, with the guarantees it asks for.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::duration;
use crate::invalid::Invalid;

/// One `[kv.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    pub consistency: Consistency,
    /// Copies of each key, on as many nodes if there are as many. 1 to 3.
    pub replicas: u8,
    pub storage: Storage,
    /// As it was asked for; see [`Bucket::durability`].
    pub durability: Option<Durability>,
    /// All keys are in one partition, so that transactions, scripts and commands on several keys may take any of them.
    pub together: bool,
    /// Of one copy, over all nodes; what was used least goes first.
    pub limit: Bytes,
    /// Of keys written without one. None: they stay.
    #[serde(with = "duration::as_ms_option")]
    pub ttl: Option<Duration>,
    /// Commands of its clients that a node takes in a second. None: as many as come.
    pub ops_per_second: Option<u32>,
    /// Client connections that a node takes at a time. None: as many as the node takes of all buckets.
    pub connections: Option<u32>,
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

/// What a write waits for on each replica before it is answered, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// For nothing but memory. On disk a little later, if the bucket is on disk.
    Memory,
    /// It is with the operating system, and on the disk within [`Durability::BATCH_WITHIN`].
    Batch,
    /// It is on the disk (`fsync`).
    Sync,
}

/// A key of a `[kv.NAME]` with its value, where the two do not go together with the rest.
pub type BucketFault = (&'static str, Invalid);

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket {
            consistency: Consistency::default(),
            replicas: 3,
            storage: Storage::default(),
            durability: None,
            together: false,
            limit: Bytes::mb(64),
            ttl: None,
            ops_per_second: None,
            connections: None,
        }
    }
}

impl Bucket {
    pub const REPLICAS: RangeInclusive<u8> = 1..=3;
    /// Less holds too little of anything to be meant.
    pub const LIMIT_LEAST: Bytes = Bytes(1 << 20);
    pub const OPS_PER_SECOND_MAX: u32 = 1_000_000_000;
    pub const CONNECTIONS_MAX: u32 = 1_000_000;

    /// What a write waits for.
    pub fn durability(&self) -> Durability {
        match self.storage {
            Storage::Memory => Durability::Memory,
            Storage::Disk => self.durability.unwrap_or(Durability::Batch),
        }
    }

    /// Whatever its text was: what cannot be, by key. The manifest's parser, the admin API and the catalog ask here.
    pub fn faults(&self) -> Vec<BucketFault> {
        let mut faults = Vec::new();
        if !self.consistency.is_available() {
            let message = format!("`{}` is not available yet; use `eventual`", self.consistency);
            let help = "any replica accepts writes and they converge: a read may be a little old for a moment";
            faults.push(("consistency", Invalid::new(message).help(help)));
        }
        if !Self::REPLICAS.contains(&self.replicas) {
            let message =
                format!("{} is not between {} and {}", self.replicas, Self::REPLICAS.start(), Self::REPLICAS.end());
            faults.push(("replicas", Invalid::new(message)));
        }
        if let Some(durability) = self.durability.filter(|_| self.storage == Storage::Memory) {
            let message = format!("`{durability}` is for `storage = \"disk\"`: this bucket is in memory");
            let help =
                "add `storage = \"disk\"`, or leave `durability` out: its copies on other nodes are what survives";
            faults.push(("durability", Invalid::new(message).help(help)));
        }
        if self.limit < Self::LIMIT_LEAST {
            let message = format!("{} is too little to hold anything: at least {}", self.limit, Self::LIMIT_LEAST);
            faults.push(("limit", Invalid::new(message)));
        }
        if self.ttl.is_some_and(|ttl| ttl.is_zero()) {
            faults.push(("ttl", Invalid::new("it must be more than 0")));
        }
        for (key, value, most) in [
            ("ops_per_second", self.ops_per_second, Self::OPS_PER_SECOND_MAX),
            ("connections", self.connections, Self::CONNECTIONS_MAX),
        ] {
            if value.is_some_and(|value| value == 0 || value > most) {
                faults.push((key, Invalid::new(format!("it is between 1 and {most}, or left out for no limit"))));
            }
        }
        faults
    }
}

impl Consistency {
    pub const ALL: [Consistency; 4] =
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
    pub const ALL: [Storage; 2] = [Storage::Memory, Storage::Disk];
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::Memory => "memory",
            Storage::Disk => "disk",
        })
    }
}

impl Durability {
    pub const ALL: [Durability; 3] = [Durability::Memory, Durability::Batch, Durability::Sync];
    /// What `batch` may lose when the power fails.
    pub const BATCH_WITHIN: Duration = Duration::from_millis(5);
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Memory => "memory",
            Durability::Batch => "batch",
            Durability::Sync => "sync",
        })
    }
}

#[cfg(test)]
mod tests;
