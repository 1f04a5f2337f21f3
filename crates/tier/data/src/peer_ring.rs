//! Driver: the data tier on a peer-to-peer ring: finding who holds a partition, and keeping copies where the ring wants them.
//!
//! In a managed ring everybody knows everybody's part. Here a node knows its own arcs; its replicas do not even know that they are
//! replicas. So it is the owner who cares for its arcs ([`DataTier::tend`]): it fetches what it lacks from those who held them
//! before, and brings its replicas what they lack. What a node has of arcs that are not its own it keeps until their owner has
//! said that it is none of their replicas, and has been brought what it lacks.
//!
//! Who takes itself for the owner without being it does no harm for long: cells have versions, and the later write stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use ringway_catalog::NodeState;
use ringway_ports::{Reach, Ring};
use ringway_ring::{NodeId, Partition};
use ringway_rt::clock;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::bucket::Bucket;
use crate::message::{DataReply, Purpose};
use crate::transfer::BATCH;
use crate::unit::Unit;
use crate::unit_run::Units;
use crate::view::View;
use crate::{DataTier, Error};

/// Lookups under way for one batch.
const FINDS_AT_ONCE: usize = 8;
/// How long the view may take to show what a lookup has found.
const SHOWN_WITHIN: Duration = Duration::from_millis(200);
/// Partitions of others that are compared with their owner at once.
const STRAYS_MAX: usize = 64;
/// How long strays are returned before the rest of a round has its turn again.
const STRAYS_WITHIN: Duration = Duration::from_secs(1);
/// Longer than a write is on its way.
const SECOND_LOOK: Duration = Duration::from_millis(50);
/// How long a node that leaves tries to bring the others what they lack.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(300);
/// When something was put off.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// In one round of giving away; then the ring is given a moment.
const FAILURES_MAX: usize = 3;
const HAND_OVER_PAUSE: Duration = Duration::from_millis(200);

impl DataTier {
    /// Before units are split: looks up who holds those partitions of which this node does not know it.
    pub(crate) async fn find_holders(
        self: &Arc<Self>,
        view: Arc<View>,
        partitions: impl Iterator<Item = Partition>,
    ) -> Arc<View> {
        let Some(ring) = self.placement.peer_ring() else { return view };
        let unknown: BTreeSet<Partition> = partitions.filter(|p| view.holders.readers(*p).is_empty()).collect();
        if unknown.is_empty() {
            return view;
        }
        let found = self.find_all(&ring, unknown).await;
        let mut holders = self.ring_changes();
        let is_shown = |holders: &Arc<ringway_ring::Holders>| found.iter().all(|p| !holders.readers(*p).is_empty());
        // Shown or not: what is not known has no holder then, and the client is told.
        let _ = tokio::time::timeout(SHOWN_WITHIN, holders.wait_for(is_shown)).await.map(|shown| shown.map(drop));
        self.view()
    }

    /// One lookup tells of a whole arc: those that it tells of as well are not looked up.
    async fn find_all(self: &Arc<Self>, ring: &Arc<dyn Ring>, unknown: BTreeSet<Partition>) -> Vec<Partition> {
        let lookups = stream::iter(unknown).map(|partition| {
            let (ring, tier) = (ring.clone(), self.clone());
            async move {
                if !tier.view().holders.readers(partition).is_empty() {
                    return Some(partition);
                }
                match ring.find(partition).await {
                    Ok(_) => Some(partition),
                    Err(error) => {
                        debug!(%error, "lookup failed");
                        None
                    }
                }
            }
        });
        lookups.buffer_unordered(FINDS_AT_ONCE).filter_map(std::future::ready).collect().await
    }

    /// Some node does not hold what this one thought it did.
    pub(crate) fn forget_holders(&self, partitions: impl Iterator<Item = Partition>) {
        if let Some(ring) = self.placement.peer_ring() {
            partitions.for_each(|partition| ring.forget(partition));
        }
    }

    /// In a peer-to-peer ring: whom of the holders of these partitions this node has given up on before it asks `node`.
    pub(crate) fn passed_over(&self, node: NodeId, partitions: impl Iterator<Item = Partition>) -> Vec<NodeId> {
        let view = self.view();
        if !view.is_peer_to_peer() {
            return Vec::new();
        }
        let before =
            |p: Partition| view.holders.readers(p).iter().copied().take_while(|holder| *holder != node).collect();
        let passed: BTreeSet<NodeId> = partitions.flat_map(|partition| -> Vec<NodeId> { before(partition) }).collect();
        passed.into_iter().collect()
    }

