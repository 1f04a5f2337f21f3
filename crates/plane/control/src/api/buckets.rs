//! Core: buckets, with what they hold, promise and may lose.

use ringway_manifest::{Consistency, Durability, Storage};
use ringway_ports::KvStats;
use serde::{Deserialize, Serialize};

use super::status::{NodeRef, Reach, ShareView};

/// `PUT /v1/buckets/{name}`
pub use ringway_catalog::BucketChange as ChangeBucket;

/// `GET /v1/buckets`, `GET /v1/buckets/{name}`, `PUT /v1/buckets/{name}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketView {
    pub name: String,
    pub app: Option<String>,
    pub consistency: Consistency,
    pub replicas: u8,
    pub storage: Storage,
    /// What a write waits for.
    #[serde(default = "durability_before")]
    pub durability: Durability,
    #[serde(default)]
    pub together: bool,
    pub limit_bytes: u64,
    pub ttl_ms: Option<u64>,
    /// Of each node; None for no limit.
    #[serde(default)]
    pub ops_per_second: Option<u32>,
    #[serde(default)]
    pub connections: Option<u32>,
    pub created_ms: u64,
    /// All copies on all nodes that answered.
    pub keys_held: u64,
    pub bytes_held: u64,
    /// How many nodes' figures are missing in these sums.
    pub nodes_missing: usize,
    /// With its password; only when one bucket is asked for.
    #[serde(default)]
    pub url: Option<String>,
}

/// `POST /v1/buckets`. What is left out is as in a manifest's `[kv.NAME]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreateBucket {
    pub name: String,
    #[serde(default)]
    pub consistency: Option<Consistency>,
    #[serde(default)]
    pub replicas: Option<u8>,
    #[serde(default)]
    pub storage: Option<Storage>,
    #[serde(default)]
    pub durability: Option<Durability>,
    #[serde(default)]
    pub together: Option<bool>,
    #[serde(default)]
    pub limit_bytes: Option<u64>,
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    #[serde(default)]
    pub ops_per_second: Option<u32>,
    #[serde(default)]
    pub connections: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatedBucket {
    pub name: String,
    /// `redis://BUCKET:TOKEN@host:port`; None where this node has no Redis door.
    pub url: Option<String>,
    pub token: String,
}

/// `GET /v1/buckets/{name}/info`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketInfo {
    #[serde(flatten)]
    pub bucket: BucketView,
    pub words: BucketWords,
    /// Keys of the bucket, each counted once; None if a node cannot tell.
    pub keys: Option<u64>,
    /// Of reads that found something; None before there was one.
    pub hit_ratio: Option<f64>,
    /// By name; nodes that hold nothing of it are there too.
    pub nodes: Vec<BucketOnNode>,
}

/// What a bucket is worth, in sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketWords {
    pub promises: Vec<String>,
    pub may_lose: Vec<String>,
    /// How it stands with that at the moment.
    pub now: Vec<String>,
    /// Whether something of that needs somebody.
    pub is_well: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketOnNode {
    pub node: NodeRef,
    pub reach: Reach,
    /// In partitions, of 4096; of the one if the bucket's keys are together.
    pub share: ShareView,
    /// None if the node did not answer.
    pub stats: Option<KvStats>,
}

/// A disk bucket of the first release waited for its disk.
fn durability_before() -> Durability {
    Durability::Sync
}
