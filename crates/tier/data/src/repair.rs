//! Driver: keeps replicas alike. Compares partitions with the other replicas, now and then and whenever there is a reason.
//!
//! Each side pulls what it lacks, so both sides of a comparison get whole when both compare. Those that are known to have missed
//! writes (see [`crate::dirty`]) are also sent them, because they may not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ringway_engine::page::PageLimit;
use ringway_ports::Priority;
use ringway_ring::{NodeId, Partition};
use ringway_values::Update;
use tracing::{debug, info};

use crate::bucket::Bucket;
use crate::dirty::Stamped;
use crate::message::{Known, PART_BYTES_MAX, Told};
use crate::replicate::{encoded, size_of};
use crate::sync_ranges::is_large;
use crate::transfer::pause;
use crate::view::View;
use crate::{DataTier, Error};

const PERIOD_MS: u64 = 10_000;
/// The period varies by this much, so that nodes do not all compare at once.
const JITTER_MS: u64 = 2_000;
/// However many reasons there are, not more often than this.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than a write is on its way.
const SECOND_LOOK: Duration = Duration::from_millis(50);
const PUSH_CELLS_MAX: usize = 4096;

pub(crate) async fn run(tier: Arc<DataTier>) {
    let (mut reach, mut catalog, mut ring) = (tier.reach_changes(), tier.catalog_changes(), tier.ring_changes());
    loop {
        let period = Duration::from_millis(PERIOD_MS - JITTER_MS / 2 + ringway_rt::random::number() % JITTER_MS);
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tier.repair_wanted.notified() => {}
            Ok(()) = reach.changed() => {}
            Ok(()) = catalog.changed() => {}
            Ok(()) = ring.changed() => {}
            () = tokio::time::sleep(period) => {}
        }
        tier.open_all().await;
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tier.care() => {}
        }
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

impl DataTier {
    /// Opens the buckets that are not yet: a replica that is not asked has to be whole, too.
    async fn open_all(self: &Arc<Self>) {
        let view = self.view();
        for name in view.catalog.buckets.keys().filter(|name| !view.buckets.contains_key(*name)) {
            if let Err(error) = self.bucket(name).await {
                tracing::error!(bucket = name, %error, "bucket does not open");
            }
        }
    }

    /// One round, of whichever kind the ring asks for.
    async fn care(self: &Arc<Self>) {
        match self.placement.peer_ring() {
            Some(ring) => self.tend_or_go(&ring).await,
            None => self.compare_with_all().await,
        }
    }

    async fn compare_with_all(self: &Arc<Self>) {
        let view = self.view();
        for peer in view.reachable_peers() {
            let missed = self.dirty.owed(peer);
            for bucket in view.buckets.values() {
                let owed = missed.get(&bucket.name).cloned().unwrap_or_default();
                if let Err(error) = self.compare_with(&view, peer, bucket, owed).await {
                    debug!(peer = %peer, bucket = %bucket.name, %error, "repair is put off");
                }
            }
        }
    }

    async fn compare_with(
        self: &Arc<Self>,
        view: &View,
        peer: NodeId,
        bucket: &Arc<Bucket>,
        owed: Stamped,
    ) -> Result<(), Error> {
        let mut partitions = view.shared_with(peer, bucket.replicas());
        // What the disk has lost is missing here until it has been fetched.
        let mut damaged = bucket.store().damaged();
        damaged.retain(|partition| partitions.contains(partition));
        damaged.iter().for_each(|partition| bucket.held.set_fresh(*partition, false));
        if bucket.store().is_nearly_full() {
            // What one replica has evicted would be fetched from the other, and something else evicted for it, for ever.
            partitions.retain(|p| !bucket.held.is_fresh(*p));
        }
        if !partitions.is_empty() {
            let different = self.compare_twice(bucket, peer, &partitions).await?;
            let bytes = self.fetch_partitions(bucket, peer, &different, |_| {}).await?;
            partitions.iter().for_each(|p| bucket.held.set_fresh(*p, true));
            damaged.iter().for_each(|partition| bucket.store().repaired(*partition));
            if !different.is_empty() {
                info!(peer = %peer, bucket = %bucket.name, partitions = different.len(), bytes, "replica is repaired");
            }
        }
        for (partition, mark) in owed {
            self.bring(bucket, peer, partition).await?;
            self.dirty.settle(peer, &bucket.name, partition, mark);
        }
        Ok(())
    }