    /// Does it for nodes that the asker cannot reach, if this one does not see them either and does not know of other owners.
    pub(crate) async fn serve_stand_in(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        of: &[NodeId],
        units: Units,
    ) -> DataReply {
        let are_gone = of.iter().all(|node| view.reach_of(*node) != Reach::Up);
        let may = |partition: Partition| {
            let knows_other = view.holders.readers(partition).first().is_some_and(|owner| !of.contains(owner));
            view.may_execute(partition, bucket.replicas()) || (are_gone && !knows_other)
        };
        if !view.is_peer_to_peer() || units.iter().map(Unit::own_partition).any(|partition| !may(partition)) {
            return DataReply::Misdirected;
        }
        let picked = (0..units.len()).collect();
        match self.run_here(view, bucket, &units, picked).await {
            Ok(replies) => DataReply::Executed(replies),
            Err(epoch) => DataReply::Stale { epoch },
        }
    }

    /// Whether others may take this node's word about partitions. In a managed ring, always: they go by what is agreed on.
    pub(crate) fn answers_for(
        &self,
        view: &View,
        bucket: &Bucket,
        mut partitions: impl Iterator<Item = Partition>,
    ) -> bool {
        !view.is_peer_to_peer() || partitions.all(|partition| view.may_execute(partition, bucket.replicas()))
    }

    /// One round of care for what is here; of a node that leaves, the last.
    pub(crate) async fn tend_or_go(self: &Arc<Self>, ring: &Arc<dyn Ring>) {
        if self.is_leaving() {
            self.hand_over(ring).await;
            return self.tasks.stopping().await;
        }
        if self.tend(ring).await {
            tokio::time::sleep(AGAIN_AFTER).await;
            self.repair_wanted.notify_one();
        }
    }

    /// Whether another round is due soon.
    async fn tend(self: &Arc<Self>, ring: &Arc<dyn Ring>) -> bool {
        let view = self.view();
        for peer in view.reachable_peers() {
            // Replicas are compared as a whole: who has missed what need not be known.
            self.dirty.forgive(peer);
        }
        let mut again = false;
        for bucket in view.buckets.values() {
            again |= !self.gain(&view, bucket).await;
            again |= !self.bring_replicas(&view, bucket).await;
            again |= !self.return_strays(ring, &view, bucket).await;
        }
        again
    }

    /// Fetches what others have of the arcs that have become this node's. Whether nothing is left to fetch.
    async fn gain(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>) -> bool {
        let replicas = bucket.replicas();
        let mut open: BTreeSet<Partition> =
            Partition::all().filter(|p| view.own_reads(*p, replicas) && !bucket.held.is_fresh(*p)).collect();
        // Whoever has not been heard of since this node started may be up.
        open.retain(|p| view.sources(*p, replicas).all(|node| node == self.own || view.reach.contains_key(&node)));
        let mut sources: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
        for partition in &open {
            for node in view.sources(*partition, replicas).filter(|node| *node != self.own && view.is_reachable(*node))
            {
                sources.entry(node).or_default().push(*partition);
            }
        }
        for (source, partitions) in sources {
            match self.gain_from(bucket, source, &partitions).await {
                Ok(0) => {}
                Ok(bytes) => {
                    let count = partitions.len();
                    info!(peer = %source.short(), bucket = %bucket.name, partitions = count, bytes, "took over what it had");
                }
                Err(error) => {
                    debug!(peer = %source.short(), bucket = %bucket.name, %error, "gain is put off");
                    open.retain(|partition| !partitions.contains(partition));
                }
            }
        }
        self.moving.end();
        let is_current = Arc::ptr_eq(&view.holders, &self.view().holders);
        open.iter().for_each(|p| bucket.held.set_fresh(*p, is_current));
        Partition::all().all(|p| !view.own_reads(p, replicas) || bucket.held.is_fresh(p))
    }

