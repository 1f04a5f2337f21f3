//! Driver: commands about all keys of a bucket.

use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::glob;
use ringway_protocol::resp::{Reply, RespVersion};

use crate::command::{Scan, Whole};
use crate::door::session::scope;
use crate::unit::Unit;
use crate::{DataTier, Error};

/// How many keys RANDOMKEY looks at to take one of them.
const RANDOM_COUNT: usize = 16;

pub(super) async fn run(tier: &Arc<DataTier>, bucket: &str, asked: Whole) -> Result<Reply, Error> {
    let scope = scope(tier);
    match asked {
        Whole::Scan(asked) => scan(tier, bucket, asked).await,
        Whole::Keys(pattern) => {
            let keys = tier.all_keys(bucket, scope, |key| glob::matches(&pattern, key)).await?;
            Ok(Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
        }
        Whole::KeyCount => tier.key_count(bucket, scope).await.map(|count| Reply::Int(count as i64)),
        Whole::RandomKey => random_key(tier, bucket).await,
        Whole::Flush => tier.flush(bucket).await.map(|()| Reply::OK),
    }
}

async fn scan(tier: &Arc<DataTier>, bucket: &str, asked: Scan) -> Result<Reply, Error> {
    let (mut keys, next) = tier.scan(bucket, asked.cursor, asked.count, scope(tier)).await?;
    keys.retain(|key| asked.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key)));
    if let Some(kind) = &asked.kind {
        keys = of_kind(tier, bucket, keys, kind).await?;
    }
    let keys = keys.into_iter().map(Reply::Bulk).collect();
    Ok(Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(keys)]))
}

async fn of_kind(tier: &Arc<DataTier>, bucket: &str, keys: Vec<Bytes>, kind: &str) -> Result<Vec<Bytes>, Error> {
    let (_, open) = tier.bucket(bucket).await?;
    let units = keys.iter().map(|key| Unit::one(open.partition_of(key), &[b"TYPE", key])).collect();
    let kinds = tier.run_units(bucket, units, RespVersion::Two).await;
    let wanted = format!("+{kind}\r\n");
    Ok(keys.into_iter().zip(kinds).filter(|(_, reply)| *reply == wanted.as_bytes()).map(|(key, _)| key).collect())
}

/// Some key from a place in the ring that chance chooses, or from its beginning if there is none behind that.
async fn random_key(tier: &Arc<DataTier>, bucket: &str) -> Result<Reply, Error> {
    let (_, open) = tier.bucket(bucket).await?;
    let cursor = open.random_cursor();
    for from in [cursor, 0] {
        let (keys, _) = tier.scan(bucket, from, RANDOM_COUNT, scope(tier)).await?;
        if !keys.is_empty() {
            let at = ringway_rt::random::number() as usize % keys.len();
            return Ok(Reply::Bulk(keys[at].clone()));
        }
    }
    Ok(Reply::Null)
}
