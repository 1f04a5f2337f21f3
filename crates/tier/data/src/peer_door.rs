//! Driver: what other nodes ask of this node's data tier.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_engine::page::PageLimit;
use ringway_ports::PeerHandler;
use ringway_protocol::resp::RespVersion;
use ringway_ring::{NodeId, Partition};
use ringway_rt::clock::wall_ms;
use ringway_values::Update;

use crate::bucket::Bucket;
use crate::export::Part;
use crate::fan_out::say;
use crate::long_message::apart;
use crate::message::{
    DataReply, DataRequest, Known, PART_BYTES_MAX, Purpose, Told, TransferReply, TransferRequest, decode, encode,
    root_of,
};
use crate::replicate::{encoded_state, partition, size_of};
use crate::unit::Unit;
use crate::unit_run::{UnitList, Units};

use crate::view::View;
use crate::{DataTier, Error};

/// How long a message about a bucket waits for this node to hear of the bucket.
const BUCKET_WAIT: Duration = Duration::from_millis(300);
/// Of one page: small enough that clients' messages behind it do not wait, large enough that many round trips do not matter.
const PAGE_BYTES_MAX: usize = 64 << 10;
/// Digests of ranges in one answer.
const RANGES_MAX: usize = 4096;
/// Cells in one page, however small.
const PAGE_CELLS_MAX: usize = 4096;

// Weak: the tier owns the peers, which own these.
pub(crate) struct DataDoor(pub(crate) Weak<DataTier>);
pub(crate) struct TransferDoor(pub(crate) Weak<DataTier>);

impl PeerHandler for DataDoor {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let tier = self.0.upgrade();
        async move {
            let tier = tier.ok_or("the data tier has stopped")?;
            let request = match decode(&body)? {
                DataRequest::Piece { id, at, len, bytes } => {
                    match tier.serve_piece(from, (id, at, len), &bytes).await.map_err(|error| error.to_string())? {
                        Some(whole) => whole,
                        None => return Ok(encode(&DataReply::Taken)),
                    }
                }
                request => request,
            };
            let reply = tier.clone().serve_data(request).await.map_err(|error| error.to_string())?;
            let len = reply.len();
            tier.answer(reply, len, |id, len| DataReply::Long { id, len }).await
        }
        .boxed()
    }
}

impl PeerHandler for TransferDoor {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let tier = self.0.upgrade();
        async move {
            let tier = tier.ok_or("the data tier has stopped")?;
            let reply = tier.clone().serve_transfer(from, decode(&body)?).await.map_err(|error| error.to_string())?;
            let len = reply.len();
            tier.answer(reply, len, |id, len| TransferReply::Long { id, len }).await
        }
        .boxed()
    }
}