    /// Fetches what `source` has of these and this node has not, at the pace of all moves, to be seen as one. How many bytes came.
    async fn gain_from(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        source: NodeId,
        partitions: &[Partition],
    ) -> Result<u64, Error> {
        let different: Vec<u16> = self.compare(bucket, source, partitions).await?.iter().map(|p| p.0).collect();
        if different.is_empty() {
            return Ok(0);
        }
        self.moving.note_owed(source, different.len());
        let mut total = 0;
        for batch in different.chunks(BATCH) {
            total += self.fetch_at_pace(Purpose::Repair, bucket, (source, source), batch, || true).await?;
            self.moving.note_done(source, batch.len());
        }
        Ok(total)
    }

    /// Makes the replicas of this node's arcs and this node alike. Whether all could be compared.
    async fn bring_replicas(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>) -> bool {
        let mut shares: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
        for partition in Partition::all().filter(|p| view.own_reads(*p, bucket.replicas())) {
            for node in view.readers(partition, bucket.replicas()).skip(1).filter(|node| view.is_reachable(*node)) {
                shares.entry(node).or_default().push(partition);
            }
        }
        let mut whole = true;
        for (peer, partitions) in shares {
            if let Err(error) = self.level(bucket, peer, &partitions).await {
                debug!(peer = %peer.short(), bucket = %bucket.name, %error, "repair is put off");
                whole = false;
            }
        }
        whole
    }

    /// Both get what they lack. While keys are written one has a write a moment before the other: only what differs twice counts.
    async fn level(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[Partition],
    ) -> Result<(), Error> {
        let mut different = self.differing(bucket, peer, partitions).await?;
        if different.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(SECOND_LOOK).await;
        let again: Vec<Partition> = different.iter().map(|(partition, _)| *partition).collect();
        different = self.differing(bucket, peer, &again).await?;
        if bucket.store().is_nearly_full() {
            // What one has evicted would be fetched from the other, and something else evicted for it, for ever.
            different.clear();
        }
        let pulled: Vec<Partition> = different.iter().filter(|(_, has_some)| *has_some).map(|(p, _)| *p).collect();
        let bytes = self.fetch_partitions(bucket, peer, &pulled, |_| {}).await?;
        for (partition, _) in &different {
            self.push(bucket, peer, *partition).await?;
        }
        if !different.is_empty() {
            info!(peer = %peer.short(), bucket = %bucket.name, partitions = different.len(), bytes, "replica is repaired");
        }
        Ok(())
    }

    /// Brings the owners what is here of arcs that are not ours, and drops it. Whether nothing is left to do.
    async fn return_strays(self: &Arc<Self>, ring: &Arc<dyn Ring>, view: &View, bucket: &Arc<Bucket>) -> bool {
        let is_stray = |p: &Partition| !view.is_holder(*p, bucket.replicas()) && !bucket.store().is_empty(*p);
        let (strays, until) = (Partition::all().filter(is_stray).collect::<Vec<_>>(), Instant::now() + STRAYS_WITHIN);
        let mut whole = true;
        for some in strays.chunks(STRAYS_MAX) {
            if Instant::now() >= until {
                return false;
            }
            for (owner, partitions) in self.owners_of(ring, bucket, some, &mut whole).await {
                if let Err(error) = self.return_to(bucket, owner, &partitions).await {
                    debug!(peer = %owner.short(), bucket = %bucket.name, %error, "strays are kept for now");
                    whole = false;
                }
            }
        }
        whole
    }

    /// Of those that are not this node's: it may have become a holder since.
    async fn owners_of(
        self: &Arc<Self>,
        ring: &Arc<dyn Ring>,
        bucket: &Bucket,
        partitions: &[Partition],
        whole: &mut bool,
    ) -> BTreeMap<NodeId, Vec<Partition>> {
        let mut by_owner: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
        for partition in partitions {
            // Found by an earlier lookup of this round, as part of the same arc.
            if self.view().is_holder(*partition, bucket.replicas()) {
                continue;
            }
            match ring.find(*partition).await {
                Ok(holders) if holders.iter().take(bucket.replicas()).any(|node| *node == self.own) => {}
                Ok(holders) => {
                    if let Some(owner) = holders.first() {
                        by_owner.entry(*owner).or_default().push(*partition);
                    }
                }
                Err(error) => {
                    debug!(partition = partition.0, bucket = %bucket.name, %error, "stray is kept for now");
                    *whole = false;
                }
            }
        }
        by_owner
    }

