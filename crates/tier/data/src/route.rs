//! Driver: brings each unit to the acting primary of its key, here or one hop away, and the replies back in order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use ringway_ports::{PeerError, Priority};
use ringway_protocol::resp::RespVersion;
use ringway_ring::{Holders, NodeId, Partition};
use ringway_rt::clock::{self, wall_ms};

use crate::bucket::Bucket;
use crate::call::{Scene, Written};
use crate::execute::run_unit;
use crate::fan_out::Tell;
use crate::message::{DataReply, DataRequest, PART_BYTES_MAX};
use crate::replicate::part_len;
use crate::unit::Unit;
use crate::unit_run::{Picked, REPLIES_BYTES_MAX, Room, UnitRun, Units};
use crate::view::View;
use crate::{DataTier, Error};

/// How long the acting primary may take; it waits for its replicas for less.
const FORWARD_DEADLINE: Duration = Duration::from_millis(1500);
/// How many nodes are tried for one op: each replica, and once more when views differ.
const ATTEMPTS_MAX: usize = 5;
/// Before asking again when two nodes' views of the ring differ.
const VIEW_PAUSE: Duration = Duration::from_millis(20);
/// How long one attempt waits to hear who holds a key when nobody is known to: the ring is being formed, or is changing.
const HOLDERS_WAIT: Duration = Duration::from_millis(200);

/// How it went with some units at one node.
enum Sent {
    Done,
    /// Those without an answer are to be tried elsewhere. Some may have been done by the node that is gone, if that does no harm.
    Again {
        without: Option<NodeId>,
        why: String,
    },
    /// The same, at once: this node knows better now where.
    Newer {
        why: String,
    },
}

impl DataTier {
    /// One reply for each unit, in order. Those on one key run in order.
    pub(crate) async fn run_units(
        self: &Arc<Self>,
        bucket_name: &str,
        units: Vec<Unit>,
        resp: RespVersion,
    ) -> Vec<Bytes> {
        let (mut replies, mut run) = (Vec::with_capacity(units.len()), UnitRun::new(units, resp));
        while !run.is_done() {
            self.advance(bucket_name, &mut run, 0).await;
            replies.extend(std::iter::from_fn(|| run.take()));
        }
        replies
    }

    /// Runs units until all have a reply, or as many are held as may be, with `kept` bytes held elsewhere. The one in front has
    /// its reply then.
    pub(crate) async fn advance(self: &Arc<Self>, bucket_name: &str, run: &mut UnitRun, kept: usize) {
        let (mut failed, mut attempts, mut is_full) = (Vec::new(), 0, false);
        let mut trouble = Error::Unreachable("the nodes that hold it are down".to_owned());
        self.hear_of_others().await;
        while attempts < ATTEMPTS_MAX {
            let (view, bucket) = match self.bucket(bucket_name).await {
                Ok(found) => found,
                Err(error) => return run.answer_waiting(&error.reply()),
            };
            let waiting = run.waiting();
            let view = self.find_holders(view, waiting.iter().map(|at| run.units()[*at].own_partition())).await;
            let (mut here, mut elsewhere) = self.split(&view, &bucket, run.units(), &waiting, &failed);
            if here.is_empty() && elsewhere.is_empty() {
                // Those that are down stay so for now; of whom nothing is known may be heard in a moment.
                let unknown = waiting.iter().map(|at| run.units()[*at].own_partition());
                match self.hears_of_holders(&view, unknown).await {
                    None => break,
                    Some(why) => trouble = Error::Unreachable(why.to_owned()),
                }
                attempts += 1;
                continue;
            }
            let room = if is_full {
                let is_over = run.held() + kept > REPLIES_BYTES_MAX;
                only_front(run.front(), is_over, &mut here, &mut elsewhere);
                if here.is_empty() && elsewhere.values().all(Vec::is_empty) {
                    return run.answer(run.front(), trouble.reply());
                }
                Room::for_one_message()
            } else {
                Room::beside(run.held())
            };
            let (again, why) = self.run_spread(&view, &bucket, run, here, elsewhere, &room, &mut failed).await;
            is_full = room.has_refused();
            let left = run.waiting().len();
            if left == 0 || is_full && run.is_ready() {
                return;
            }
            // A round that ended for lack of room was no failure.
            attempts += usize::from(why.is_some() || !is_full && left == waiting.len());
            if let Some(why) = why {
                trouble = why;
            }
            if again {
                tokio::time::sleep(VIEW_PAUSE).await;
            }
        }
        run.answer_waiting(&trouble.reply());
    }

