//! Driver: brings what was written here to the other replicas, and asks them where this node may have missed something.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringway_ports::{PeerError, Priority};
use ringway_replication::{Cell, Heard, WritePlan};
use ringway_ring::{NodeId, Partition, partition_of};
use ringway_rt::clock::wall_ms;
use tracing::{debug, warn};

use crate::bucket::Bucket;
use crate::execute::Written;
use crate::message::{DataReply, DataRequest, Known, PART_BYTES_MAX};
use crate::op::Op;
use crate::view::View;
use crate::{DataTier, Error};

/// How long a write waits for a replica that seemed to be up.
const REPLICA_DEADLINE: Duration = Duration::from_millis(500);
/// How often a write is sent again because its partition has other holders meanwhile.
const ROUNDS_MAX: usize = 4;
/// How long a read waits for one.
const FETCH_DEADLINE: Duration = Duration::from_millis(500);

type Targets<'a> = BTreeMap<NodeId, Vec<&'a Written>>;

impl DataTier {
    /// Returns when all reachable replicas have the cells, or are late; who has missed them is owed a hint.
    ///
    /// The cells are in the store already, and whom to send them to is looked up only now: a node that has copied the partition
    /// from here without them is in that view. If a replica knows of a newer row, those of that row get them, too.
    pub(crate) async fn replicate(&self, bucket: &Bucket, written: Vec<Written>) {
        for _ in 0..ROUNDS_MAX {
            let Some(newer) = self.replicate_once(&self.view(), bucket, &written).await else { return };
            metrics::counter!("ringway_data_stale_writes_total").increment(1);
            if !self.knows_epoch(newer).await {
                break;
            }
        }
        // Those that are to come and did not get it compare with those who answer when they do.
        warn!(bucket = %bucket.name, "the ring changes faster than this node hears of it: a write is left to repair");
        self.repair_wanted.notify_one();
    }

    /// To those who hold the cells' partitions as `view` has it. The newest epoch of which a replica knows that this is not so.
    async fn replicate_once(&self, view: &View, bucket: &Bucket, written: &[Written]) -> Option<u64> {
        let targets = self.targets(view, bucket, written);
        if targets.is_empty() {
            return None;
        }
        let known = view.known(written.iter().map(|(partition, _, _)| *partition));
        let deadline_ms = wall_ms() + REPLICA_DEADLINE.as_millis() as u64;
        let mut plan = WritePlan::new(self.own, targets.keys().copied(), |node| view.is_reachable(node), deadline_ms);
        let mut sending: FuturesUnordered<_> =
            plan.waiting().iter().map(|node| self.send_cells(bucket, *node, &targets[node], known)).collect();
        let late = tokio::time::sleep(REPLICA_DEADLINE);
        tokio::pin!(late);
        let mut newer = None;
        while !plan.is_done() {
            tokio::select! {
                Some((heard, stale)) = sending.next() => {
                    plan.handle(heard);
                    newer = newer.max(stale);
                }
                () = &mut late => plan.tick(u64::MAX),
            }
        }
        let had_trouble = plan.missed().iter().any(|node| view.is_reachable(*node));
        for node in plan.missed() {
            self.dirty.mark(*node, &bucket.name, targets[node].iter().map(|(partition, _, _)| *partition));
        }
        if had_trouble {
            self.repair_wanted.notify_one();
        }
        newer
    }

