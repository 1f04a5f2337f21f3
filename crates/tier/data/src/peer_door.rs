//! Driver: what other nodes ask of this node's data tier.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_engine::page::PageLimit;
use ringway_ports::PeerHandler;
use ringway_replication::Cell;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition, partition_of};
use ringway_rt::clock::wall_ms;

use crate::bucket::Bucket;
use crate::message::{
    DataReply, DataRequest, Known, PART_BYTES_MAX, Purpose, TransferReply, TransferRequest, decode, encode, root_of,
};
use crate::op::Op;
use crate::op_run::Ops;
use crate::replicate::size_of;

use crate::view::View;
use crate::{DataTier, Error};

/// How long a message about a bucket waits for this node to hear of the bucket.
const BUCKET_WAIT: Duration = Duration::from_millis(300);
/// Of one page: small enough that clients' messages behind it do not wait, large enough that many round trips do not matter.
const PAGE_BYTES_MAX: usize = 64 << 10;
/// Cells in one page, however small.
const PAGE_CELLS_MAX: usize = 4096;

// Weak: the tier owns the peers, which own these.
pub(crate) struct DataDoor(pub(crate) Weak<DataTier>);
pub(crate) struct TransferDoor(pub(crate) Weak<DataTier>);

impl PeerHandler for DataDoor {
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let tier = self.0.upgrade();
        async move {
            let tier = tier.ok_or("the data tier has stopped")?;
            let reply = tier.serve_data(decode(&body)?).await.map_err(|error| error.to_string())?;
            Ok(encode(&reply))
        }
        .boxed()
    }
}

impl PeerHandler for TransferDoor {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let tier = self.0.upgrade();
        async move {
            let tier = tier.ok_or("the data tier has stopped")?;
            let reply = tier.serve_transfer(from, decode(&body)?).await.map_err(|error| error.to_string())?;
            Ok(encode(&reply))
        }
        .boxed()
    }
}

impl DataTier {
    async fn serve_data(self: Arc<Self>, request: DataRequest<'static>) -> Result<DataReply, Error> {
        match request {
            DataRequest::Execute { bucket, ops, known } => {
                self.catch_up_with(known).await?;
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let ops = ops.into_iter().map(|op| op.into_owned()).map(|op: Op| (op.partition(), op)).collect();
                Ok(self.serve_execute(&view, &bucket, Arc::new(ops), known).await)
            }
            DataRequest::StandIn { of, bucket, ops } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let ops = ops.into_iter().map(|op| op.into_owned()).map(|op: Op| (op.partition(), op)).collect();
                Ok(self.serve_stand_in(&view, &bucket, &of, Arc::new(ops)).await)
            }
            DataRequest::Replicate { bucket, cells, known } => {
                // Taken whether this node knows the row yet or not: that is no reason to have a client wait.
                self.note_epoch(known.since);
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                self.serve_replicate(&bucket, cells, known).await
            }
            DataRequest::Yield { epoch, partitions } => {
                self.handover.give(epoch, &partitions).await;
                Ok(DataReply::Yielded)
            }
            DataRequest::Epoch => Ok(DataReply::Epoch(self.view().holders.epoch())),
            DataRequest::Sees { nodes } => {
                // The view was made with it: where those were missing, this replica knows that it may have missed something.
                let view = self.view();
                Ok(DataReply::Seen(nodes.iter().all(|node| view.is_reachable(*node))))
            }
            DataRequest::Fetch { bucket, keys } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                blocking(bucket, move |bucket| fetch(bucket, &keys)).await.map(DataReply::Cells)
            }
            DataRequest::Counts { bucket, partitions } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                if !self.answers_for(&view, &bucket, partitions.iter().filter_map(|number| partition(*number))) {
                    return Ok(DataReply::Misdirected);
                }
                self.freshen(&view, &bucket, partitions.iter().filter_map(|number| partition(*number))).await?;
                let count = |number: &u16| partition(*number).map_or(0, |p| bucket.store().key_count(p) as u32);
                Ok(DataReply::Counts(partitions.iter().map(count).collect()))
            }
            DataRequest::Keys { bucket, partition: number, from, count } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                if !self.answers_for(&view, &bucket, partition(number).into_iter()) {
                    return Ok(DataReply::Misdirected);
                }
                let (keys, next) = blocking(bucket, move |bucket| keys(bucket, number, from, count)).await?;
                Ok(DataReply::Keys { keys, next })
            }
        }
    }

    async fn serve_execute(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        ops: Ops,
        known: Known,
    ) -> DataReply {
        if view.outdates(known, ops.iter().map(|(partition, _)| *partition)) {
            return DataReply::Stale { epoch: view.holders.epoch() };
        }
        if ops.iter().any(|(partition, _)| !view.may_execute(*partition, bucket.replicas())) {
            return DataReply::Misdirected;
        }
        let picked = (0..ops.len()).collect();
        match self.run_here(view, bucket, &ops, picked).await {
            Ok(replies) => DataReply::Executed(replies),
            Err(epoch) => DataReply::Stale { epoch },
        }
    }

    /// First merges, then looks: whoever copies the partition from here for a newer row has got the cells, or the sender is told to
    /// send them there, too.
    async fn serve_replicate(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        cells: Vec<(Bytes, Cell)>,
        known: Known,
    ) -> Result<DataReply, Error> {
        let partitions: BTreeSet<Partition> = cells.iter().map(|(key, _)| partition_of(key)).collect();
        self.merge(bucket, cells).await?;
        let view = self.view();
        match view.outdates(known, partitions.into_iter()) {
            true => Ok(DataReply::Stale { epoch: view.holders.epoch() }),
            false => Ok(DataReply::Replicated),
        }
    }

    /// Waits until this node knows of the rows of a message what its sender does.
    async fn catch_up_with(&self, known: Known) -> Result<(), Error> {
        if self.knows_epoch(known.since).await {
            return Ok(());
        }
        Err(Error::Unreachable(format!("this node has not heard of epoch {} of the ring yet", known.since)))
    }

    async fn serve_transfer(
        self: Arc<Self>,
        from: NodeId,
        request: TransferRequest<'static>,
    ) -> Result<TransferReply, Error> {
        match request {
            TransferRequest::Digests { bucket, partitions, root, purpose } => {
                self.prepare_for(purpose).await?;
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                if purpose != Purpose::Repair {
                    // The asker may have it from here alone: what this node has missed, it fetches first.
                    self.freshen(&view, &bucket, partitions.iter().filter_map(|number| partition(*number))).await?;
                }
                let digests: Vec<u64> = partitions
                    .iter()
                    .map(|number| partition(*number).map_or(0, |p| bucket.store().digest(p)))
                    .collect();
                Ok(match root_of(digests.iter().copied()) == root {
                    true => TransferReply::Same,
                    false => TransferReply::Digests(digests),
                })
            }
            TransferRequest::Pages { bucket, partitions, from: position, purpose } => {
                if purpose != Purpose::Repair && !self.moving.admit(from) {
                    return Ok(TransferReply::Later);
                }
                self.prepare_for(purpose).await?;
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                let is_strained = self.moving.is_strained();
                blocking(bucket, move |bucket| pages(bucket, &partitions, position, is_strained)).await
            }
        }
    }

    /// Whoever is to hold a partition may copy it from here when this node sends its writes there, too.
    async fn prepare_for(&self, purpose: Purpose) -> Result<(), Error> {
        match purpose {
            Purpose::Repair => Ok(()),
            Purpose::Move { epoch } => self.catch_up_with(Known { epoch, since: epoch }).await,
        }
    }

    /// The bucket; if this node has not heard of it yet, it may do so any moment.
    async fn bucket_soon(self: &Arc<Self>, name: &str) -> Result<(Arc<View>, Arc<Bucket>), Error> {
        let mut catalog = self.catalog_changes();
        let known = catalog.wait_for(|catalog| catalog.buckets.contains_key(name));
        // Not there in time, or no more changes: then it is an error in the next line.
        let _ = tokio::time::timeout(BUCKET_WAIT, known).await.map(|found| found.map(drop));
        self.bucket(name).await
    }
}