    /// Runs units as the acting primary: whoever asks has found that this is the node. `Err`: another one has been since that
    /// epoch, nothing was done.
    pub(crate) async fn run_here(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        units: &Units,
        picked: Picked,
    ) -> Result<Vec<Bytes>, u64> {
        let (began, count) = (clock::now(), picked.len() as u64);
        let partitions = || picked.iter().map(|at| units[*at].own_partition());
        self.handover.taken(partitions()).await;
        let _running = self.handover.begin(view, partitions())?;
        self.catch_up(view, bucket, picked.iter().map(|at| &units[*at])).await;
        let alone = self.is_alone_with(view, bucket);
        let ran = if bucket.store().is_on_disk() {
            if !picked.iter().all(|at| units[*at].only_reads()) {
                bucket.held.caught_up().await;
            }
            let (tier, bucket, units) = (self.clone(), bucket.clone(), units.clone());
            tokio::task::spawn_blocking(move || tier.execute(&bucket, &units, &picked, alone)).await
        } else {
            Ok(self.execute(bucket, units, &picked, alone))
        };
        let (mut replies, written, writers) = match ran {
            Ok(ran) => ran,
            Err(panic) => return Ok(vec![Error::Internal(panic.to_string()).reply()]),
        };
        if let Err(error) = self.finish_writing(view, bucket, written).await {
            writers.into_iter().for_each(|at| replies[at] = error.reply());
        }
        self.moving.note_executed(began, count);
        Ok(replies)
    }

    /// Returns when what was written may be acknowledged: the disk has it, as the bucket wants it, and so have the other replicas.
    pub(crate) async fn finish_writing(
        self: &Arc<Self>,
        before: &Arc<View>,
        bucket: &Arc<Bucket>,
        written: Written,
    ) -> Result<(), Error> {
        for said in &written.published {
            self.tell_others(bucket, Tell::Publish(said.clone())).await;
        }
        if written.count == 0 {
            return Ok(());
        }
        self.finish_alone(before, bucket, &written);
        if written.updates.is_empty() {
            return Ok(bucket.store().synced().await?);
        }
        let (synced, ()) = join(bucket.store().synced(), self.replicate(bucket, written.updates)).await;
        Ok(synced?)
    }

    /// As far as nobody has to be waited for.
    pub(crate) fn finish_alone(&self, before: &Arc<View>, bucket: &Bucket, written: &Written) {
        if written.alone && written.count > 0 {
            self.look_for_company(before, bucket, &written.partitions);
        }
        self.waiters.wake(&bucket.name, &written.filled);
    }

    /// Who has written as the only replica looks afterwards whether it still is: a node that is to hold a partition may have copied
    /// it just before ([`crate::transfer`]). What it lacks then is brought to it.
    fn look_for_company(&self, before: &Arc<View>, bucket: &Bucket, partitions: &[Partition]) {
        let now = self.view();
        if Arc::ptr_eq(&now, before) || self.is_alone_with(&now, bucket) {
            return;
        }
        for partition in partitions {
            for node in now.writers(*partition, bucket.replicas()).filter(|node| *node != self.own) {
                self.dirty.mark(node, &bucket.name, [*partition]);
            }
        }
        self.repair_wanted.notify_one();
    }

    /// Whether no other node has to hear of writes to this bucket.
    pub(crate) fn is_alone_with(&self, view: &View, bucket: &Bucket) -> bool {
        view.catalog.nodes.len() <= 1 || bucket.replicas() == 1 && view.holders.is_settled() && !view.is_peer_to_peer()
    }

