//! Port: buckets without a wire protocol in between.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::{
    ChangesFrom, Existing, Kv, KvChanges, KvError, KvPage, KvPattern, KvRecord, KvRecords, KvStats, KvTop,
};
use ringway_protocol::resp::{Reply, RespVersion, read_reply};
use ringway_rt::clock::wall_ms;

use crate::call::{KEY_LEN_MAX, VALUE_LEN_MAX};
use crate::export::refused;
use crate::scan::Scope;
use crate::unit::Unit;
use crate::{DataTier, Error};

impl Kv for DataTier {
    fn get(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<Bytes>, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move {
            match tier.run_words(&bucket, &[b"GET", &key]).await? {
                Reply::Bulk(value) => Ok(Some(value)),
                _ => Ok(None),
            }
        }
        .boxed()
    }

    fn set(
        &self,
        bucket: &str,
        key: Bytes,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> BoxFuture<'static, Result<(), KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move {
            let Some(ttl) = ttl else { return tier.run_words(&bucket, &[b"SET", &key, &value]).await.map(drop) };
            let at_ms = (wall_ms() + ttl.as_millis() as u64).to_string();
            tier.run_words(&bucket, &[b"SET", &key, &value, b"PXAT", at_ms.as_bytes()]).await.map(drop)
        }
        .boxed()
    }

    fn del(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<bool, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { Ok(tier.run_words(&bucket, &[b"DEL", &key]).await? == Reply::Int(1)) }.boxed()
    }

    fn scan(&self, bucket: &str, cursor: u64, count: usize) -> BoxFuture<'static, Result<KvPage, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move {
            let (keys, cursor) = DataTier::scan(&tier, &bucket, cursor, count, Scope::Bucket).await?;
            Ok(KvPage { keys, cursor })
        }
        .boxed()
    }

    fn usage(&self, bucket: &str) -> Option<(u64, u64)> {
        let usage = self.view().buckets.get(bucket)?.store().usage();
        Some((usage.keys, usage.bytes))
    }

    fn read(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<KvRecord>, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { tier.read_record(&bucket, key).await }.boxed()
    }

    fn export(&self, bucket: &str, cursor: u64, bytes_max: usize) -> BoxFuture<'static, Result<KvRecords, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { tier.export_from(&bucket, cursor, bytes_max).await }.boxed()
    }

    fn import(
        &self,
        bucket: &str,
        records: Vec<KvRecord>,
        existing: Existing,
    ) -> BoxFuture<'static, Result<u64, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { tier.import_records(&bucket, records, existing).await }.boxed()
    }

    fn stats(&self, bucket: &str) -> Option<KvStats> {
        self.bucket_stats(bucket)
    }

    fn changes(
        &self,
        bucket: &str,
        pattern: KvPattern,
        from: Option<ChangesFrom>,
        within: Duration,
    ) -> BoxFuture<'static, Result<KvChanges, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move {
            let (_, bucket) = tier.bucket(&bucket).await?;
            Ok(bucket.held.feed.changes(&pattern, from, within, wall_ms()).await)
        }
        .boxed()
    }

    fn top(&self, bucket: &str, count: usize) -> BoxFuture<'static, Result<KvTop, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { tier.top_keys(&bucket, count).await }.boxed()
    }
}

impl DataTier {
    fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("a tier lives in the Arc it was made in")
    }

    /// One command on one key, the word after its name.
    async fn run_words(self: &Arc<Self>, bucket: &str, words: &[&[u8]]) -> Result<Reply, KvError> {
        if words[1].len() > KEY_LEN_MAX || words.iter().any(|word| word.len() > VALUE_LEN_MAX) {
            return Err(KvError::Invalid(format!("a key may have {KEY_LEN_MAX} bytes and a value {VALUE_LEN_MAX}")));
        }
        let (_, open) = self.bucket(bucket).await.map_err(KvError::from)?;
        let unit = Unit::one(open.partition_of(words[1]), words);
        let reply = self.run_units(bucket, vec![unit], RespVersion::Three).await.pop().unwrap_or_default();
        match read_reply(&reply) {
            Ok(Some((Reply::Error(text), _))) => Err(refused(text.into_owned())),
            Ok(Some((reply, _))) => Ok(reply),
            _ => Err(Error::Internal("no reply".to_owned()).into()),
        }
    }
}