    async fn return_to(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        owner: NodeId,
        partitions: &[Partition],
    ) -> Result<(), Error> {
        let different = self.differing(bucket, owner, partitions).await?;
        for (partition, _) in different {
            if self.moving.is_repaired(owner) {
                return Err(Error::Unreachable("it fetches by itself what it lacks".to_owned()));
            }
            self.push(bucket, owner, partition).await?;
        }
        for partition in partitions {
            bucket.store().drop_partition(*partition)?;
        }
        Ok(())
    }
}

/// Leaving.
impl DataTier {
    fn is_leaving(&self) -> bool {
        self.view().catalog.nodes.get(&self.own).is_some_and(|node| node.state == NodeState::Leaving)
    }

    /// Hands everything over and says so. The next in line gets the bulk before the arcs change hands, what was written meanwhile
    /// after it; in between it asks this node for what it misses.
    async fn hand_over(self: &Arc<Self>, ring: &Arc<dyn Ring>) {
        let until = Instant::now() + HAND_OVER_WITHIN;
        self.bring_successors().await;
        ring.depart().await;
        let mut left = self.left_over();
        info!(partitions = left, "the arcs are handed over; bringing their owners what they may lack");
        while left > 0 && Instant::now() < until {
            let view = self.view();
            for bucket in view.buckets.values() {
                self.return_all(ring, bucket).await;
            }
            left = self.left_over();
            if left > 0 {
                tokio::time::sleep(HAND_OVER_PAUSE).await;
            }
        }
        if left > 0 {
            warn!(partitions = left, within = ?HAND_OVER_WITHIN, "leaving although the owners of these did not take them");
        }
        ring.note_emptied();
    }

    fn left_over(&self) -> usize {
        let view = self.view();
        let of_one = |bucket: &Arc<Bucket>| Partition::all().filter(|p| !bucket.store().is_empty(*p)).count();
        view.buckets.values().map(of_one).sum()
    }

    async fn bring_successors(self: &Arc<Self>) {
        let started = clock::now();
        let view = self.view();
        for bucket in view.buckets.values() {
            let mut shares: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
            for partition in Partition::all().filter(|p| view.own_reads(*p, 1) && !bucket.store().is_empty(*p)) {
                if let Some(next) = view.holders.readers(partition).get(1) {
                    shares.entry(*next).or_default().push(partition);
                }
            }
            for (peer, partitions) in shares {
                if let Err(error) = self.level(bucket, peer, &partitions).await {
                    debug!(peer = %peer.short(), bucket = %bucket.name, %error, "will be brought later");
                }
            }
        }
        info!(took = ?started.elapsed(), "the next in line have what is here");
    }

    async fn return_all(self: &Arc<Self>, ring: &Arc<dyn Ring>, bucket: &Arc<Bucket>) {
        let mut failures = 0;
        for partition in Partition::all().filter(|p| !bucket.store().is_empty(*p)) {
            if let Err(error) = self.give_away(ring, bucket, partition).await {
                info!(partition = partition.0, bucket = %bucket.name, %error, "will be brought again");
                failures += 1;
            }
            if failures >= FAILURES_MAX {
                return;
            }
        }
    }

    /// Whoever holds a key of a node that goes, even as its replica, has it from its owner; the owner gets what it lacks from here.
    async fn give_away(
        self: &Arc<Self>,
        ring: &Arc<dyn Ring>,
        bucket: &Arc<Bucket>,
        partition: Partition,
    ) -> Result<(), Error> {
        let view = self.view();
        let known = view.holders.readers(partition).first().copied();
        let owner = match known {
            Some(owner) if owner != self.own && view.is_reachable(owner) => owner,
            _ => {
                let found = ring.find(partition).await.map_err(|error| Error::Unreachable(error.to_string()))?;
                *found.first().ok_or_else(|| Error::Unreachable("nobody holds it".to_owned()))?
            }
        };
        if owner == self.own {
            return Err(Error::Unreachable("this node still holds it".to_owned()));
        }
        let given = async {
            if !self.differing(bucket, owner, &[partition]).await?.is_empty() {
                self.push(bucket, owner, partition).await?;
            }
            Ok(bucket.store().drop_partition(partition)?)
        };
        given.await.inspect_err(|_| ring.forget(partition))
    }
}
