//! Driver: once a second, buries what has expired, forgets old tombstones, drops partitions that moved away, tells the metrics.
//!
//! A partition that has moved away is dropped when nothing moves any more and all reachable nodes know it, or after
//! [`DROP_AGE_MAX`]. Before that,
//! what others may lack is brought to those who hold it: where a replica missed a write of this node, and what a node that was
//! given up comes back with in a bucket of one copy.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ringway_ports::Priority;
use ringway_ring::Partition;
use ringway_rt::clock::{self, wall_ms};
use tracing::{debug, info, warn};

use crate::bucket::Bucket;
use crate::figures::count;
use crate::message::{DataReply, DataRequest};
use crate::view::View;
use crate::{DataTier, Error};

const PERIOD: Duration = Duration::from_secs(1);
/// However little is known of the others, what has moved away for so long is dropped.
const DROP_AGE_MAX: Duration = Duration::from_secs(600);
const EPOCH_DEADLINE: Duration = Duration::from_secs(1);
/// Between partitions that are dropped: there is no hurry, and clients are not to notice.
const DROP_PAUSE: Duration = Duration::from_millis(2);
/// Epochs whose age is remembered.
const AGES_MAX: usize = 4096;

pub(crate) async fn run(tier: Arc<DataTier>) {
    let mut ages = Ages::default();
    let mut tidied = None;
    loop {
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let view = tier.view();
        // What a list of buckets lacks was looked for on the disk when it was new.
        if tidied.replace(view.catalog.revision) != Some(view.catalog.revision)
            && let Err(error) = tier.forget_deleted().await
        {
            warn!(%error, "deleted buckets stay on disk");
        }
        tier.moving.forget_idle_takers();
        let droppable = tier.droppable(&view, &mut ages).await;
        for bucket in view.buckets.values() {
            tier.return_gone(&view, bucket, droppable).await;
            let (sweeping, swept_view) = (bucket.clone(), view.clone());
            bucket.held.figures.note_behind(tier.dirty.behind(&bucket.name), wall_ms());
            let swept = tokio::task::spawn_blocking(move || sweep(&sweeping, &swept_view)).await;
            if let Ok(Err(error)) = swept {
                warn!(bucket = %bucket.name, %error, "sweep did not finish");
            }
            let usage = bucket.store().usage();
            metrics::gauge!("ringway_data_bytes", "bucket" => bucket.name.to_string()).set(usage.bytes as f64);
            metrics::gauge!("ringway_data_keys", "bucket" => bucket.name.to_string()).set(usage.keys as f64);
        }
    }
}

fn sweep(bucket: &Bucket, view: &View) -> Result<(), Error> {
    let may_forget = |partition: Partition| {
        let is_own = view.is_peer_to_peer() || view.own_writes(partition, bucket.replicas());
        is_own && bucket.held.is_fresh(partition)
    };
    let swept = bucket.store().sweep(wall_ms(), may_forget)?;
    if swept.expired > 0 {
        metrics::counter!("ringway_data_expired_total").increment(swept.expired);
        count(&bucket.held.figures.expired, swept.expired);
    }
    Ok(())
}

/// When this node first heard of epochs.
#[derive(Default)]
struct Ages(VecDeque<(u64, Instant)>);

impl Ages {
    /// The newest epoch that has been known for [`DROP_AGE_MAX`].
    fn note(&mut self, epoch: u64, now: Instant) -> u64 {
        if self.0.back().is_none_or(|(newest, _)| *newest != epoch) {
            self.0.push_back((epoch, now));
        }
        let is_old = |(_, heard): &(u64, Instant)| now.duration_since(*heard) >= DROP_AGE_MAX;
        while self.0.len() > AGES_MAX || self.0.get(1).is_some_and(is_old) {
            self.0.pop_front();
        }
        self.0.front().filter(|first| is_old(first)).map_or(0, |(epoch, _)| *epoch)
    }
}

