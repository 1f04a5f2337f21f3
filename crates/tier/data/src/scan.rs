//! Driver: commands about a whole bucket. They walk partition after partition, each at its acting primary.
//!
//! A cursor is a partition (12 bits) and a position in it (48 bits), so it stays good when nodes come and go; 0 begins and ends.
//! To not ask for thousands of empty partitions one by one, the counts of all are asked for first, once per node.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use ringway_engine::page::POSITION_BITS;
use ringway_ports::Priority;
use ringway_protocol::resp::RespVersion;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition};

use crate::bucket::Bucket;
use crate::message::{DataReply, DataRequest};
use crate::unit::Unit;
use crate::view::View;
use crate::{DataTier, Error, peer_door};

const DEADLINE: Duration = Duration::from_secs(2);
/// Keys that one SCAN may look at.
pub(crate) const SCAN_COUNT_MAX: usize = 10_000;
/// Keys that one KEYS may give.
const KEYS_MAX: usize = 1_000_000;
/// Partitions asked at once.
const PARTITIONS_AT_ONCE: usize = 64;
/// How often a walk over a peer-to-peer ring begins again because an arc has changed hands.
const RETRIES_MAX: usize = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const FLUSH_COUNT: usize = 1000;

/// Where a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) partition: u16,
    pub(crate) position: u64,
}

impl Cursor {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        let partition = number >> POSITION_BITS;
        (partition < PARTITION_COUNT as u64)
            .then_some(Self { partition: partition as u16, position: number & ((1 << POSITION_BITS) - 1) })
    }

    pub(crate) fn number(self) -> u64 {
        (u64::from(self.partition) << POSITION_BITS) | self.position
    }
}

/// Whose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of the bucket's.
    Bucket,
    /// Those that this node is the acting primary of.
    Own,
}