impl DataTier {
    async fn serve_data(self: Arc<Self>, request: DataRequest<'static>) -> Result<DataReply, Error> {
        match request {
            DataRequest::Execute { bucket, units, resp, known } => {
                self.catch_up_with(known).await?;
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let units = unit_list(units, resp)?;
                Ok(self.serve_execute(&view, &bucket, units, known).await)
            }
            DataRequest::StandIn { of, bucket, units, resp } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let units = unit_list(units, resp)?;
                Ok(self.serve_stand_in(&view, &bucket, &of, units).await)
            }
            DataRequest::Replicate { bucket, updates, known } => {
                // Taken whether this node knows the row yet or not: that is no reason to have a client wait.
                self.note_epoch(known.since);
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                self.serve_replicate(&bucket, updates, known).await
            }
            DataRequest::Yield { epoch, partitions } => {
                self.handover.give(epoch, &partitions).await;
                Ok(DataReply::Yielded)
            }
            DataRequest::QueueUp { bucket, keys } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                Ok(DataReply::Told(self.serve_queue(&bucket, keys).await))
            }
            // Put together before it comes here.
            DataRequest::Piece { .. } => Err(Error::Internal("a piece within a piece".to_owned())),
            DataRequest::Tell { bucket, tell } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                Ok(DataReply::Said(say(&bucket, tell)))
            }
            DataRequest::Pull { id, at } => self.serve_pull(id, at),
            DataRequest::Epoch => Ok(DataReply::Epoch(self.view().holders.epoch())),
            DataRequest::Sees { nodes } => {
                // The view was made with it: where those were missing, this replica knows that it may have missed something.
                let view = self.view();
                Ok(DataReply::Seen(nodes.iter().all(|node| view.is_reachable(*node))))
            }
            DataRequest::Fetch { bucket, keys } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                blocking(bucket, move |bucket| fetch(bucket, &keys)).await.map(DataReply::States)
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
            DataRequest::Export { bucket, partition: number, from, keys_max, bytes_max } => {
                let (view, bucket) = self.bucket_soon(&bucket).await?;
                let Some(partition) = partition(number) else { return Ok(DataReply::Misdirected) };
                if !self.answers_for(&view, &bucket, [partition].into_iter()) {
                    return Ok(DataReply::Misdirected);
                }
                self.freshen(&view, &bucket, [partition].into_iter()).await?;
                let part = Part { partition, from, keys_max: keys_max as usize, bytes_max: bytes_max as usize };
                let (states, next) = self.own_states(&bucket, part).await?;
                Ok(DataReply::Exported { states, next })
            }
        }
    }

    async fn serve_execute(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        units: Units,
        known: Known,
    ) -> DataReply {
        if view.outdates(known, units.iter().map(Unit::own_partition)) {
            return DataReply::Stale { epoch: view.holders.epoch() };
        }
        if units.iter().any(|unit| !view.may_execute(unit.own_partition(), bucket.replicas())) {
            return DataReply::Misdirected;
        }
        let picked = (0..units.len()).collect();
        match self.run_here(view, bucket, &units, picked).await {
            Ok(replies) => DataReply::Executed(replies),
            Err(epoch) => DataReply::Stale { epoch },
        }
    }

    /// First merges, then looks: whoever copies the partition from here for a newer row has got the cells, or the sender is told to
    /// send them there, too.
    async fn serve_replicate(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        updates: Vec<Told>,
        known: Known,
    ) -> Result<DataReply, Error> {
        let partitions: BTreeSet<Partition> = updates.iter().filter_map(|told| partition(told.0)).collect();
        let decode = |(number, key, update): Told| match Update::decode(&update) {
            Ok(update) => Ok((number, key, update)),
            Err(damaged) => Err(Error::Internal(format!("update of another node: {damaged}"))),
        };
        let bytes = updates.iter().map(size_of).sum();
        let decode_all = move || updates.into_iter().map(decode).collect::<Result<Vec<_>, Error>>();
        let updates = apart(bytes, decode_all).await?;
        // What repair brings is old without having been missed.
        if let Some(oldest) = updates.iter().map(|(_, _, update)| update.latest()).min().filter(|_| known != Known::ANY)
        {
            let now_ms = wall_ms();
            bucket.held.figures.note_staleness(now_ms.saturating_sub(oldest.wall_ms), now_ms);
        }
        let gaps = self.merge_updates(bucket, updates).await?;
        let view = self.view();
        match view.outdates(known, partitions.into_iter()) {
            true => Ok(DataReply::Stale { epoch: view.holders.epoch() }),
            false => Ok(DataReply::Replicated { gaps }),
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
            TransferRequest::Ranges { bucket, partition: number, ranges } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                let ranges = usize::from(ranges).next_power_of_two().min(RANGES_MAX);
                match partition(number) {
                    Some(partition) => Ok(TransferReply::Digests(self.own_ranges(&bucket, partition, ranges).await?)),
                    None => Ok(TransferReply::Digests(vec![0; ranges])),
                }
            }
            TransferRequest::Range { bucket, partition: number, from: position, until } => {
                let (_, bucket) = self.bucket_soon(&bucket).await?;
                blocking(bucket, move |bucket| range(bucket, number, position, until)).await
            }
            TransferRequest::Pages { bucket, partitions, from: position, purpose } => {
                if purpose == Purpose::Repair {
                    self.moving.note_repaired(from);
                } else if !self.moving.admit(from) {
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
    if !bucket.store().is_on_disk() {
        return work(&bucket);
    }
    tokio::task::spawn_blocking(move || work(&bucket)).await.map_err(|panic| Error::Internal(panic.to_string()))?
}

/// The units of a message, if each is in a partition that there is.
fn unit_list(units: Vec<Cow<'_, Unit>>, resp: u8) -> Result<Units, Error> {
    let units: Vec<Unit> = units.into_iter().map(Cow::into_owned).collect();
    if units.iter().any(|unit| unit.partition().is_none()) {
        return Err(Error::Internal("a command for a partition that there is not".to_owned()));
    }
    Ok(UnitList::new(units, RespVersion::from_number(resp)))
}

fn fetch(bucket: &Bucket, keys: &[(u16, Bytes)]) -> Result<Vec<Option<Bytes>>, Error> {
    let (mut states, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for (number, key) in keys {
        let state = match partition(*number) {
            Some(partition) => bucket.store().lock(partition).state(key)?,
            None => None,
        };
        let state = state.as_ref().map(encoded_state);
        bytes += state.as_ref().map_or(1, |state| key.len() + state.len());
        states.push(state);
        if bytes > PART_BYTES_MAX {
            break;
        }
    }
    Ok(states)
}

pub(crate) fn keys(bucket: &Bucket, number: u16, from: u64, count: u32) -> Result<(Vec<Bytes>, Option<u64>), Error> {
    let Some(partition) = partition(number) else { return Ok((Vec::new(), None)) };
    let limit = PageLimit { cells_max: count as usize, bytes_max: PART_BYTES_MAX };
    let (page, now_ms) = (bucket.store().page(partition, from, limit)?, wall_ms());
    let live = page.states.into_iter().filter(|(_, state)| state.is_live(now_ms)).map(|(key, _)| key);
    Ok((live.collect(), page.next))
}

fn range(bucket: &Bucket, number: u16, from: u64, until: u64) -> Result<TransferReply, Error> {
    let Some(partition) = partition(number) else {
        return Ok(TransferReply::Pages { states: Vec::new(), next: None, is_strained: false });
    };
    let limit = PageLimit { cells_max: PAGE_CELLS_MAX, bytes_max: PAGE_BYTES_MAX };
    let page = bucket.store().page_within(partition, from, Some(until), limit)?;
    let told = |(key, state): (Bytes, _)| (number, key, encoded_state(&state));
    let states = page.states.into_iter().map(told).collect();
    Ok(TransferReply::Pages { states, next: page.next.map(|position| (0, position)), is_strained: false })
}

fn pages(bucket: &Bucket, partitions: &[u16], mut from: u64, is_strained: bool) -> Result<TransferReply, Error> {
    let (mut states, mut bytes) = (Vec::<Told>::new(), 0);
    for (at, number) in partitions.iter().enumerate() {
        if bytes >= PAGE_BYTES_MAX || states.len() >= PAGE_CELLS_MAX {
            return Ok(TransferReply::Pages { states, next: Some((at as u32, from)), is_strained });
        }
        let Some(partition) = partition(*number) else { continue };
        let limit = PageLimit { cells_max: PAGE_CELLS_MAX - states.len(), bytes_max: PAGE_BYTES_MAX - bytes };
        let page = bucket.store().page(partition, from, limit)?;
        for (key, state) in page.states {
            let told = (*number, key, encoded_state(&state));
            bytes += size_of(&told);
            states.push(told);
        }
        if let Some(next) = page.next {
            return Ok(TransferReply::Pages { states, next: Some((at as u32, next)), is_strained });
        }
        from = 0;
    }
    Ok(TransferReply::Pages { states, next: None, is_strained })
}
