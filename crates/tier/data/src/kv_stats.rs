//! Driver: figures of a bucket on this node, and its keys that stand out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ringway_engine::page::PageLimit;
use ringway_ports::{HotKey, KvError, KvStats, KvTop};
use ringway_ring::{PARTITION_COUNT, Partition};
use ringway_rt::clock::wall_ms;

use crate::bucket::Bucket;
use crate::hot_keys::ONE_IN;
use crate::kv_record::big_key;
use crate::view::View;
use crate::{DataTier, Error};

/// Keys that one question about the largest may look at, and their bytes (a page copies them).
const WALK_KEYS_MAX: usize = 20_000;
const WALK_BYTES_MAX: usize = 16 << 20;
/// Of one page, under the partition's lock.
const PAGE: PageLimit = PageLimit { cells_max: 256, bytes_max: 1 << 20 };

impl DataTier {
    pub(crate) fn bucket_stats(&self, bucket: &str) -> Option<KvStats> {
        let view = self.view();
        let bucket = view.buckets.get(bucket)?;
        let (store, figures, now_ms) = (bucket.store(), &bucket.held.figures, wall_ms());
        let (usage, uses) = (store.usage(), store.uses());
        let (behind, lag_ms) = figures.behind(now_ms);
        let (staleness_ms, staleness_max_ms) = figures.staleness(now_ms);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some(KvStats {
            keys: usage.keys,
            keys_primary: Some(self.keys_primary(&view, bucket)),
            bytes: usage.bytes,
            limit: store.limit(),
            hits: uses.hits,
            misses: uses.misses,
            evicted: uses.evicted,
            expired: read(&figures.expired),
            ops: uses.commands,
            ops_refused: read(&figures.ops_refused),
            connections: read(&bucket.held.clients),
            connections_refused: read(&figures.connections_refused),
            behind,
            lag_ms,
            staleness_ms,
            staleness_max_ms,
            ..KvStats::default()
        })
    }

    fn keys_primary(&self, view: &View, bucket: &Bucket) -> u64 {
        let is_own = |partition: &Partition| view.acting(*partition, bucket.replicas()) == Some(self.own);
        Partition::all().filter(is_own).map(|partition| bucket.store().key_count(partition)).sum()
    }

    pub(crate) async fn top_keys(self: &Arc<Self>, bucket: &str, count: usize) -> Result<KvTop, KvError> {
        let (_, bucket) = self.bucket(bucket).await?;
        let walking = bucket.clone();
        let walked = tokio::task::spawn_blocking(move || walk(&walking)).await;
        walked.map_err(|panic| Error::Internal(panic.to_string()))??;
        let (hots, ops_per_second) = bucket.held.figures.hot(count, wall_ms());
        let (big, keys) = (bucket.held.figures.big(), bucket.store().usage().keys);
        let hot = |hot: crate::hot_keys::Hot| HotKey {
            key: Bytes::from(hot.key),
            ops_per_second: hot.per_second,
            error: hot.error,
        };
        Ok(KvTop {
            big: big.top(count),
            walked: big.seen().min(keys),
            keys,
            hot: hots.into_iter().map(hot).collect(),
            ops_per_second,
            sampled_one_in: ONE_IN as u32,
        })
    }
}

/// Looks at some more keys for their size. Who comes while somebody walks waits for that.
fn walk(bucket: &Bucket) -> Result<(), Error> {
    let mut big = bucket.held.figures.big();
    let (mut keys, mut bytes, now_ms) = (0, 0, wall_ms());
    while keys < WALK_KEYS_MAX && bytes < WALK_BYTES_MAX {
        let (number, from) = big.at;
        if usize::from(number) >= PARTITION_COUNT {
            big.turn();
            return Ok(());
        }
        let page = bucket.store().page(Partition(number), from, PAGE)?;
        for (key, state) in page.states {
            (keys, bytes) = (keys + 1, bytes + key.len() + state.heap_bytes());
            if let Some(found) = big_key(key, &state, now_ms) {
                big.walked += 1;
                big.note(found);
            }
        }
        big.at = page.next.map_or((number + 1, 0), |next| (number, next));
    }
    Ok(())
}
