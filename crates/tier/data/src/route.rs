//! Driver: brings each op to the acting primary of its key, here or one hop away, and the replies back in order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use ringway_ports::{PeerError, Priority, Service};
use ringway_protocol::resp::Reply;
use ringway_ring::{NodeId, Partition};
use ringway_rt::clock::wall_ms;

use crate::bucket::Bucket;
use crate::execute::{Executor, Written};
use crate::message::{DataReply, DataRequest, PART_BYTES_MAX, decode, encode};
use crate::op::Op;
use crate::replicate::part_len;
use crate::view::View;
use crate::{DataTier, Error};

/// How long the acting primary may take; it waits for its replicas for less.
const FORWARD_DEADLINE: Duration = Duration::from_millis(1500);
/// How many nodes are tried for one op: each replica, and once more when views differ.
const ATTEMPTS_MAX: usize = 5;
/// Before asking again when two nodes' views of the ring differ.
const VIEW_PAUSE: Duration = Duration::from_millis(20);

/// The ops of one batch; shared with whoever runs some of them.
pub(crate) type Ops = Arc<Vec<(Partition, Op)>>;
/// Which of them.
type Picked = Vec<usize>;

/// How it went with some ops at one node.
enum Sent {
    Done,
    /// Those without an answer are to be tried elsewhere. Some may have been done by the node that is gone, if that does no harm.
    Again {
        without: Option<NodeId>,
        why: String,
    },
}

impl DataTier {
    /// One reply for each op, in order. Ops on one key run in order.
    pub(crate) async fn run_ops(self: &Arc<Self>, bucket_name: &str, ops: Vec<Op>) -> Vec<Reply> {
        let ops: Ops = Arc::new(ops.into_iter().map(|op| (op.partition(), op)).collect());
        let mut replies: Vec<Option<Reply>> = vec![None; ops.len()];
        let mut waiting: Picked = (0..ops.len()).collect();
        let mut failed = Vec::new();
        let mut trouble = Error::Unreachable("the nodes that hold it are down".to_owned());
        self.hear_of_others().await;
        for _ in 0..ATTEMPTS_MAX {
            let (view, bucket) = match self.bucket(bucket_name).await {
                Ok(found) => found,
                Err(error) => return vec![error.reply(); ops.len()],
            };
            let (here, elsewhere) = self.split(&view, &bucket, &ops, &waiting, &failed);
            if view.catalog.layout.is_empty() {
                trouble = Error::Unreachable("the ring is not formed yet".to_owned());
            }
            if here.is_empty() && elsewhere.is_empty() {
                break;
            }
            if here.len() == waiting.len() {
                self.run_picked_here(&view, &bucket, &ops, here, &mut replies).await;
                break;
            }
            let (again, why) = self.run_spread(&view, &bucket, &ops, here, elsewhere, &mut replies, &mut failed).await;
            waiting = (0..ops.len()).filter(|at| replies[*at].is_none()).collect();
            if waiting.is_empty() {
                break;
            }
            if let Some(why) = why {
                trouble = why;
            }
            if again {
                tokio::time::sleep(VIEW_PAUSE).await;
            }
        }
        replies.into_iter().map(|reply| reply.unwrap_or_else(|| trouble.reply())).collect()
    }

    /// Runs ops as the acting primary: whoever asks has found that this is the node.
    pub(crate) async fn run_here(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        ops: &Ops,
        picked: Picked,
    ) -> Vec<Reply> {
        self.catch_up(view, bucket, picked.iter().map(|at| &ops[*at])).await;
        let (mut replies, written, writers) = if bucket.store().blocks() {
            let (tier, bucket, ops) = (self.clone(), bucket.clone(), ops.clone());
            let ran = tokio::task::spawn_blocking(move || tier.execute(&bucket, &ops, &picked)).await;
            match ran {
                Ok(ran) => ran,
                Err(panic) => return vec![Error::Internal(panic.to_string()).reply()],
            }
        } else {
            self.execute(bucket, ops, &picked)
        };
        if written.is_empty() {
            return replies;
        }
        let (synced, ()) = join(bucket.store().synced(), self.replicate(view, bucket, written)).await;
        if let Err(error) = synced {
            writers.into_iter().for_each(|at| replies[at] = Error::from(error.clone()).reply());
        }
        replies
    }

    /// Replies, what was written, and which replies belong to writes. Stops when the replies fill a message.
    fn execute(&self, bucket: &Bucket, ops: &Ops, picked: &[usize]) -> (Vec<Reply>, Vec<Written>, Vec<usize>) {
        let next_version = |current: Option<&_>| self.clock.next_after(current);
        let mut executor = Executor {
            store: bucket.store(),
            next_version: &next_version,
            now_ms: wall_ms(),
            ttl_ms: bucket.ttl_ms(),
            written: Vec::new(),
        };
        let (mut replies, mut writers, mut bytes) = (Vec::with_capacity(picked.len()), Vec::new(), 0);
        for at in picked {
            let (partition, op) = &ops[*at];
            let before = executor.written.len();
            let reply = executor.run(*partition, op);
            if executor.written.len() > before {
                writers.push(replies.len());
            }
            bytes += reply.len();
            replies.push(reply);
            if bytes > PART_BYTES_MAX {
                break;
            }
        }
        self.stats.note_commands(replies.len());
        (replies, executor.written, writers)
    }

