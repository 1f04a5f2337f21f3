//! Driver: brings what was written here to the other replicas, and asks them where this node may have missed something.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringway_ports::{PeerError, Priority};
use ringway_replication::{Heard, WritePlan};
use ringway_ring::{NodeId, PARTITION_COUNT, Partition};
use ringway_rt::clock::wall_ms;
use ringway_values::{Applied, State, Update};
use tracing::warn;

use crate::bucket::Bucket;
use crate::long_message::apart;
use crate::message::{DataReply, DataRequest, Known, PART_BYTES_MAX, Told};
use crate::outbox::NotSent;
use crate::unit::Unit;
use crate::view::View;
use crate::{DataTier, Error};

/// How long a write waits for a replica that seemed to be up.
const REPLICA_DEADLINE: Duration = Duration::from_millis(500);
/// Longer, if it has to take more than this in a second.
const REPLICA_BYTES_PER_SECOND: f64 = 32e6;
/// How often a write is sent again because its partition has other holders meanwhile.
const ROUNDS_MAX: usize = 4;
/// How long a read waits for one.
const FETCH_DEADLINE: Duration = Duration::from_millis(500);

/// What an update has besides what is long in it.
const ENCODED_MARGIN: usize = 64;

type Targets<'a> = BTreeMap<NodeId, Vec<&'a Told>>;

/// What a node says to updates.
#[derive(Default)]
pub(crate) struct Taken {
    /// The epoch of which it knows that others hold one of the partitions, if it does.
    newer: Option<u64>,
    /// Which of them it could not merge, because it lacks earlier changes.
    gaps: Vec<usize>,
}

impl DataTier {
    /// Returns when all reachable replicas have the changes, or are late; who has missed them is owed a hint.
    ///
    /// The changes are in the store already, and whom to send them to is looked up only now: a node that has copied the partition
    /// from here without them is in that view. If a replica knows of a newer row, those of that row get them, too.
    pub(crate) async fn replicate(self: &Arc<Self>, bucket: &Arc<Bucket>, updates: Vec<(Partition, Bytes, Update)>) {
        let bytes = updates.iter().map(|(_, _, update)| update.encoded_len()).sum();
        let encode = move || -> Vec<Told> {
            updates.into_iter().map(|(partition, key, update)| (partition.0, key, encoded(&update))).collect()
        };
        let written = apart(bytes, encode).await;
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
    async fn replicate_once(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>, written: &[Told]) -> Option<u64> {
        let targets = self.targets(view, bucket, written);
        if targets.is_empty() {
            return None;
        }
        let known = view.known(written.iter().map(|told| Partition(told.0)));
        let patience = patience(written);
        let deadline_ms = wall_ms() + patience.as_millis() as u64;
        let mut plan = WritePlan::new(self.own, targets.keys().copied(), |node| view.is_reachable(node), deadline_ms);
        let mut sending: FuturesUnordered<_> =
            plan.waiting().iter().map(|node| self.post_to(bucket, *node, &targets[node], known)).collect();
        let late = tokio::time::sleep(patience);
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
            self.dirty.mark(*node, &bucket.name, targets[node].iter().map(|told| Partition(told.0)));
        }
        if had_trouble {
            self.repair_wanted.notify_one();
        }
        newer
    }

