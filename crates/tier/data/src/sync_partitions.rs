//! Driver: makes this replica have what another one has, for some partitions of a bucket. What repair and transfer are made of.
//!
//! Compare one number for all, then one for each partition, then fetch the cells of those that differ: only what differs moves
//! (the first two levels of a Merkle tree; the levels below a partition are to come).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{PeerError, Priority, Service};
use ringway_replication::Cell;
use ringway_ring::{NodeId, Partition};
use ringway_rt::clock::wall_ms;

use crate::bucket::Bucket;
use crate::message::{TransferReply, TransferRequest, decode, encode, root_of};
use crate::replicate::size_of;
use crate::{DataTier, Error};

const CALL_DEADLINE: Duration = Duration::from_secs(5);

impl DataTier {
    /// After this, what `peer` had of these partitions when it was asked is here too. `note_bytes` hears of progress.
    pub(crate) async fn take_over(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[Partition],
        note_bytes: impl Fn(u64),
    ) -> Result<u64, Error> {
        let different = self.compare(bucket, peer, partitions).await?;
        self.fetch_partitions(bucket, peer, &different, note_bytes).await
    }

    /// The partitions of which `peer` has something, and not the same as this node.
    pub(crate) async fn compare(
        &self,
        bucket: &Bucket,
        peer: NodeId,
        partitions: &[Partition],
    ) -> Result<Vec<Partition>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let digests: Vec<u64> = partitions.iter().map(|p| bucket.store().digest(*p)).collect();
        let request = TransferRequest::Digests {
            bucket: Cow::Borrowed(&bucket.name),
            partitions: partitions.iter().map(|p| p.0).collect(),
            root: root_of(digests.iter().copied()),
        };
        let TransferReply::Digests(theirs) = self.call_transfer(peer, &request).await? else {
            return Ok(Vec::new());
        };
        let pairs = partitions.iter().zip(digests.into_iter().zip(theirs));
        Ok(pairs.filter(|(_, (own, their))| own != their && *their != 0).map(|(partition, _)| *partition).collect())
    }

    pub(crate) async fn fetch_partitions(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[Partition],
        note_bytes: impl Fn(u64),
    ) -> Result<u64, Error> {
        let numbers: Vec<u16> = partitions.iter().map(|p| p.0).collect();
        let (mut rest, mut from, mut total) = (&numbers[..], 0, 0);
        while !rest.is_empty() {
            let request =
                TransferRequest::Pages { bucket: Cow::Borrowed(&bucket.name), partitions: rest.to_vec(), from };
            let TransferReply::Pages { cells, next } = self.call_transfer(peer, &request).await? else {
                return Err(Error::Internal(format!("{peer:?} answered something else than pages")));
            };
            let bytes: usize = cells.iter().map(|(key, cell)| size_of(key, cell)).sum();
            total += bytes as u64;
            self.merge(bucket, without_the_dead(cells)).await?;
            note_bytes(bytes as u64);
            let Some((at, position)) = next else { break };
            let made_progress = at > 0 || position > from;
            if !made_progress {
                return Err(Error::Internal(format!("{peer:?} sends the same page again")));
            }
            (rest, from) = (rest.get(at as usize..).unwrap_or_default(), position);
        }
        metrics::counter!("ringway_data_repair_partitions_total").increment(partitions.len() as u64);
        Ok(total)
    }

    async fn call_transfer(&self, peer: NodeId, request: &TransferRequest<'_>) -> Result<TransferReply, Error> {
        let called = self.peers.call(peer, Priority::Bulk, Service::Transfer, encode(request), CALL_DEADLINE).await;
        let body = called.map_err(|error| {
            if matches!(error, PeerError::Unreachable(..)) {
                self.note_failure(peer);
            }
            Error::Unreachable(error.to_string())
        })?;
        decode(&body).map_err(Error::Internal)
    }
}

/// Tombstones that are about to be forgotten everywhere are not spread again.
fn without_the_dead(mut cells: Vec<(Bytes, Cell)>) -> Vec<(Bytes, Cell)> {
    let now_ms = wall_ms();
    cells.retain(|(_, cell)| !cell.is_forgettable(now_ms, crate::bucket::TOMBSTONE_AGE_MAX_MS));
    cells
}