    fn split(
        &self,
        view: &View,
        bucket: &Bucket,
        ops: &Ops,
        waiting: &[usize],
        failed: &[NodeId],
    ) -> (Picked, BTreeMap<NodeId, Picked>) {
        let (mut here, mut elsewhere) = (Picked::new(), BTreeMap::<NodeId, Picked>::new());
        for at in waiting {
            let partition = ops[*at].0;
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
        ops: &Ops,
        mut picked: Picked,
        replies: &mut [Option<Reply>],
    ) {
        while !picked.is_empty() {
            let done = self.run_here(view, bucket, ops, picked.clone()).await;
            if done.is_empty() {
                return;
            }
            for (at, reply) in picked.drain(..done.len()).zip(done) {
                replies[at] = Some(reply);
            }
        }
    }

    /// Whether to try again after a pause, and the trouble there was.
    #[allow(clippy::too_many_arguments)]
    async fn run_spread(
        self: &Arc<Self>,
        view: &Arc<View>,
        bucket: &Arc<Bucket>,
        ops: &Ops,
        here: Picked,
        elsewhere: BTreeMap<NodeId, Picked>,
        replies: &mut [Option<Reply>],
        failed: &mut Vec<NodeId>,
    ) -> (bool, Option<Error>) {
        let mut local = vec![None; replies.len()];
        let remote = join_all(elsewhere.into_iter().map(|(node, picked)| self.run_at(bucket, ops, node, picked)));
        let ((), remote) = join(self.run_picked_here(view, bucket, ops, here, &mut local), remote).await;
        let (mut pause, mut trouble) = (false, None);
        for (at, reply) in local.into_iter().enumerate().filter(|(_, reply)| reply.is_some()) {
            replies[at] = reply;
        }
        for (answers, sent) in remote {
            for (at, reply) in answers {
                replies[at] = Some(reply);
            }
            if let Sent::Again { without, why } = sent {
                pause |= without.is_none();
                failed.extend(without);
                trouble = Some(Error::Unreachable(why));
            }
        }
        (pause, trouble)
    }

    /// Has `node` run ops, in as many messages as they need.
    async fn run_at(
        &self,
        bucket: &Bucket,
        ops: &Ops,
        node: NodeId,
        mut picked: Picked,
    ) -> (Vec<(usize, Reply)>, Sent) {
        let mut answers = Vec::with_capacity(picked.len());
        self.stats.note_forwarded(picked.len());
        while !picked.is_empty() {
            let part = part_len(picked.iter().map(|at| ops[*at].1.len()));
            match self.call_execute(bucket, ops, node, &picked[..part]).await {
                Ok(DataReply::Executed(replies)) if !replies.is_empty() => {
                    let len = replies.len().min(part);
                    answers.extend(picked.drain(..len).zip(replies));
                }
                Ok(_) => {
                    let why = format!("{node:?} and this node differ about who holds the key");
                    return (answers, Sent::Again { without: None, why });
                }
                Err(error) => return self.after_failure(ops, node, &picked[..part], answers, error),
            }
        }
        (answers, Sent::Done)
    }

    async fn call_execute(
        &self,
        bucket: &Bucket,
        ops: &Ops,
        node: NodeId,
        picked: &[usize],
    ) -> Result<DataReply, PeerError> {
        let request = DataRequest::Execute {
            bucket: Cow::Borrowed(&bucket.name),
            ops: picked.iter().map(|at| Cow::Borrowed(&ops[*at].1)).collect(),
        };
        self.call_data(node, Priority::Client, &request, FORWARD_DEADLINE).await
    }

    /// One request to another node's data tier.
    pub(crate) async fn call_data(
        &self,
        node: NodeId,
        priority: Priority,
        request: &DataRequest<'_>,
        within: Duration,
    ) -> Result<DataReply, PeerError> {
        let body = self.peers.call(node, priority, Service::Data, encode(request), within).await?;
        decode(&body).map_err(|why| PeerError::Remote(node, why))
    }

    /// The node is gone or hangs: what can be done elsewhere without harm is, the client is told of the rest.
    fn after_failure(
        &self,
        ops: &Ops,
        node: NodeId,
        tried: &[usize],
        mut answers: Vec<(usize, Reply)>,
        error: PeerError,
    ) -> (Vec<(usize, Reply)>, Sent) {
        if matches!(error, PeerError::Unreachable(..) | PeerError::TimedOut(..)) {
            self.note_failure(node);
        }
        let why = error.to_string();
        if matches!(error, PeerError::TimedOut(..)) {
            let unsafe_again = |at: &usize| !ops[*at].1.is_repeatable();
            let unknown = tried.iter().filter(|at| unsafe_again(at));
            answers.extend(unknown.map(|at| (*at, Error::Unknown(why.clone()).reply())));
        }
        let without = (!matches!(error, PeerError::Busy(_))).then_some(node);
        (answers, Sent::Again { without, why })
    }
}
