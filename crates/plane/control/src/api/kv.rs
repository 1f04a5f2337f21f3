//! Core: keys of a bucket. Values travel as they are, in bodies of `/v1/kv/{bucket}/{key}`.

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
