//! Core: keys of a bucket. Values travel as they are, in bodies of `/v1/kv/{bucket}/{key}`, or with `?as=lines` as [`super::KvLine`]s.

use ringway_ports::KvKind;
use serde::{Deserialize, Serialize};

/// `GET /v1/kv/{bucket}?cursor=C&count=N`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvKeys {
    pub keys: Vec<KvKey>,
    /// Hand this in for the next page; 0 at the end.
    pub cursor: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvKey {
    pub base64: String,
    /// The key as text, if it is one.
    pub utf8: Option<String>,
}

/// `POST /v1/buckets/{bucket}/import?existing=replace|keep`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvImported {
    /// Lines that were taken in.
    pub records: u64,
    /// Those of them that changed something: not those that had expired, or whose key was there and is to be kept.
    pub written: u64,
}

/// `GET /v1/buckets/{bucket}/top?count=N`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KvTopView {
    pub at_ms: u64,
    pub hot: Vec<HotKeyView>,
    pub big: Vec<BigKeyView>,
    /// Of all keys.
    pub ops_per_second: f64,
    pub sampled_one_in: u32,
    /// Keys (of all copies) that were looked at for their size, and keys there are.
    pub walked: u64,
    pub keys: u64,
    /// Nodes whose keys are missing here, with why.
    pub missing: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotKeyView {
    pub key: KvKey,
    pub node: String,
    pub ops_per_second: f64,
    /// By how much that may be too high.
    pub error: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BigKeyView {
    pub key: KvKey,
    pub node: String,
    pub kind: KvKind,
    pub bytes: u64,
    /// Elements; bytes of a string.
    pub len: u64,
}
