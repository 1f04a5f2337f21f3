//! Core: figures of a bucket on one node.

use bytes::Bytes;
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

use super::KvKind;

/// Counts are since this node opened the bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KvStats {
    /// Live keys here, of whichever copy.
    pub keys: u64,
    /// Those of them that this node is the acting primary of: over all nodes, the keys of the bucket. None: it cannot tell.
    pub keys_primary: Option<u64>,
    /// Of memory, as the limit counts them.
    pub bytes: u64,
    /// This node's share of the bucket's limit. 0: it cannot tell.
    pub limit: u64,
    /// In the files of a bucket on disk.
    pub disk_bytes: u64,
    /// Reads of keys at their acting primary that found something, and that did not.
    pub hits: u64,
    pub misses: u64,
    /// Keys that had to go to keep the limit.
    pub evicted: u64,
    pub expired: u64,
    /// Commands that ran here, and that were refused for `ops_per_second`.
    pub ops: u64,
    pub ops_refused: u64,
    /// Of clients at this node's doors now, and those that were refused for `connections`.
    pub connections: u64,
    pub connections_refused: u64,
    /// Who lacks writes that were acknowledged here, in how many partitions.
    pub behind: Vec<(NodeId, u64)>,
    /// How long the oldest of these has been waiting. None: nobody lacks anything.
    pub lag_ms: Option<u64>,
    /// How old writes were at most when they came here from another replica: in the last minute, and ever. What a read here may have
    /// missed.
    pub staleness_ms: Option<u64>,
    pub staleness_max_ms: Option<u64>,
    /// Entries whose checksum was wrong when they were read from disk, and those of them that a replica brought back.
    pub damaged: u64,
    pub repaired: u64,
}

/// Keys of one node that stand out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KvTop {
    /// Most used first.
    pub hot: Vec<HotKey>,
    /// Largest first, of those that the walk has seen.
    pub big: Vec<BigKey>,
    /// Of all keys on this node.
    pub ops_per_second: f64,
    /// One use of so many is looked at.
    pub sampled_one_in: u32,
    /// Keys that the walk has seen, and keys there are.
    pub walked: u64,
    pub keys: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotKey {
    /// The beginning of it, if it is long.
    pub key: Bytes,
    /// A guess, and by how much it may be too high.
    pub ops_per_second: f64,
    pub error: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BigKey {
    pub key: Bytes,
    pub kind: KvKind,
    /// Of memory.
    pub bytes: u64,
    /// Elements; bytes of a string.
    pub len: u64,
}