    fn targets<'a>(&self, view: &View, bucket: &Bucket, written: &'a [Told]) -> Targets<'a> {
        let (mut targets, mut others) = (Targets::new(), Vec::new());
        for told in written {
            others.clear();
            for node in view.writers(Partition(told.0), bucket.replicas()).filter(|node| *node != self.own) {
                if !others.contains(&node) {
                    others.push(node);
                    targets.entry(node).or_default().push(told);
                }
            }
        }
        targets
    }

    /// How it went, and the epoch of which `node` knows that others hold one of the partitions, if it does.
    async fn post_to(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        node: NodeId,
        updates: &[&Told],
        known: Known,
    ) -> (Heard, Option<u64>) {
        let updates = updates.iter().map(|told| (*told).clone()).collect();
        match self.post(node, bucket, updates, known).await {
            Ok(newer) => (Heard::Acked(node), newer),
            Err(NotSent) => (Heard::Failed(node), None),
        }
    }

    /// Has `node` merge some updates; where it lacks what was before them, it gets the keys whole. The newer epoch of which it
    /// knows, if that has other holders.
    pub(crate) async fn send_part(
        &self,
        bucket: &Bucket,
        node: NodeId,
        priority: Priority,
        updates: Vec<Told>,
        known: Known,
    ) -> Result<Option<u64>, PeerError> {
        let names: Vec<(u16, Bytes)> = updates.iter().map(|(partition, key, _)| (*partition, key.clone())).collect();
        let taken = self.send_once(bucket, node, priority, updates, known).await?;
        let whole: BTreeSet<&(u16, Bytes)> = taken.gaps.iter().filter_map(|at| names.get(*at)).collect();
        let states: Vec<Told> =
            whole.into_iter().filter_map(|(partition, key)| whole_key(bucket, *partition, key)).collect();
        if states.is_empty() {
            return Ok(taken.newer);
        }
        metrics::counter!("ringway_data_gaps_total").increment(states.len() as u64);
        Ok(taken.newer.max(self.send_once(bucket, node, priority, states, known).await?.newer))
    }

    async fn send_once(
        &self,
        bucket: &Bucket,
        node: NodeId,
        priority: Priority,
        updates: Vec<Told>,
        known: Known,
    ) -> Result<Taken, PeerError> {
        let patience = patience(&updates);
        let request = DataRequest::Replicate { bucket: Cow::Borrowed(&bucket.name), updates, known };
        match self.call_data(node, priority, &request, patience).await {
            Ok(DataReply::Stale { epoch }) => Ok(Taken { newer: Some(epoch), gaps: Vec::new() }),
            Ok(DataReply::Replicated { gaps }) => {
                Ok(Taken { newer: None, gaps: gaps.into_iter().map(|at| at as usize).collect() })
            }
            Ok(_) => Ok(Taken::default()),
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
        units: impl Iterator<Item = &'a Unit>,
    ) {
        let mut wanted: BTreeMap<NodeId, BTreeSet<(u16, Bytes)>> = BTreeMap::new();
        for unit in units.filter(|unit| !bucket.held.is_fresh(unit.own_partition())) {
            let partition = unit.own_partition();
            let others = view.sources(partition, bucket.replicas());
            let keys = unit.keys();
            for node in others.filter(|node| *node != self.own && view.is_reachable(*node)) {
                wanted.entry(node).or_default().extend(keys.iter().map(|key| (partition.0, key.clone())));
            }
        }
        let asked = wanted.into_iter().map(|(node, keys)| self.fetch(bucket, node, keys.into_iter().collect()));
        for states in join_all(asked).await {
            if let Err(error) = self.merge(bucket, states).await {
                warn!(bucket = %bucket.name, %error, "what another replica has could not be taken over");
            }
        }
    }

    /// What `node` has of some keys; nothing if it does not answer: then it cannot be asked, and we go on with what is here.
    async fn fetch(&self, bucket: &Bucket, node: NodeId, keys: Vec<(u16, Bytes)>) -> Vec<Told> {
        let mut found = Vec::new();
        let mut rest = &keys[..];
        while !rest.is_empty() {
            let request = DataRequest::Fetch { bucket: Cow::Borrowed(&bucket.name), keys: rest.to_vec() };
            match self.call_data(node, Priority::Client, &request, FETCH_DEADLINE).await {
                Ok(DataReply::States(states)) if !states.is_empty() => {
                    let (answered, after) = rest.split_at(states.len().min(rest.len()));
                    let with_key = answered.iter().zip(states);
                    found.extend(
                        with_key.filter_map(|((partition, key), state)| Some((*partition, key.clone(), state?))),
                    );
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

    /// Merges states that other replicas have; durable when it returns. Refuses those of a clock far ahead.
    pub(crate) async fn merge(self: &Arc<Self>, bucket: &Arc<Bucket>, states: Vec<Told>) -> Result<(), Error> {
        let decode = |(partition, key, state): Told| Ok((partition, key, Update::State(decoded(&state)?)));
        let updates = states.into_iter().map(decode).collect::<Result<Vec<_>, Error>>()?;
        self.merge_updates(bucket, updates).await.map(drop)
    }

    /// The same for updates. Which of them could not be merged because earlier ones are missing.
    pub(crate) async fn merge_updates(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        updates: Vec<(u16, Bytes, Update)>,
    ) -> Result<Vec<u32>, Error> {
        let Some(latest) = updates.iter().map(|(_, _, update)| update.latest()).max() else { return Ok(Vec::new()) };
        self.clock.observe(latest).map_err(|ahead| Error::Internal(ahead.to_string()))?;
        if !bucket.store().is_on_disk() {
            return apply_all(bucket, updates);
        }
        bucket.held.caught_up().await;
        let blocking = bucket.clone();
        let applied = tokio::task::spawn_blocking(move || apply_all(&blocking, updates)).await;
        let gaps = applied.map_err(|panic| Error::Internal(panic.to_string()))??;
        bucket.store().synced().await?;
        Ok(gaps)
    }
}

fn apply_all(bucket: &Bucket, updates: Vec<(u16, Bytes, Update)>) -> Result<Vec<u32>, Error> {
    let keys: Vec<(Partition, &[u8])> =
        updates.iter().filter_map(|(number, key, _)| Some((partition(*number)?, &key[..]))).collect();
    bucket.store().prefetch(&keys);
    bucket
        .store()
        .note_traffic(keys.len(), updates.iter().map(|(_, key, update)| key.len() + update.encoded_len()).sum());
    let mut gaps = Vec::new();
    for (at, (number, key, update)) in updates.into_iter().enumerate() {
        let Some(partition) = partition(number) else { continue };
        let mut locked = bucket.store().lock(partition);
        match update {
            Update::State(state) => drop(locked.merge(&key, state)?),
            Update::Delta(delta) => {
                if locked.apply(&key, &delta)? == Applied::Gap {
                    gaps.push(at as u32);
                }
            }
        }
    }
    Ok(gaps)
}

/// How long a replica may take for these.
fn patience(updates: &[Told]) -> Duration {
    let bytes: usize = updates.iter().map(size_of).sum();
    REPLICA_DEADLINE + Duration::from_secs_f64(bytes as f64 / REPLICA_BYTES_PER_SECOND)
}

/// A partition as another node has numbered it.
pub(crate) fn partition(number: u16) -> Option<Partition> {
    (usize::from(number) < PARTITION_COUNT).then_some(Partition(number))
}

fn whole_key(bucket: &Bucket, number: u16, key: &Bytes) -> Option<Told> {
    // What cannot be read is not sent: the comparison of partitions tells of it.
    let state = bucket.store().lock(partition(number)?).state(key).ok()??;
    Some((number, key.clone(), encoded(&Update::State(state))))
}

pub(crate) fn encoded(update: &Update) -> Bytes {
    // With room for what is not counted: a long one is not copied to grow.
    let mut out = Vec::with_capacity(update.encoded_len() + ENCODED_MARGIN);
    update.encode(&mut out);
    out.into()
}

pub(crate) fn encoded_state(state: &State) -> Bytes {
    let mut out = Vec::new();
    state.encode(&mut out);
    out.into()
}

pub(crate) fn decoded(state: &[u8]) -> Result<State, Error> {
    State::decode(state).map_err(|damaged| Error::Internal(format!("state of another node: {damaged}")))
}

pub(crate) fn size_of(told: &Told) -> usize {
    told.1.len() + told.2.len() + 16
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