    /// Brings `peer` what it has missed, and whoever is to hold the partition: it may have copied it from `peer` before.
    async fn bring(self: &Arc<Self>, bucket: &Arc<Bucket>, peer: NodeId, partition: Partition) -> Result<(), Error> {
        self.push(bucket, peer, partition).await?;
        let now = self.view();
        let newcomers =
            now.holders.next(partition).iter().copied().filter(|node| !now.holders.readers(partition).contains(node));
        // If neither is a holder any more, it goes to who is.
        let is_lost =
            ![self.own, peer].iter().any(|node| now.writers(partition, bucket.replicas()).any(|n| n == *node));
        let instead = now.acting(partition, bucket.replicas()).filter(|_| is_lost);
        let others: BTreeSet<NodeId> = newcomers.chain(instead).collect();
        for node in others.into_iter().filter(|node| ![self.own, peer].contains(node) && now.is_reachable(*node)) {
            self.push(bucket, node, partition).await?;
        }
        Ok(())
    }

    /// Before this node answers for whole partitions: takes over what others have of those in which it may miss something.
    pub(crate) async fn freshen(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        partitions: impl Iterator<Item = Partition>,
    ) -> Result<(), Error> {
        let mut stale: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
        for partition in partitions.filter(|p| !bucket.held.is_fresh(*p) && view.own_reads(*p, bucket.replicas())) {
            let others = view.sources(partition, bucket.replicas());
            for node in others.filter(|node| *node != self.own && view.is_reachable(*node)) {
                stale.entry(node).or_default().push(partition);
            }
        }
        for (peer, partitions) in stale {
            self.take_over(bucket, peer, &partitions, |_| {}).await?;
            partitions.iter().for_each(|p| bucket.held.set_fresh(*p, true));
        }
        Ok(())
    }

    /// While keys are written, one replica has a write a moment before the other: only what differs twice is worth fetching. But
    /// where this replica may miss something, at once.
    async fn compare_twice(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[Partition],
    ) -> Result<Vec<Partition>, Error> {
        let different = self.compare(bucket, peer, partitions).await?;
        let (again, mut wanted): (Vec<_>, Vec<_>) = different.into_iter().partition(|p| bucket.held.is_fresh(*p));
        if !again.is_empty() {
            tokio::time::sleep(SECOND_LOOK).await;
            wanted.extend(self.compare(bucket, peer, &again).await?);
        }
        Ok(wanted)
    }

    /// Sends a partition, or of a large one the ranges that differ: which of its keys were missed is not noted. No faster than
    /// `transfer_rate`, with all that this node fetches.
    pub(crate) async fn push(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partition: Partition,
    ) -> Result<(), Error> {
        if !is_large(bucket, partition) {
            return self.push_range(bucket, peer, partition, (0, None)).await;
        }
        for (from, until) in self.differing_ranges(bucket, peer, partition).await? {
            self.push_range(bucket, peer, partition, (from, Some(until))).await?;
        }
        Ok(())
    }

    async fn push_range(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partition: Partition,
        (from, until): (u64, Option<u64>),
    ) -> Result<(), Error> {
        let limit = PageLimit { cells_max: PUSH_CELLS_MAX, bytes_max: PART_BYTES_MAX };
        let mut from = Some(from);
        while let Some(at) = from {
            let reading = bucket.clone();
            let page = move || reading.store().page_within(partition, at, until, limit);
            let page = tokio::task::spawn_blocking(page).await;
            let page = page.map_err(|panic| Error::Internal(panic.to_string()))??;
            if !page.states.is_empty() {
                let whole = |(key, state)| (partition.0, key, encoded(&Update::State(state)));
                let updates: Vec<Told> = page.states.into_iter().map(whole).collect();
                let bytes = updates.iter().map(|told| size_of(told) as u64).sum();
                let sent = self.send_part(bucket, peer, Priority::Bulk, updates, Known::ANY).await;
                sent.map_err(|error| Error::Unreachable(error.to_string()))?;
                self.moving.set_limit(self.view().catalog.ring_settings.transfer_rate);
                pause(self.moving.note_pushed(bytes)).await;
            }
            from = page.next;
        }
        Ok(())
    }
}
