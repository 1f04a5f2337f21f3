//! Core: buckets, with what they hold.

use ringway_manifest::{Consistency, Storage};
use serde::{Deserialize, Serialize};

/// `GET /v1/buckets`, `GET /v1/buckets/{name}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketView {
    pub name: String,
    pub app: Option<String>,
    pub consistency: Consistency,
    pub replicas: u8,
    pub storage: Storage,
    pub limit_bytes: u64,
    pub ttl_ms: Option<u64>,
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
    pub limit_bytes: Option<u64>,
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatedBucket {
    pub name: String,
    /// `redis://BUCKET:TOKEN@host:port`; None where this node has no Redis door.
    pub url: Option<String>,
    pub token: String,
}
