//! Driver: when the ring gives this node partitions, fetches them from those who answer, and says of each batch that it is here.
//!
//! # Why no acknowledged write is lost
//! A partition's row changes in epochs: e (old row answers) → e+1 (the old row answers, writes go to the next row, too) → e+2 (the
//! next row answers). Nodes hear of them at different times. Two rules, both "first do, then look":
//!
//! 1. Who executes a write puts it into its own store *first* and looks up whom to send it to *afterwards*
//!    ([`crate::replicate`]).
//! 2. A replica merges a write *first* and looks *afterwards* whether it knows of a newer row of that partition than the
//!    sender; then it answers `Stale`, and the sender waits for its own catalog and sends the write to the newer row
//!    ([`crate::peer_door`]).
//!
//! A newcomer copies from a source that knows e+1 (it waits until it does). Take a write that the copy does not have. Either the
//! source executed it after it was copied from: then it looked after that, knew e+1, and sent it to the newcomer. Or another node
//! executed it and the source merged it after the copy: then the source looked after that, and either the executor knew e+1 and
//! has sent it to the newcomer, or it was told so and does before the client hears "done". A source that could not be reached by
//! the executor has missed the write: it is owed a hint, as ever at this level, and the executor keeps the partition until it has
//! brought it. So one source is enough, nobody waits for "long enough", and a newcomer that says it is ready is.
//!
//! # Why counters stay exact
//! At any time one node executes a partition's commands, because the one that takes over asks the one before to yield first
//! ([`crate::handover`]), and what that one executed has been acknowledged by the newcomer, which gets every write.
//!
//! Both are checked by a model, `tests/handover_model.rs` of `core/replication`, where leaving out any of these rules is found out.
//! A third one it has found: a newcomer that starts again has lost writes that it has acknowledged, and a source may not have them
//! yet; so a restart begins a new epoch ([`crate::managed_ring`]), in which whoever sent them is told to send them again.
//!
//! # Resuming
//! What was fetched stays: a batch is compared by digests before it is fetched, so a node that starts again fetches what it lacks.
//! Partitions whose report was accepted and that have switched are done for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use ringway_catalog::NodeState;
use ringway_ring::{NodeId, Partition, PartitionSet};
use ringway_rt::clock;
use tracing::{debug, info, warn};

use crate::bucket::Bucket;
use crate::message::Purpose;
use crate::view::View;
use crate::{DataTier, Error};

use crate::moving::{Progress, Transfer, TransferState};

/// Between attempts when a source is not reachable or the log has no leader.
const PAUSE: Duration = Duration::from_millis(300);
/// Before a source that gives to others is asked again.
const LATER: Duration = Duration::from_millis(200);
/// How long a source may give to others before this node looks at the ring again.
const LATER_MAX: u32 = 50;
/// Partitions that are compared at once and reported together.
pub(crate) const BATCH: usize = 64;
/// Sources at once.
const SOURCES_MAX: usize = 2;
/// Reports are commands in the control log, and every node works out anew who holds what (some milliseconds, during which its clients
/// wait): not more often than this from one source.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What was said and accepted: partitions with the epoch of their row.
type Reported = BTreeMap<Partition, u64>;

pub(crate) async fn run(tier: Arc<DataTier>) {
    let mut ring = tier.ring_changes();
    let mut reported = Reported::new();
    loop {
        ring.borrow_and_update();
        let view = tier.view();
        tier.moving.claim(view.gained().collect());
        reported.retain(|partition, since| view.holders.since(*partition) == *since);
        let owed: Vec<Partition> = view.gained().filter(|p| !reported.contains_key(p)).collect();
        let is_busy = !owed.is_empty();
        if is_busy {
            tokio::select! {
                biased;
                () = tier.tasks.stopping() => return,
                said = tier.sync(&view, owed) => reported.extend(said),
            }
        } else if !view.is_peer_to_peer() {
            tier.moving.end();
        }
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            Ok(()) = ring.changed() => {}
            () = tokio::time::sleep(PAUSE), if is_busy => {}
        }
    }
}

impl DataTier {
    /// How far this node is with fetching what the ring gives it; `None` if there is nothing to fetch.
    pub fn transfer_progress(&self) -> Option<Progress> {
        self.moving.progress()
    }

