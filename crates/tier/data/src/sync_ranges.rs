//! Driver: the third level of the comparison of two replicas: ranges of positions within a large partition.
//!
//! The first two levels ([`crate::sync_partitions`]: one number for all partitions, one for each) are kept up with every write. This
//! one is worked out where a partition differs and has so many keys that fetching all for the sake of a few would be a waste.

use std::borrow::Cow;
use std::sync::Arc;

use ringway_engine::page::POSITION_BITS;
use ringway_ring::{NodeId, Partition};

use crate::bucket::Bucket;
use crate::message::{TransferReply, TransferRequest};
use crate::{DataTier, Error};

/// Ranges of one partition; a power of two.
const RANGES: usize = 64;
/// Positions in one of them.
const RANGE_LEN: u64 = (1 << POSITION_BITS) / RANGES as u64;
/// Partitions with fewer keys are fetched whole.
const KEYS_MIN: u64 = 512;

/// Whether it is worth comparing a partition's ranges.
pub(crate) fn is_large(bucket: &Bucket, partition: Partition) -> bool {
    bucket.store().key_count(partition) >= KEYS_MIN
}

impl DataTier {
    /// Makes this node have what `peer` has of a partition, fetching only the ranges that differ. How many bytes came.
    pub(crate) async fn fetch_ranges(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partition: Partition,
    ) -> Result<u64, Error> {
        let mut total = 0;
        for range in self.differing_ranges(bucket, peer, partition).await? {
            total += self.fetch_range(bucket, peer, partition, range).await?;
        }
        Ok(total)
    }

    /// The ranges of positions in which this node and `peer` have not the same.
    pub(crate) async fn differing_ranges(
        &self,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partition: Partition,
    ) -> Result<Vec<(u64, u64)>, Error> {
        let request = TransferRequest::Ranges {
            bucket: Cow::Borrowed(&bucket.name),
            partition: partition.0,
            ranges: RANGES as u16,
        };
        let theirs = match self.call_transfer(peer, &request).await? {
            TransferReply::Digests(theirs) if theirs.len() == RANGES => theirs,
            _ => return Err(Error::Internal(format!("{peer:?} answered something else than digests of ranges"))),
        };
        let own = self.own_ranges(bucket, partition, RANGES).await?;
        let differ = own.into_iter().zip(theirs).enumerate().filter(|(_, (own, theirs))| own != theirs);
        Ok(differ.map(|(nth, _)| (nth as u64 * RANGE_LEN, (nth as u64 + 1) * RANGE_LEN)).collect())
    }

    async fn fetch_range(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partition: Partition,
        (mut from, until): (u64, u64),
    ) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let request =
                TransferRequest::Range { bucket: Cow::Borrowed(&bucket.name), partition: partition.0, from, until };
            let (states, next) = match self.call_transfer(peer, &request).await? {
                TransferReply::Pages { states, next, .. } => (states, next),
                _ => return Err(Error::Internal(format!("{peer:?} answered something else than a range"))),
            };
            total += self.take_page(bucket, states).await?;
            match next {
                Some((_, position)) if position > from => from = position,
                Some(_) => return Err(Error::Internal(format!("{peer:?} sends the same page again"))),
                None => return Ok(total),
            }
        }
    }

    /// For another node, or this one.
    pub(crate) async fn own_ranges(
        &self,
        bucket: &Arc<Bucket>,
        partition: Partition,
        ranges: usize,
    ) -> Result<Vec<u64>, Error> {
        let reading = bucket.clone();
        let digests = tokio::task::spawn_blocking(move || reading.store().range_digests(partition, ranges)).await;
        Ok(digests.map_err(|panic| Error::Internal(panic.to_string()))??)
    }
}