/// Reads from the store where it may block.
async fn blocking<T: Send + 'static>(
    bucket: Arc<Bucket>,
    work: impl FnOnce(&Bucket) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if !bucket.store().blocks() {
        return work(&bucket);
    }
    tokio::task::spawn_blocking(move || work(&bucket)).await.map_err(|panic| Error::Internal(panic.to_string()))?
}

fn partition(number: u16) -> Option<Partition> {
    (usize::from(number) < PARTITION_COUNT).then_some(Partition(number))
}

fn fetch(bucket: &Bucket, keys: &[Bytes]) -> Result<Vec<Option<Cell>>, Error> {
    let (mut cells, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for key in keys {
        let cell = bucket.store().get(partition_of(key), key)?;
        bytes += cell.as_ref().map_or(1, |cell| size_of(key, cell));
        cells.push(cell);
        if bytes > PART_BYTES_MAX {
            break;
        }
    }
    Ok(cells)
}

pub(crate) fn keys(bucket: &Bucket, number: u16, from: u64, count: u32) -> Result<(Vec<Bytes>, Option<u64>), Error> {
    let Some(partition) = partition(number) else { return Ok((Vec::new(), None)) };
    let limit = PageLimit { cells_max: count as usize, bytes_max: PART_BYTES_MAX };
    let (page, now_ms) = (bucket.store().page(partition, from, limit)?, wall_ms());
    let live = page.cells.into_iter().filter(|(_, cell)| cell.is_live(now_ms)).map(|(key, _)| key);
    Ok((live.collect(), page.next))
}

fn pages(bucket: &Bucket, partitions: &[u16], mut from: u64, is_strained: bool) -> Result<TransferReply, Error> {
    let (mut cells, mut bytes) = (Vec::new(), 0);
    for (at, number) in partitions.iter().enumerate() {
        if bytes >= PAGE_BYTES_MAX || cells.len() >= PAGE_CELLS_MAX {
            return Ok(TransferReply::Pages { cells, next: Some((at as u32, from)), is_strained });
        }
        let Some(partition) = partition(*number) else { continue };
        let limit = PageLimit { cells_max: PAGE_CELLS_MAX - cells.len(), bytes_max: PAGE_BYTES_MAX - bytes };
        let page = bucket.store().page(partition, from, limit)?;
        bytes += page.cells.iter().map(|(key, cell)| size_of(key, cell)).sum::<usize>();
        cells.extend(page.cells);
        if let Some(next) = page.next {
            return Ok(TransferReply::Pages { cells, next: Some((at as u32, next)), is_strained });
        }
        from = 0;
    }
    Ok(TransferReply::Pages { cells, next: None, is_strained })
}