    /// The same, for each node that it fetches from.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.moving.transfers(self.own)
    }

    /// Fetches these partitions and reports them, batch by batch. What was reported and accepted.
    async fn sync(self: &Arc<Self>, view: &Arc<View>, owed: Vec<Partition>) -> Vec<(Partition, u64)> {
        let mut by_source: BTreeMap<Option<NodeId>, Vec<Partition>> = BTreeMap::new();
        for partition in owed {
            match self.source(view, partition, usize::MAX) {
                Source::Node(node) => by_source.entry(Some(node)).or_default().push(partition),
                Source::Nobody => by_source.entry(None).or_default().push(partition),
                Source::NotNow => {}
            }
        }
        for (source, partitions) in &by_source {
            match source {
                Some(source) => self.moving.note_owed(*source, partitions.len()),
                None => warn!(partitions = partitions.len(), "no node is left that held these: they begin empty"),
            }
        }
        let fetched = stream::iter(by_source).map(|(source, partitions)| self.sync_from(view, source, partitions));
        fetched.buffer_unordered(SOURCES_MAX).flat_map(stream::iter).collect().await
    }

    async fn sync_from(
        self: &Arc<Self>,
        view: &Arc<View>,
        source: Option<NodeId>,
        partitions: Vec<Partition>,
    ) -> Vec<(Partition, u64)> {
        let (mut said, mut ready, mut last_report) = (Vec::new(), PartitionSet::default(), clock::now());
        for batch in partitions.chunks(BATCH) {
            // The ring may have other plans by now; what it still wants is gone on with.
            let batch: Vec<Partition> = batch.iter().copied().filter(|p| self.is_same(view, *p)).collect();
            if let Some(source) = source
                && let Err(error) = self.sync_batch(view, source, &batch).await
            {
                debug!(peer = %source, %error, "transfer will be tried again");
                self.moving.note_state(source, TransferState::Failing(error.to_string()));
                break;
            }
            source.into_iter().for_each(|source| self.moving.note_done(source, batch.len()));
            ready.extend(batch.iter().copied());
            if last_report.elapsed() >= REPORT_EVERY {
                said.extend(self.report(view, std::mem::take(&mut ready)).await);
                last_report = clock::now();
            }
        }
        said.extend(self.report(view, ready).await);
        said
    }

    /// Says that these partitions are here as of the view's epoch, those whose row is still the same.
    async fn report(self: &Arc<Self>, view: &View, ready: PartitionSet) -> Vec<(Partition, u64)> {
        let epoch = view.holders.epoch();
        let ready: PartitionSet = ready.iter().filter(|p| self.is_same(view, *p)).collect();
        if ready.is_empty() {
            return Vec::new();
        }
        match self.placement.note_synced(epoch, ready.clone()).await {
            Ok(()) => {
                info!(epoch, partitions = ready.len(), "partitions that the ring gives this node are here");
                ready.iter().map(|partition| (partition, view.holders.since(partition))).collect()
            }
            Err(error) => {
                warn!(
                    epoch,
                    partitions = ready.len(),
                    error,
                    "could not say that partitions are here, will compare again"
                );
                Vec::new()
            }
        }
    }

    /// Whether the partition's row is what it was in `view`.
    fn is_same(&self, view: &View, partition: Partition) -> bool {
        self.view().holders.since(partition) == view.holders.since(partition)
    }

    /// Makes this node have of `batch` what those who answer have, in all buckets.
    async fn sync_batch(self: &Arc<Self>, view: &View, source: NodeId, batch: &[Partition]) -> Result<(), Error> {
        for name in view.catalog.buckets.keys() {
            let bucket = match self.bucket(name).await {
                Ok((_, bucket)) => bucket,
                // Deleted meanwhile: nothing to fetch.
                Err(Error::NoBucket(_)) => continue,
                Err(error) => return Err(error),
            };
            let mut sources: BTreeMap<NodeId, Vec<Partition>> = BTreeMap::new();
            // Also where this node answers already, further back, and may have missed something.
            let lacks = |p: &Partition| view.own_writes(*p, bucket.replicas()) && !bucket.held.is_fresh(*p);
            for partition in batch.iter().copied().filter(lacks) {
                let is_new = view.own_gains(partition, bucket.replicas());
                match self.source(view, partition, bucket.replicas()) {
                    Source::Node(node) => sources.entry(node).or_default().push(partition),
                    _ if !is_new => {}
                    Source::Nobody => warn!(bucket = name, partition = partition.0, "nobody has it: it begins empty"),
                    Source::NotNow => {
                        let why = format!("whoever holds partition {} of bucket {name} does not answer", partition.0);
                        return Err(Error::Unreachable(why));
                    }
                }
            }
            for (node, partitions) in sources {
                self.move_here(view, &bucket, (node, source), &partitions).await?;
                let kept = partitions.into_iter().filter(|partition| self.is_same(view, *partition));
                kept.for_each(|partition| bucket.held.set_fresh(partition, true));
            }
        }
        Ok(())
    }

    /// `told`: under which source the bytes are counted.
    async fn move_here(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        (source, told): (NodeId, NodeId),
        partitions: &[Partition],
    ) -> Result<(), Error> {
        let purpose = Purpose::Move { epoch: view.holders.epoch() };
        let different = self.differing_for(purpose, bucket, source, partitions).await?;
        let wanted: Vec<u16> = different.into_iter().filter(|(_, has_some)| *has_some).map(|(p, _)| p.0).collect();
        let is_wanted = || partitions.iter().any(|partition| self.is_same(view, *partition));
        self.fetch_at_pace(purpose, bucket, (source, told), &wanted, is_wanted).await?;
        Ok(())
    }

    /// Fetches these partitions no faster than `transfer_rate`, as long as they are wanted. How many bytes came.
    pub(crate) async fn fetch_at_pace(
        self: &Arc<Self>,
        purpose: Purpose,
        bucket: &Arc<Bucket>,
        (source, told): (NodeId, NodeId),
        partitions: &[u16],
        is_wanted: impl Fn() -> bool,
    ) -> Result<u64, Error> {
        let (mut rest, mut from, mut put_off, mut total) = (partitions, 0, 0, 0);
        while !rest.is_empty() {
            if !is_wanted() {
                return Err(Error::Unreachable("the ring has other plans by now".to_owned()));
            }
            self.moving.set_limit(self.view().catalog.ring_settings.transfer_rate);
            let Some(page) = self.fetch_page(purpose, bucket, source, rest, from).await? else {
                self.moving.note_state(told, TransferState::Waiting);
                put_off += 1;
                if put_off > LATER_MAX {
                    return Err(Error::Unreachable(format!("{source:?} gives to others")));
                }
                tokio::time::sleep(LATER).await;
                continue;
            };
            total += page.bytes;
            let wait = self.moving.note_fetched(told, page.bytes, page.is_strained);
            // After the last page, too: the next batch is paid for by the same purse.
            pause(wait).await;
            let Some((at, position)) = page.next else { break };
            (rest, from) = (rest.get(at as usize..).unwrap_or_default(), position);
        }
        Ok(total)
    }

    /// From whom to copy a partition of a bucket with so many replicas: who answers for it.
    fn source(&self, view: &View, partition: Partition, replicas: usize) -> Source {
        let mut readers = view.readers(partition, replicas).filter(|node| *node != self.own).peekable();
        if readers.peek().is_none() {
            return Source::Nobody;
        }
        let (mut comes_back, mut reachable) = (false, None);
        for node in readers {
            comes_back |= view.catalog.nodes.get(&node).is_some_and(|info| info.state != NodeState::Away);
            reachable = reachable.or(view.is_reachable(node).then_some(node));
        }
        match reachable {
            Some(node) => Source::Node(node),
            // One that is given up brings what only it has when it is back.
            None if comes_back => Source::NotNow,
            None => Source::Nobody,
        }
    }
}

enum Source {
    Node(NodeId),
    /// Those that held it are not expected back.
    Nobody,
    /// Those that hold it do not answer now.
    NotNow,
}

/// The rate is kept, not made up for: a short wait is joined with the next.
/// Timers are not more exact than a millisecond.
pub(crate) async fn pause(wait: Duration) {
    if wait > Duration::from_millis(1) {
        tokio::time::sleep_until((Instant::now() + wait).into()).await;
    }
}
