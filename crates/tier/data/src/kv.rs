//! Port: buckets without a wire protocol in between.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::{Kv, KvError, KvPage};
use ringway_protocol::resp::Reply;
use ringway_rt::clock::wall_ms;

use crate::op::{Action, Expiry, KEY_LEN_MAX, Op, VALUE_LEN_MAX};
use crate::scan::Scope;
use crate::{DataTier, Error};

impl Kv for DataTier {
    fn get(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<Option<Bytes>, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move {
            match tier.run_one(&bucket, Op::new(key, Action::Get)).await? {
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
            let expiry = ttl.map_or(Expiry::Default, |ttl| Expiry::At(wall_ms() + ttl.as_millis() as u64));
            tier.run_one(&bucket, Op::set(key, value, expiry)).await.map(drop)
        }
        .boxed()
    }

    fn del(&self, bucket: &str, key: Bytes) -> BoxFuture<'static, Result<bool, KvError>> {
        let (tier, bucket) = (self.arc(), bucket.to_owned());
        async move { Ok(tier.run_one(&bucket, Op::new(key, Action::Del)).await? == Reply::Int(1)) }.boxed()
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
}

impl DataTier {
    fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("a tier lives in the Arc it was made in")
    }

    async fn run_one(self: &Arc<Self>, bucket: &str, op: Op) -> Result<Reply, KvError> {
        if op.key.len() > KEY_LEN_MAX || op.len() > VALUE_LEN_MAX {
            return Err(KvError::Invalid(format!("a key may have {KEY_LEN_MAX} bytes and a value {VALUE_LEN_MAX}")));
        }
        self.bucket(bucket).await.map_err(KvError::from)?;
        match self.run_ops(bucket, vec![op]).await.pop() {
            Some(Reply::Error(text)) => Err(KvError::Unavailable(text.into_owned())),
            Some(reply) => Ok(reply),
            None => Err(Error::Internal("no reply".to_owned()).into()),
        }
    }
}