impl DataTier {
    /// Some keys and the next cursor, 0 at the end. At least one key unless it is the end.
    pub(crate) async fn scan(
        self: &Arc<Self>,
        bucket_name: &str,
        cursor: u64,
        count: usize,
        scope: Scope,
    ) -> Result<(Vec<Bytes>, u64), Error> {
        self.hear_of_others().await;
        for _ in 0..RETRIES_MAX {
            match self.scan_once(bucket_name, cursor, count, scope).await {
                Err(Error::Unreachable(_)) if self.placement.peer_ring().is_some() => {}
                done => return done,
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        self.scan_once(bucket_name, cursor, count, scope).await
    }

    async fn scan_once(
        self: &Arc<Self>,
        bucket_name: &str,
        cursor: u64,
        count: usize,
        scope: Scope,
    ) -> Result<(Vec<Bytes>, u64), Error> {
        let (view, bucket) = self.bucket(bucket_name).await?;
        let view = self.find_holders(view, Partition::all()).await;
        let Some(start) = Cursor::from_number(cursor) else { return Ok((Vec::new(), 0)) };
        let count = count.clamp(1, SCAN_COUNT_MAX);
        let counts = self.counts(&view, &bucket, scope).await?;
        let full: Vec<u16> =
            (start.partition..PARTITION_COUNT as u16).filter(|p| counts[usize::from(*p)] > 0).collect();
        let mut keys = Vec::new();
        let mut rest = &full[..];
        while !rest.is_empty() && keys.len() < count {
            let (now, later) = rest.split_at(chunk_len(rest, &counts, count - keys.len()));
            rest = later;
            let asked = now.iter().map(|number| {
                let from = if *number == start.partition { start.position } else { 0 };
                self.keys_of(&view, &bucket, *number, from, count)
            });
            for (number, answer) in now.iter().zip(join_all(asked).await) {
                let (found, next) = answer?;
                keys.extend(found);
                if let Some(position) = next {
                    return Ok((keys, Cursor { partition: *number, position }.number()));
                }
            }
        }
        let next = rest.first().map_or(0, |number| Cursor { partition: *number, position: 0 }.number());
        Ok((keys, next))
    }

    /// All keys that `wanted` accepts.
    pub(crate) async fn all_keys(
        self: &Arc<Self>,
        bucket: &str,
        scope: Scope,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Bytes>, Error> {
        let (mut keys, mut cursor) = (Vec::new(), 0);
        loop {
            let (page, next) = self.scan(bucket, cursor, SCAN_COUNT_MAX, scope).await?;
            keys.extend(page.into_iter().filter(|key| wanted(key)));
            if keys.len() > KEYS_MAX {
                return Err(Error::Internal(format!("more than {KEYS_MAX} keys: use SCAN")));
            }
            cursor = next;
            if cursor == 0 {
                return Ok(keys);
            }
        }
    }

    pub(crate) async fn key_count(self: &Arc<Self>, bucket_name: &str, scope: Scope) -> Result<u64, Error> {
        let (view, bucket) = self.bucket(bucket_name).await?;
        let view = self.find_holders(view, Partition::all()).await;
        Ok(self.counts(&view, &bucket, scope).await?.into_iter().map(u64::from).sum())
    }

    /// Deletes every key, by deleting each: replicas that are away hear of it later.
    pub(crate) async fn flush(self: &Arc<Self>, bucket: &str) -> Result<(), Error> {
        let mut cursor = 0;
        loop {
            let (keys, next) = self.scan(bucket, cursor, FLUSH_COUNT, Scope::Bucket).await?;
            let (_, open) = self.bucket(bucket).await?;
            let units = keys.iter().map(|key| Unit::one(open.partition_of(key), &[b"DEL", key])).collect();
            let replies = self.run_units(bucket, units, RespVersion::Two).await;
            if let Some(error) = replies.into_iter().find(|reply| reply.starts_with(b"-")) {
                return Err(Error::Unknown(String::from_utf8_lossy(&error).into_owned()));
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Keys in each partition, as its acting primary counts; none in those that were not asked for.
    pub(crate) async fn counts(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        scope: Scope,
    ) -> Result<Vec<u32>, Error> {
        let mut by_node: BTreeMap<NodeId, Vec<u16>> = BTreeMap::new();
        for partition in Partition::all() {
            if scope == Scope::Own && view.acting(partition, bucket.replicas()) != Some(self.own) {
                continue;
            }
            let node = self.acting_or_error(view, bucket, partition)?;
            by_node.entry(node).or_default().push(partition.0);
        }
        let asked = by_node.into_iter().map(|(node, partitions)| async move {
            let counts = self.counts_at(view, bucket, node, &partitions).await?;
            Ok::<_, Error>(partitions.into_iter().zip(counts).collect::<Vec<_>>())
        });
        let mut counts = vec![0; PARTITION_COUNT];
        for answer in join_all(asked).await {
            answer?.into_iter().for_each(|(partition, count)| counts[usize::from(partition)] = count);
        }
        Ok(counts)
    }

    async fn counts_at(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        node: NodeId,
        partitions: &[u16],
    ) -> Result<Vec<u32>, Error> {
        if node == self.own {
            self.freshen(view, bucket, partitions.iter().map(|number| Partition(*number))).await?;
            return Ok(partitions.iter().map(|p| bucket.store().key_count(Partition(*p)) as u32).collect());
        }
        let request = DataRequest::Counts { bucket: Cow::Borrowed(&bucket.name), partitions: partitions.to_vec() };
        match self.call_data(node, Priority::Client, &request, DEADLINE).await {
            Ok(DataReply::Counts(counts)) => Ok(counts),
            Ok(DataReply::Misdirected) => Err(self.misdirected(node, partitions)),
            Ok(_) => Err(Error::Internal(format!("{node:?} answered something else than counts"))),
            Err(error) => {
                self.note_failure(node);
                Err(Error::Unreachable(error.to_string()))
            }
        }
    }

    async fn keys_of(
        &self,
        view: &View,
        bucket: &Arc<Bucket>,
        number: u16,
        from: u64,
        count: usize,
    ) -> Result<(Vec<Bytes>, Option<u64>), Error> {
        let node = self.acting_or_error(view, bucket, Partition(number))?;
        if node == self.own {
            let reading = bucket.clone();
            if !bucket.store().is_on_disk() {
                return peer_door::keys(bucket, number, from, count as u32);
            }
            let read = tokio::task::spawn_blocking(move || peer_door::keys(&reading, number, from, count as u32)).await;
            return read.map_err(|panic| Error::Internal(panic.to_string()))?;
        }
        let request =
            DataRequest::Keys { bucket: Cow::Borrowed(&bucket.name), partition: number, from, count: count as u32 };
        match self.call_data(node, Priority::Client, &request, DEADLINE).await {
            Ok(DataReply::Keys { keys, next }) => Ok((keys, next)),
            Ok(DataReply::Misdirected) => Err(self.misdirected(node, &[number])),
            Ok(_) => Err(Error::Internal(format!("{node:?} answered something else than keys"))),
            Err(error) => {
                self.note_failure(node);
                Err(Error::Unreachable(error.to_string()))
            }
        }
    }

    pub(crate) fn misdirected(&self, node: NodeId, partitions: &[u16]) -> Error {
        self.forget_holders(partitions.iter().map(|number| Partition(*number)));
        Error::Unreachable(format!("{node:?} and this node differ about who holds the keys"))
    }

    pub(crate) fn acting_or_error(&self, view: &View, bucket: &Bucket, partition: Partition) -> Result<NodeId, Error> {
        view.acting(partition, bucket.replicas())
            .ok_or_else(|| Error::Unreachable(format!("partition {} has no reachable replica", partition.0)))
    }
}

/// How many of the partitions to ask at once for about `wanted` keys.
fn chunk_len(partitions: &[u16], counts: &[u32], wanted: usize) -> usize {
    let mut keys = 0;
    let enough = partitions.iter().take(PARTITIONS_AT_ONCE).take_while(|number| {
        let more = keys < wanted;
        keys += counts[usize::from(**number)] as usize;
        more
    });
    enough.count().max(1)
}