    fn targets<'a>(&self, view: &View, bucket: &Bucket, written: &'a [Written]) -> Targets<'a> {
        let mut targets = Targets::new();
        for cell in written {
            let others: BTreeSet<NodeId> =
                view.writers(cell.0, bucket.replicas()).filter(|node| *node != self.own).collect();
            others.into_iter().for_each(|node| targets.entry(node).or_default().push(cell));
        }
        targets
    }

    /// How it went, and the epoch of which `node` knows that others hold one of the cells' partitions, if it does.
    async fn send_cells(
        &self,
        bucket: &Bucket,
        node: NodeId,
        cells: &[&Written],
        known: Known,
    ) -> (Heard, Option<u64>) {
        let (mut rest, mut newer) = (cells, None);
        while !rest.is_empty() {
            let (part, after) = rest.split_at(part_len(rest.iter().map(|(_, key, cell)| size_of(key, cell))));
            rest = after;
            let cells = part.iter().map(|(_, key, cell)| (key.clone(), cell.clone())).collect();
            match self.send_part(bucket, node, Priority::Client, cells, known).await {
                Ok(stale) => newer = newer.max(stale),
                Err(error) => {
                    debug!(peer = %node, %error, "replica missed a write");
                    return (Heard::Failed(node), newer);
                }
            }
        }
        (Heard::Acked(node), newer)
    }

    /// Has `node` merge some cells. The newer epoch of which it knows, if that has other holders.
    pub(crate) async fn send_part(
        &self,
        bucket: &Bucket,
        node: NodeId,
        priority: Priority,
        cells: Vec<(Bytes, Cell)>,
        known: Known,
    ) -> Result<Option<u64>, PeerError> {
        let request = DataRequest::Replicate { bucket: Cow::Borrowed(&bucket.name), cells, known };
        match self.call_data(node, priority, &request, REPLICA_DEADLINE).await {
            Ok(DataReply::Stale { epoch }) => Ok(Some(epoch)),
            Ok(_) => Ok(None),
            Err(error) => {
                match &error {
                    PeerError::Unreachable(..) | PeerError::TimedOut(..) => self.note_failure(node),
                    PeerError::Remote(_, why) => self.note_refusal(node, why),
                    _ => {}
                }
                Err(error)
            }
        }
    }

    /// Where this replica may have missed writes, takes over what the others have of these keys.
    pub(crate) async fn catch_up<'a>(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        ops: impl Iterator<Item = &'a (Partition, Op)>,
    ) {
        let mut wanted: BTreeMap<NodeId, BTreeSet<Bytes>> = BTreeMap::new();
        for (partition, op) in ops.filter(|(partition, _)| !bucket.held.is_fresh(*partition)) {
            let others = view.sources(*partition, bucket.replicas());
            for node in others.filter(|node| *node != self.own && view.is_reachable(*node)) {
                wanted.entry(node).or_default().insert(op.key.clone());
            }
        }
        let asked = wanted.into_iter().map(|(node, keys)| self.fetch(bucket, node, keys.into_iter().collect()));
        for cells in join_all(asked).await {
            if let Err(error) = self.merge(bucket, cells).await {
                warn!(bucket = %bucket.name, %error, "what another replica has could not be taken over");
            }
        }
    }

    /// What `node` has of some keys; nothing if it does not answer: then it cannot be asked, and we go on with what is here.
    async fn fetch(&self, bucket: &Bucket, node: NodeId, keys: Vec<Bytes>) -> Vec<(Bytes, Cell)> {
        let mut found = Vec::new();
        let mut rest = &keys[..];
        while !rest.is_empty() {
            let request = DataRequest::Fetch { bucket: Cow::Borrowed(&bucket.name), keys: rest.to_vec() };
            match self.call_data(node, Priority::Client, &request, FETCH_DEADLINE).await {
                Ok(DataReply::Cells(cells)) if !cells.is_empty() => {
                    let (answered, after) = rest.split_at(cells.len().min(rest.len()));
                    found.extend(answered.iter().cloned().zip(cells).filter_map(|(key, cell)| Some((key, cell?))));
                    rest = after;
                }
                Ok(_) => return found,
                Err(error) => {
                    if matches!(error, PeerError::Unreachable(..) | PeerError::TimedOut(..)) {
                        self.note_failure(node);
                    }
                    return found;
                }
            }
        }
        found
    }

    /// Merges cells of other replicas into the store; durable when it returns. Refuses those of a clock far ahead.
    pub(crate) async fn merge(self: &Arc<Self>, bucket: &Arc<Bucket>, cells: Vec<(Bytes, Cell)>) -> Result<(), Error> {
        let Some(latest) = cells.iter().map(|(_, cell)| cell.version).max() else { return Ok(()) };
        self.clock.observe(latest).map_err(|ahead| Error::Internal(ahead.to_string()))?;
        if !bucket.store().blocks() {
            return apply_all(bucket, cells);
        }
        let blocking = bucket.clone();
        let applied = tokio::task::spawn_blocking(move || apply_all(&blocking, cells)).await;
        applied.map_err(|panic| Error::Internal(panic.to_string()))??;
        Ok(bucket.store().synced().await?)
    }
}

fn apply_all(bucket: &Bucket, cells: Vec<(Bytes, Cell)>) -> Result<(), Error> {
    for (key, cell) in cells {
        bucket.store().apply(partition_of(&key), &key, cell)?;
    }
    Ok(())
}

pub(crate) fn size_of(key: &Bytes, cell: &Cell) -> usize {
    key.len() + cell.value.as_ref().map_or(0, Bytes::len) + 48
}

/// How many of the things of these sizes fit into one message: at least one, and a large one goes alone.
pub(crate) fn part_len(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = sizes.enumerate().take_while(|(at, size)| {
        bytes += size;
        *at == 0 || bytes <= PART_BYTES_MAX
    });
    fits.count()
}
