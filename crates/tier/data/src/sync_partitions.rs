//! Driver: makes this replica have what another one has, for some partitions of a bucket. What repair and transfer are made of.
//!
//! Compare one number for all, then one for each partition, then fetch what differs: the first two levels of a Merkle tree, kept up
//! with every write. Below them, where a partition is large, come its ranges ([`crate::sync_ranges`]).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{PeerError, Priority, Service};
use ringway_ring::{NodeId, Partition};
use ringway_rt::clock::wall_ms;
use ringway_values::Update;

use crate::bucket::Bucket;
use crate::message::{Purpose, Told, TransferReply, TransferRequest, decode, encode, root_of};
use crate::replicate::{decoded, size_of};
use crate::sync_ranges::is_large;
use crate::{DataTier, Error};

const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// What a page brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: u64,
    /// Index into the partitions asked for and position at which to go on.
    pub(crate) next: Option<(u32, u64)>,
    /// Clients of the peer wait longer than they use to.
    pub(crate) is_strained: bool,
}

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
        let different = self.differing(bucket, peer, partitions).await?;
        Ok(different.into_iter().filter(|(_, has_some)| *has_some).map(|(partition, _)| partition).collect())
    }

    /// The partitions of which `peer` has not the same as this node, and whether it has anything.
    pub(crate) async fn differing(
        &self,
        bucket: &Bucket,
        peer: NodeId,
        partitions: &[Partition],
    ) -> Result<Vec<(Partition, bool)>, Error> {
        self.differing_for(Purpose::Repair, bucket, peer, partitions).await
    }

    pub(crate) async fn differing_for(
        &self,
        purpose: Purpose,
        bucket: &Bucket,
        peer: NodeId,
        partitions: &[Partition],
    ) -> Result<Vec<(Partition, bool)>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let digests: Vec<u64> = partitions.iter().map(|p| bucket.store().digest(*p)).collect();
        let request = TransferRequest::Digests {
            bucket: Cow::Borrowed(&bucket.name),
            partitions: partitions.iter().map(|p| p.0).collect(),
            root: root_of(digests.iter().copied()),
            purpose,
        };
        let theirs = match self.call_transfer(peer, &request).await? {
            TransferReply::Digests(theirs) => theirs,
            TransferReply::Same => return Ok(Vec::new()),
            _ => return Err(Error::Internal(format!("{peer:?} answered something else than digests"))),
        };
        let pairs = partitions.iter().zip(digests.into_iter().zip(theirs));
        Ok(pairs.filter(|(_, (own, their))| own != their).map(|(p, (_, their))| (*p, their != 0)).collect())
    }

    pub(crate) async fn fetch_partitions(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[Partition],
        note_bytes: impl Fn(u64),
    ) -> Result<u64, Error> {
        let (large, small): (Vec<Partition>, Vec<Partition>) =
            partitions.iter().copied().partition(|partition| is_large(bucket, *partition));
        let numbers: Vec<u16> = small.iter().map(|p| p.0).collect();
        let (mut rest, mut from, mut total) = (&numbers[..], 0, 0);
        for partition in large {
            let bytes = self.fetch_ranges(bucket, peer, partition).await?;
            total += bytes;
            note_bytes(bytes);
        }
        while !rest.is_empty() {
            let page = self.fetch_page(Purpose::Repair, bucket, peer, rest, from).await?;
            let Some(Fetched { bytes, next, .. }) = page else {
                return Err(Error::Internal(format!("{peer:?} puts repair off")));
            };
            total += bytes;
            note_bytes(bytes);
            let Some((at, position)) = next else { break };
            (rest, from) = (rest.get(at as usize..).unwrap_or_default(), position);
        }
        metrics::counter!("ringway_data_repair_partitions_total").increment(partitions.len() as u64);
        Ok(total)
    }

    /// Fetches and merges some cells of these partitions, the first from a position on. `None`: the peer wants to be asked later.
    pub(crate) async fn fetch_page(
        self: &Arc<Self>,
        purpose: Purpose,
        bucket: &Arc<Bucket>,
        peer: NodeId,
        partitions: &[u16],
        from: u64,
    ) -> Result<Option<Fetched>, Error> {
        let (bucket_name, asked) = (Cow::Borrowed(&*bucket.name), partitions.to_vec());
        let request = TransferRequest::Pages { bucket: bucket_name, partitions: asked, from, purpose };
        let (states, next, is_strained) = match self.call_transfer(peer, &request).await? {
            TransferReply::Pages { states, next, is_strained } => (states, next, is_strained),
            TransferReply::Later => return Ok(None),
            _ => return Err(Error::Internal(format!("{peer:?} answered something else than pages"))),
        };
        if next.is_some_and(|(at, position)| at == 0 && position <= from) {
            return Err(Error::Internal(format!("{peer:?} sends the same page again")));
        }
        let bytes = self.take_page(bucket, states).await?;
        Ok(Some(Fetched { bytes, next, is_strained }))
    }

    /// Merges what another replica has sent. How many bytes that was.
    pub(crate) async fn take_page(self: &Arc<Self>, bucket: &Arc<Bucket>, states: Vec<Told>) -> Result<u64, Error> {
        let bytes = states.iter().map(|told| size_of(told) as u64).sum();
        self.merge_updates(bucket, without_the_dead(states)?).await?;
        Ok(bytes)
    }

    pub(crate) async fn call_transfer(
        &self,
        peer: NodeId,
        request: &TransferRequest<'_>,
    ) -> Result<TransferReply, Error> {
        let called = self.peers.call(peer, Priority::Bulk, Service::Transfer, encode(request), CALL_DEADLINE).await;
        let body = called.map_err(|error| {
            if matches!(error, PeerError::Unreachable(..)) {
                self.note_failure(peer);
            }
            Error::Unreachable(error.to_string())
        })?;
        match decode(&body).map_err(Error::Internal)? {
            TransferReply::Long { id, len } => {
                self.pull(peer, id, len).await.map_err(|error| Error::Unreachable(error.to_string()))
            }
            reply => Ok(reply),
        }
    }
}

/// Tombstones that are about to be forgotten everywhere are not spread again.
fn without_the_dead(states: Vec<Told>) -> Result<Vec<(u16, Bytes, Update)>, Error> {
    let (now_ms, mut kept) = (wall_ms(), Vec::with_capacity(states.len()));
    for (partition, key, state) in states {
        let state = decoded(&state)?;
        if !state.is_forgettable(now_ms, crate::bucket::TOMBSTONE_AGE_MAX_MS) {
            kept.push((partition, key, Update::State(state)));
        }
    }
    Ok(kept)
}
