//! Port: the data tier without a wire protocol in between, for the admin API and the platform's own needs.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;

#[derive(Debug, Clone, Error)]
pub enum KvError {
    #[error("there is no bucket {0}")]
    NoBucket(String),
    /// It may or may not have been done.
    #[error("too few replicas answered: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Invalid(String),
}

/// Part of a bucket's keys, in no particular order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KvPage {
    pub keys: Vec<Bytes>,
    /// Hand this in for the next page; 0 at the end (as Redis' SCAN does).
    pub cursor: u64,
}

pub trait Kv: Send + Sync {
    fn get(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<Bytes>, KvError>>;
    fn set(
        &self,
        bucket: &str,
        key: Bytes,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> BoxFuture<'static, Result<(), KvError>>;
    /// Whether there was such a key.
    fn del(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<bool, KvError>>;
    fn scan(&self, bucket: &str, cursor: u64, count: usize) -> BoxFuture<'static, Result<KvPage, KvError>>;
    /// Keys and bytes of a bucket on this node: (keys, bytes).
    fn usage(&self, bucket: &str) -> Option<(u64, u64)>;
}
