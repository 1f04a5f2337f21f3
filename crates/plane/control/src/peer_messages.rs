//! Core: what nodes ask each other for the admin API. JSON, so that nodes of two versions understand each other.

use std::time::Duration;

use ringway_ports::{ChangesFrom, InstanceView, KvPattern, LogLine};
use ringway_ring::{NodeId, Point};
use serde::{Deserialize, Serialize};

use crate::api::RequestRates;

/// Lines in one answer, and their bytes: well below what a message may have.
pub(crate) const LINES_MAX: usize = 1000;
pub(crate) const LINES_BYTES_MAX: usize = 4 << 20;
/// Keys in one answer.
pub(crate) const TOP_MAX: usize = 200;
/// How long a node waits for a change before it says that there is none.
pub(crate) const CHANGES_WITHIN_MAX: Duration = Duration::from_secs(10);
/// Cached responses in one answer.
pub(crate) const CACHE_ENTRIES_MAX: usize = 1000;
/// Instances in one answer.
pub(crate) const INSTANCES_MAX: usize = 4096;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    /// Answered with `null`.
    Ping,
    /// Answered with a [`Report`].
    Report,
    /// Answered with a [`PartitionLoad`] for each partition that is not empty.
    Loads,
    /// Answered with the last [`LogLine`]s.
    Logs { app: String, lines: usize },
    /// Answered with a [`TailPart`]: the last `lines` without a cursor, else what came since.
    Tail { app: String, after: Option<Cursor>, lines: usize },
    /// Answered with a [`ringway_ports::KvStats`], or `null` if the bucket is not open.
    Bucket { bucket: String },
    /// Answered with a [`ringway_ports::CacheStats`].
    Cache,
    /// Answered with [`ringway_ports::CacheEntry`]s, the most used first.
    CacheEntries { pattern: String, count: usize },
    /// Answered with a [`ringway_ports::KvTop`].
    Top { bucket: String, count: usize },
    /// Answered with a [`ringway_ports::KvChanges`], as soon as there is one or after `within_ms`.
    Changes { bucket: String, pattern: KvPattern, from: Option<ChangesFrom>, within_ms: u64 },
}

/// A node about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: String,
    pub(crate) started_ms: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) rates: RequestRates,
    pub(crate) instances: Vec<InstanceView>,
    /// Copies fetched, of copies to fetch.
    #[serde(default)]
    pub(crate) transfer: Option<(u64, u64)>,
    #[serde(default)]
    pub(crate) usage: Vec<BucketUsage>,
    #[serde(default)]
    pub(crate) fetches: Vec<Fetch>,
    /// Of a node of a peer-to-peer ring.
    #[serde(default)]
    pub(crate) places: Vec<OwnPlace>,
}

/// What a node is fetching from another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    pub from: NodeId,
    /// Copies of partitions.
    pub partitions_done: u64,
    pub partitions_total: u64,
    pub bytes_done: u64,
    /// A guess; None before there is anything to guess from.
    pub bytes_total: Option<u64>,
    pub bytes_per_second: u64,
    pub eta_ms: Option<u64>,
    /// `moving`, `waiting`, or why it does not go on.
    pub state: String,
}

/// Where a node of a peer-to-peer ring stands, and for which arc it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnPlace {
    pub(crate) point: Point,
    /// The arc begins behind this point; None: it answers for nothing yet.
    pub(crate) after: Option<Point>,
    /// The nodes with copies, this one first.
    pub(crate) owners: Vec<NodeId>,
}

/// What a node keeps of a partition, over all buckets: number, keys, bytes.
pub type PartitionLoad = (u16, u64, u64);

/// What a bucket holds on one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketUsage {
    pub(crate) bucket: String,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

/// How far somebody has read a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Differs after a restart.
    pub(crate) run: u64,
    /// Number of the next line.
    pub(crate) next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TailPart {
    pub(crate) cursor: Cursor,
    pub(crate) lines: Vec<LogLine>,
    /// Lines (of any app) that came since the cursor and are no longer there.
    pub(crate) lost: u64,
}
