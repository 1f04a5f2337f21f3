//! Port: the data tier without a wire protocol in between, for the admin API and the platform's own needs.
//!
//! Some methods are about the whole bucket, wherever its keys are (`get`, `read`, `scan`, `export`, ...); others about this node
//! alone (`usage`, `stats`, `top`, `changes`): who wants all of it asks all nodes and adds up.

mod changes;
mod record;
mod stats;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::changes::{ChangesFrom, KvChange, KvChanges, KvPattern};
pub use self::record::{Existing, KvKind, KvRecord, KvRecords, KvValue};
pub use self::stats::{BigKey, HotKey, KvStats, KvTop};

#[derive(Debug, Clone, Error)]
pub enum KvError {
    #[error("there is no bucket {0}")]
    NoBucket(String),
    /// It may or may not have been done.
    #[error("too few replicas answered: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Invalid(String),
    /// Not by this data tier; nothing was done.
    #[error("this node's data tier cannot {0} yet")]
    Unsupported(&'static str),
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

    /// A key of whatever type with its expiry; None if it is not there.
    fn read(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<KvRecord>, KvError>> {
        let got = self.get(bucket, key.clone());
        let record = |value| KvRecord { value: KvValue::String(value), ..KvRecord::empty(key) };
        async move { Ok(got.await?.map(record)) }.boxed()
    }

    /// Live keys from `cursor` (0 begins), about `bytes_max` of them and at least one. What comes of one partition in one answer is as it
    /// was at one moment: read at the acting primary under the partition's lock. A partition that is larger than `bytes_max` takes
    /// several answers, and may change between them. No key is left out that is there from the first answer to the last.
    fn export(&self, _bucket: &str, _cursor: u64, _bytes_max: usize) -> BoxFuture<'static, Result<KvRecords, KvError>> {
        unsupported("export")
    }

    /// Writes them as clients would, each key at once, in their order. Those that have expired by now are left out. Returns how many
    /// were written. Doing it again changes nothing more, unless the first record `continues` an earlier one.
    fn import(
        &self,
        _bucket: &str,
        _records: Vec<KvRecord>,
        _existing: Existing,
    ) -> BoxFuture<'static, Result<u64, KvError>> {
        unsupported("import")
    }

    /// What this node holds of a bucket and has seen of it. None: it is not open here.
    fn stats(&self, bucket: &str) -> Option<KvStats> {
        let (keys, bytes) = self.usage(bucket)?;
        Some(KvStats { keys, bytes, ..KvStats::default() })
    }

    /// The `count` keys of a bucket that are used most on this node, and the largest. Each call goes on with a bounded walk over the
    /// keys, so that the largest are found within some calls.
    fn top(&self, _bucket: &str, _count: usize) -> BoxFuture<'static, Result<KvTop, KvError>> {
        unsupported("tell its hot and big keys")
    }

    /// Changes of keys that this node has executed (as their acting primary) after `from`: waits up to `within` for one. The first call for a
    /// bucket begins the feed; it ends when nobody has asked for a minute. Each change of a bucket is told by one node, once.
    fn changes(
        &self,
        _bucket: &str,
        _pattern: KvPattern,
        _from: Option<ChangesFrom>,
        _within: Duration,
    ) -> BoxFuture<'static, Result<KvChanges, KvError>> {
        unsupported("tell of changes")
    }
}

fn unsupported<T: Send + 'static>(what: &'static str) -> BoxFuture<'static, Result<T, KvError>> {
    ready(Err(KvError::Unsupported(what))).boxed()
}