    /// What commands on this bucket run in.
    pub(crate) fn scene<'a>(&'a self, bucket: &'a Bucket, source: Option<&'a Bytes>) -> Scene<'a> {
        Scene {
            store: bucket.store(),
            clock: &self.clock,
            now_ms: wall_ms(),
            ttl_ms: bucket.ttl_ms(),
            source,
            place: bucket,
        }
    }

    /// Replies, what was written, and which replies belong to writes. Stops when the replies fill a message.
    fn execute(
        &self,
        bucket: &Bucket,
        units: &Units,
        picked: &[usize],
        alone: bool,
    ) -> (Vec<Bytes>, Written, Vec<usize>) {
        let scene = self.scene(bucket, None);
        let mut written = Written { alone, waited_for: self.waiters.is_any(), ..Written::default() };
        let (mut replies, mut writers, mut bytes) = (Vec::with_capacity(picked.len()), Vec::new(), 0);
        for at in picked {
            let before = written.count;
            let reply = run_unit(&scene, &mut written, &units[*at], units.resp);
            if written.count > before {
                writers.push(replies.len());
            }
            bytes += reply.len();
            replies.push(reply);
            if bytes > PART_BYTES_MAX {
                break;
            }
        }
        self.stats.note_commands(replies.len());
        (replies, written, writers)
    }

    fn split(
        &self,
        view: &View,
        bucket: &Bucket,
        units: &Units,
        waiting: &[usize],
        failed: &[NodeId],
    ) -> (Picked, BTreeMap<NodeId, Picked>) {
        let (mut here, mut elsewhere) = (Picked::new(), BTreeMap::<NodeId, Picked>::new());
        for at in waiting {
            let partition = units[*at].own_partition();
            let acting = match failed.is_empty() {
                true => view.acting(partition, bucket.replicas()),
                false => view.acting_without(partition, bucket.replicas(), failed),
            };
            match acting {
                Some(node) if node == self.own => here.push(*at),
                Some(node) => elsewhere.entry(node).or_default().push(*at),
                None => {}
            }
        }
        (here, elsewhere)
    }

    async fn run_picked_here(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        units: &Units,
        mut picked: Picked,
        room: &Room,
    ) -> (Vec<(usize, Bytes)>, Sent) {
        let mut answers = Vec::with_capacity(picked.len());
        while !picked.is_empty() {
            let Some(reserved) = room.reserve(picked.iter().map(|at| &units[*at])) else { break };
            let done = match self.run_here(view, bucket, units, picked.clone()).await {
                Ok(done) => done,
                Err(epoch) => return (answers, self.after_stale(self.own, epoch).await),
            };
            room.settle(reserved, &done);
            if done.is_empty() {
                break;
            }
            answers.extend(picked.drain(..done.len()).zip(done));
        }
        (answers, Sent::Done)
    }

    /// Waits, not for long, to hear who holds partitions of which `view` does not know it. What is wrong if nobody says so; `None`
    /// if it knows of all.
    async fn hears_of_holders(&self, view: &View, partitions: impl Iterator<Item = Partition>) -> Option<&'static str> {
        let unknown: Vec<Partition> = partitions.filter(|p| view.holders.readers(*p).is_empty()).collect();
        if unknown.is_empty() {
            return None;
        }
        let mut changes = self.ring_changes();
        let is_known = |holders: &Arc<Holders>| unknown.iter().any(|p| !holders.readers(*p).is_empty());
        // Heard or not: the next attempt goes on with what is known.
        let _ = tokio::time::timeout(HOLDERS_WAIT, changes.wait_for(is_known)).await.map(|heard| heard.map(drop));
        Some(match view.holders.is_empty() {
            true => "the ring is not formed yet",
            false => "who holds it could not be found",
        })
    }

    /// Somebody knows more of the ring than this node: it goes on when it does, too.
    async fn after_stale(&self, node: NodeId, epoch: u64) -> Sent {
        let why = format!("{node:?} knows epoch {epoch} of the ring, this node does not");
        if self.knows_epoch(epoch).await { Sent::Newer { why } } else { Sent::Again { without: None, why } }
    }

    /// Whether to try again after a pause, and the trouble there was.
    #[allow(clippy::too_many_arguments)]
    async fn run_spread(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        run: &mut UnitRun,
        here: Picked,
        elsewhere: BTreeMap<NodeId, Picked>,
        room: &Room,
        failed: &mut Vec<NodeId>,
    ) -> (bool, Option<Error>) {
        let units = run.units().clone();
        let remote =
            join_all(elsewhere.into_iter().map(|(node, picked)| self.run_at(view, bucket, &units, node, picked, room)));
        let (local, remote) = join(self.run_picked_here(view, bucket, &units, here, room), remote).await;
        let (mut pause, mut trouble) = (false, None);
        for (answers, sent) in remote.into_iter().chain([local]) {
            answers.into_iter().for_each(|(at, reply)| run.answer(at, reply));
            match sent {
                Sent::Done => {}
                Sent::Newer { why } => trouble = Some(Error::Unreachable(why)),
                Sent::Again { without, why } => {
                    pause |= without.is_none();
                    failed.extend(without);
                    trouble = Some(Error::Unreachable(why));
                }
            }
        }
        (pause, trouble)
    }

    /// Has `node` run units, in as many messages as they need and there is room for.
    async fn run_at(
        &self,
        view: &View,
        bucket: &Bucket,
        units: &Units,
        node: NodeId,
        mut picked: Picked,
        room: &Room,
    ) -> (Vec<(usize, Bytes)>, Sent) {
        let mut answers = Vec::with_capacity(picked.len());
        while !picked.is_empty() {
            let part = part_len(picked.iter().map(|at| units[*at].len()));
            let Some(reserved) = room.reserve(picked[..part].iter().map(|at| &units[*at])) else { break };
            match self.call_execute(view, bucket, units, node, &picked[..part]).await {
                Ok(DataReply::Stale { epoch }) => return (answers, self.after_stale(node, epoch).await),
                Ok(DataReply::Executed(replies)) if !replies.is_empty() => {
                    room.settle(reserved, &replies);
                    let len = replies.len().min(part);
                    self.stats.note_forwarded(len);
                    answers.extend(picked.drain(..len).zip(replies));
                }
                Ok(_) => {
                    self.forget_holders(picked[..part].iter().map(|at| units[*at].own_partition()));
                    let why = format!("{node:?} and this node differ about who holds the key");
                    return (answers, Sent::Again { without: None, why });
                }
                Err(error) => return self.after_failure(units, node, &picked[..part], answers, error),
            }
        }
        (answers, Sent::Done)
    }

    async fn call_execute(
        &self,
        view: &View,
        bucket: &Bucket,
        units: &Units,
        node: NodeId,
        picked: &[usize],
    ) -> Result<DataReply, PeerError> {
        let known = view.known(picked.iter().map(|at| units[*at].own_partition()));
        let of = self.passed_over(node, picked.iter().map(|at| units[*at].own_partition()));
        let (bucket, resp) = (Cow::Borrowed(&*bucket.name), units.resp.number());
        let units = picked.iter().map(|at| Cow::Borrowed(&units[*at])).collect();
        let request = match of.is_empty() {
            true => DataRequest::Execute { bucket, units, resp, known },
            false => DataRequest::StandIn { of, bucket, units, resp },
        };
        self.call_data(node, Priority::Client, &request, FORWARD_DEADLINE).await
    }

    /// The node is gone or hangs: what can be done elsewhere without harm is, the client is told of the rest.
    fn after_failure(
        &self,
        units: &Units,
        node: NodeId,
        tried: &[usize],
        mut answers: Vec<(usize, Bytes)>,
        error: PeerError,
    ) -> (Vec<(usize, Bytes)>, Sent) {
        if matches!(error, PeerError::Unreachable(..) | PeerError::TimedOut(..)) {
            self.note_failure(node);
        }
        let why = error.to_string();
        if matches!(error, PeerError::TimedOut(..)) {
            let unsafe_again = |at: &usize| !units[*at].is_repeatable();
            let unknown = tried.iter().filter(|at| unsafe_again(at));
            answers.extend(unknown.map(|at| (*at, Error::Unknown(why.clone()).reply())));
        }
        let without = (!matches!(error, PeerError::Busy(_))).then_some(node);
        (answers, Sent::Again { without, why })
    }
}

/// Leaves the units of the node that the one in front is for. If too much is held already, only those that can be taken at once.
fn only_front(front: usize, is_over: bool, here: &mut Picked, elsewhere: &mut BTreeMap<NodeId, Picked>) {
    for picked in [here].into_iter().chain(elsewhere.values_mut()) {
        if picked.first() != Some(&front) {
            picked.clear();
        } else if is_over {
            let len = picked.iter().enumerate().take_while(|(nth, at)| **at == front + nth).count();
            picked.truncate(len);
        }
    }
}