impl DataTier {
    /// Up to which epoch what has moved away may be dropped. In a peer-to-peer ring nothing: there the owner is asked first
    /// ([`crate::peer_ring`]).
    async fn droppable(&self, view: &View, ages: &mut Ages) -> Option<u64> {
        let old = ages.note(view.holders.epoch(), clock::now());
        if view.is_peer_to_peer() || view.holders.is_empty() || self.has_heard_of_newer(view) {
            return None;
        }
        let is_gone = |bucket: &Arc<Bucket>| gone(view, bucket).next().is_some();
        if !view.buckets.values().any(is_gone) {
            view.buckets.values().for_each(|bucket| bucket.held.set_strays(false));
            return None;
        }
        if view.catalog.is_moving() {
            // What is here need not be fetched again if the change is cancelled; and to free it is work that clients would notice.
            return Some(old);
        }
        let asked = view.reachable_peers().into_iter().map(|peer| async move {
            match self.call_data(peer, Priority::Client, &DataRequest::Epoch, EPOCH_DEADLINE).await {
                Ok(DataReply::Epoch(epoch)) => epoch,
                _ => 0,
            }
        });
        let known = join_all(asked).await.into_iter().min().unwrap_or(u64::MAX);
        Some(known.min(view.holders.epoch()).max(old))
    }

    /// Drops partitions that are not this node's, as of a known epoch, once others have what only this node may have.
    async fn return_gone(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>, droppable: Option<u64>) {
        let Some(epoch) = droppable else { return };
        let gone: Vec<Partition> = gone(view, bucket).filter(|p| view.holders.since(*p) <= epoch).collect();
        let mut dropped = 0;
        for partition in gone {
            let may_have_more = bucket.held.has_strays() && bucket.replicas() == 1;
            let returns = may_have_more || self.dirty.has(&bucket.name, partition);
            if returns && let Err(error) = self.return_one(view, bucket, partition).await {
                debug!(bucket = %bucket.name, partition = partition.0, %error, "kept until others have it");
                continue;
            }
            let (tier, dropping) = (self.clone(), bucket.clone());
            let done = tokio::task::spawn_blocking(move || tier.drop_one(&dropping, partition)).await;
            match done {
                Ok(Ok(true)) => {
                    dropped += 1;
                    tokio::time::sleep(DROP_PAUSE).await;
                }
                // Given back to this node meanwhile: it is needed.
                Ok(Ok(false)) => break,
                Ok(Err(error)) => warn!(bucket = %bucket.name, %error, "what moved away could not be dropped"),
                Err(_) => return,
            }
        }
        if dropped > 0 {
            info!(bucket = %bucket.name, partitions = dropped, "dropped what has moved away");
        }
    }

    /// Whether it was: it is not if this node is to hold it again.
    fn drop_one(&self, bucket: &Bucket, partition: Partition) -> Result<bool, Error> {
        let dropped = self.moving.unless_claimed(partition, || {
            let now = self.view();
            let is_needed = now.own_writes(partition, bucket.replicas()) || self.has_heard_of_newer(&now);
            if is_needed { Ok(false) } else { bucket.store().drop_partition(partition).map(|()| true) }
        });
        Ok(dropped.transpose()?.unwrap_or(false))
    }

    async fn return_one(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        partition: Partition,
    ) -> Result<(), Error> {
        let Some(holder) = view.acting(partition, bucket.replicas()).filter(|holder| *holder != self.own) else {
            return Err(Error::Unreachable("nobody holds it now".to_owned()));
        };
        if !self.differing(bucket, holder, &[partition]).await?.is_empty() {
            self.push(bucket, holder, partition).await?;
        }
        self.dirty.forget(&bucket.name, partition);
        Ok(())
    }
}

/// What is here of partitions that are not this node's.
fn gone(view: &View, bucket: &Bucket) -> impl Iterator<Item = Partition> {
    Partition::all().filter(|p| !view.own_writes(*p, bucket.replicas()) && !bucket.store().is_empty(*p))
}
