//! Driver: what other nodes ask of this node's data tier.

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
use crate::message::{DataReply, DataRequest, PART_BYTES_MAX, TransferReply, TransferRequest, decode, encode, root_of};
use crate::op::Op;
use crate::op_run::Ops;
use crate::replicate::size_of;

use crate::view::View;
use crate::{DataTier, Error};

/// How long a message about a bucket waits for this node to hear of the bucket.
const BUCKET_WAIT: Duration = Duration::from_millis(300);
/// Cells in one page, however small.
const PAGE_CELLS_MAX: usize = 16_384;

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
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let tier = self.0.upgrade();
        async move {
            let tier = tier.ok_or("the data tier has stopped")?;
            let reply = tier.serve_transfer(decode(&body)?).await.map_err(|error| error.to_string())?;
            Ok(encode(&reply))
        }
        .boxed()
    }
}

impl DataTier {
    async fn serve_data(self: Arc<Self>, request: DataRequest<'static>) -> Result<DataReply, Error> {
        match request {
            DataRequest::Execute { bucket, ops } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let ops = ops.into_iter().map(|op| op.into_owned()).map(|op: Op| (op.partition(), op)).collect();
                Ok(self.serve_execute(&view, &bucket, Arc::new(ops)).await)
            }
            DataRequest::Replicate { bucket, cells } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                self.merge(&bucket, cells).await?;
                Ok(DataReply::Replicated)
            }
            DataRequest::Fetch { bucket, keys } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                blocking(bucket, move |bucket| fetch(bucket, &keys)).await.map(DataReply::Cells)
            }
            DataRequest::Counts { bucket, partitions } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                self.freshen(&view, &bucket, partitions.iter().filter_map(|number| partition(*number))).await?;
                let count = |number: &u16| partition(*number).map_or(0, |p| bucket.store().key_count(p) as u32);
                Ok(DataReply::Counts(partitions.iter().map(count).collect()))
            }
            DataRequest::Keys { bucket, partition: number, from, count } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                let (keys, next) = blocking(bucket, move |bucket| keys(bucket, number, from, count)).await?;
                Ok(DataReply::Keys { keys, next })
            }
        }
    }

    async fn serve_execute(self: &Arc<Self>, view: &Arc<View>, bucket: &Arc<Bucket>, ops: Ops) -> DataReply {
        if ops.iter().any(|(partition, _)| !view.own_writes(*partition, bucket.replicas())) {
            return DataReply::Misdirected;
        }
        let picked = (0..ops.len()).collect();
        DataReply::Executed(self.run_here(view, bucket, &ops, picked).await)
    }

    async fn serve_transfer(self: Arc<Self>, request: TransferRequest<'static>) -> Result<TransferReply, Error> {
        match request {
            TransferRequest::Digests { bucket, partitions, root } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                let digests: Vec<u64> = partitions
                    .iter()
                    .map(|number| partition(*number).map_or(0, |p| bucket.store().digest(p)))
                    .collect();
                Ok(match root_of(digests.iter().copied()) == root {
                    true => TransferReply::Same,
                    false => TransferReply::Digests(digests),
                })
            }
            TransferRequest::Pages { bucket, partitions, from } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                blocking(bucket, move |bucket| pages(bucket, &partitions, from)).await
            }
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

fn pages(bucket: &Bucket, partitions: &[u16], mut from: u64) -> Result<TransferReply, Error> {
    let (mut cells, mut bytes) = (Vec::new(), 0);
    for (at, number) in partitions.iter().enumerate() {
        if bytes >= PART_BYTES_MAX || cells.len() >= PAGE_CELLS_MAX {
            return Ok(TransferReply::Pages { cells, next: Some((at as u32, from)) });
        }
        let Some(partition) = partition(*number) else { continue };
        let limit = PageLimit { cells_max: PAGE_CELLS_MAX - cells.len(), bytes_max: PART_BYTES_MAX - bytes };
        let page = bucket.store().page(partition, from, limit)?;
        bytes += page.cells.iter().map(|(key, cell)| size_of(key, cell)).sum::<usize>();
        cells.extend(page.cells);
        if let Some(next) = page.next {
            return Ok(TransferReply::Pages { cells, next: Some((at as u32, next)) });
        }
        from = 0;
    }
    Ok(TransferReply::Pages { cells, next: None })
}
