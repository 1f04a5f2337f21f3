//! Driver: when the ring changes, fetches what the next layout gives this node, then says so in the control log.
//!
//! Meanwhile the old owners answer reads and every write goes to both, so nothing is missed; when all have said that they are
//! whole, the control log makes the next layout the one that answers, and [`crate::sweep`] drops what is no longer held.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ringway_catalog::Command;
use ringway_ring::{NodeId, Partition};
use serde::{Deserialize, Serialize};
use tracing::{debug, info, warn};

use crate::DataTier;
use crate::bucket::Bucket;
use crate::view::View;

/// Between attempts when an owner is not reachable or the log has no leader.
const PAUSE: Duration = Duration::from_millis(500);
/// How much later than this node another one may hear of a new layout. Where it is more, repair finds what was missed.
const CATALOG_LAG: Duration = Duration::from_millis(300);

/// Of this node, over all buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub partitions_done: usize,
    pub partitions_total: usize,
    pub bytes: u64,
}

pub(crate) async fn run(tier: Arc<DataTier>) {
    let mut catalog = tier.catalog_changes();
    loop {
        let busy = tier.owes_sync();
        if busy {
            tokio::select! {
                biased;
                () = tier.tasks.stopping() => return,
                () = tier.fetch_gains() => {}
            }
        } else {
            *tier.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            Ok(()) = catalog.changed() => {}
            () = tokio::time::sleep(PAUSE), if busy => {}
        }
    }
}

impl DataTier {
    fn owes_sync(&self) -> bool {
        let catalog = self.log.catalog();
        catalog.moving_from.is_some()
            && catalog.layout.members().contains(&self.own)
            && !catalog.synced.contains(&self.own)
    }

    /// Fetches all gains of the present layout from whoever can be reached; says so if that was all.
    async fn fetch_gains(self: &Arc<Self>) {
        let epoch = self.log.catalog().layout.epoch;
        if !self.fetch_all_gains(epoch).await {
            return;
        }
        // Nodes that heard of the layout a little later than this one have written to the old owners only until then.
        tokio::time::sleep(CATALOG_LAG).await;
        if self.fetch_all_gains(epoch).await {
            match self.log.propose(Command::Synced { node: self.own, epoch }).await {
                Ok(_) => info!(epoch, "everything the layout gives this node is here"),
                Err(error) => debug!(epoch, %error, "could not say that everything is here"),
            }
        }
    }

    async fn fetch_all_gains(self: &Arc<Self>, epoch: u64) -> bool {
        let names: Vec<String> = self.log.catalog().buckets.keys().cloned().collect();
        let mut whole = true;
        self.begin_progress(&names).await;
        for name in names {
            // Deleted meanwhile: nothing to fetch.
            let Ok((view, bucket)) = self.bucket(&name).await else { continue };
            whole &= view.catalog.layout.epoch == epoch && self.fetch_gains_of(&view, &bucket).await;
        }
        whole
    }

    async fn begin_progress(self: &Arc<Self>, names: &[String]) {
        let mut total = 0;
        for name in names {
            if let Ok((view, bucket)) = self.bucket(name).await {
                total += view.gains(bucket.replicas()).len();
            }
        }
        let bytes = self.transfer_progress().map_or(0, |before| before.bytes);
        let progress = Progress { partitions_done: 0, partitions_total: total, bytes };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// Whether each gained partition was fetched from at least one of its owners.
    async fn fetch_gains_of(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>) -> bool {
        let gains = view.gains(bucket.replicas());
        let mut open: Vec<Partition> = gains.iter().copied().filter(|p| has_source(view, bucket, *p)).collect();
        if open.len() < gains.len() {
            let count = gains.len() - open.len();
            warn!(bucket = %bucket.name, partitions = count, "no node is left that held these: they begin empty");
        }
        self.note_done(gains.len() - open.len());
        let mut sources: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
        for partition in &open {
            for node in view.readers(*partition, bucket.replicas()).filter(|node| view.is_reachable(*node)) {
                sources.entry(node).or_default().push(*partition);
            }
        }
        for (source, partitions) in sources {
            match self.take_over(bucket, source, &partitions, |bytes| self.note_bytes(bytes)).await {
                Ok(_) => {
                    let before = open.len();
                    open.retain(|partition| !partitions.contains(partition));
                    self.note_done(before - open.len());
                }
                Err(error) => debug!(peer = %source, bucket = %bucket.name, %error, "transfer will be tried again"),
            }
        }
        open.is_empty()
    }

    fn note_done(&self, partitions: usize) {
        if let Some(progress) = &mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            progress.partitions_done += partitions;
        }
    }

    fn note_bytes(&self, bytes: u64) {
        if let Some(progress) = &mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            progress.bytes += bytes;
        }
    }
}

/// Whether any of the old owners is still part of the cluster. One that is down may come back: it is waited for.
fn has_source(view: &View, bucket: &Bucket, partition: Partition) -> bool {
    view.readers(partition, bucket.replicas()).any(|node| view.catalog.nodes.contains_key(&node))
}
