//! Driver: what is on its way to one replica. Writes of many clients that come while a message is on its way go together in the next
//! one, as in group commit: the busier a node is, the less each write costs.
//!
//! Bounded by those who wait: a client has one batch of writes on its way, and its next commands come after that.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringway_ports::Priority;
use ringway_ring::NodeId;
use tokio::sync::{Notify, oneshot};
use tracing::debug;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::long_message::PIECE_LEN;
use crate::message::{Known, PART_BYTES_MAX, Told};
use crate::replicate::{part_len, size_of};

/// After so long without a write the task that empties an outbox ends.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// The outcome for one batch of writes: the epoch of which the replica knows that others hold one of the partitions, if it does;
/// or that it has not got them.
pub(crate) type Sent = Result<Option<u64>, NotSent>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSent;

#[derive(Default)]
pub(crate) struct Outboxes(Mutex<BTreeMap<NodeId, Queue>>);

#[derive(Default)]
struct Queue {
    letters: VecDeque<Letter>,
    /// A task takes them out, one message after the other, and is told of new ones.
    emptier: Option<Arc<Notify>>,
}

struct Letter {
    bucket: Arc<Bucket>,
    updates: Vec<Told>,
    known: Known,
    bytes: usize,
    sent: oneshot::Sender<Sent>,
}

impl DataTier {
    /// Brings updates to a replica, together with those of others. Must be called in a runtime.
    pub(crate) async fn post(
        self: &Arc<Self>,
        node: NodeId,
        bucket: &Arc<Bucket>,
        updates: Vec<Told>,
        known: Known,
    ) -> Sent {
        let bytes = updates.iter().map(size_of).sum();
        if bytes > PIECE_LEN {
            // The short ones of others are not to wait behind it.
            return self.send_parts(bucket, node, updates, known).await;
        }
        let (sent, outcome) = oneshot::channel();
        let letter = Letter { bucket: bucket.clone(), updates, known, bytes, sent };
        if let Some(news) = self.outboxes.push(node, letter) {
            let tier = self.clone();
            self.tasks.spawn("outbox", async move { tier.empty(node, news).await });
        }
        // Nobody sends it any more: the node stops.
        outcome.await.unwrap_or(Err(NotSent))
    }

    /// Until nothing has come for a while.
    async fn empty(self: Arc<Self>, node: NodeId, news: Arc<Notify>) {
        loop {
            while let Some(letters) = self.outboxes.take(node) {
                self.send_together(node, letters).await;
            }
            let is_idle = tokio::select! {
                () = self.tasks.stopping() => true,
                waited = tokio::time::timeout(IDLE_MAX, news.notified()) => waited.is_err(),
            };
            if is_idle && self.outboxes.close(node) {
                return;
            }
        }
    }

    async fn send_together(&self, node: NodeId, mut letters: Vec<Letter>) {
        let (bucket, epoch) = (letters[0].bucket.clone(), letters[0].known.epoch);
        let since = letters.iter().map(|letter| letter.known.since).max().unwrap_or(0);
        let updates: Vec<Told> = letters.iter_mut().flat_map(|letter| std::mem::take(&mut letter.updates)).collect();
        let sent = self.send_parts(&bucket, node, updates, Known { epoch, since }).await;
        for letter in letters {
            // Who has waited long enough has gone on.
            let _ = letter.sent.send(sent);
        }
    }

    async fn send_parts(&self, bucket: &Bucket, node: NodeId, mut updates: Vec<Told>, known: Known) -> Sent {
        let mut newer = None;
        while !updates.is_empty() {
            let rest = updates.split_off(part_len(updates.iter().map(size_of)));
            match self.send_part(bucket, node, Priority::Client, updates, known).await {
                Ok(stale) => newer = newer.max(stale),
                Err(error) => {
                    debug!(peer = %node, %error, "replica missed writes");
                    return Err(NotSent);
                }
            }
            updates = rest;
        }
        Ok(newer)
    }
}

impl Outboxes {
    /// What tells of news, if there is to be a new task that empties the queue.
    fn push(&self, node: NodeId, letter: Letter) -> Option<Arc<Notify>> {
        let mut queues = self.queues();
        let queue = queues.entry(node).or_default();
        queue.letters.push_back(letter);
        if let Some(emptier) = &queue.emptier {
            emptier.notify_one();
            return None;
        }
        let news = Arc::new(Notify::new());
        queue.emptier = Some(news.clone());
        Some(news)
    }

    /// Whether the queue is empty; nobody looks after it any more then.
    fn close(&self, node: NodeId) -> bool {
        let mut queues = self.queues();
        let is_empty = queues.get(&node).is_none_or(|queue| queue.letters.is_empty());
        if is_empty {
            queues.remove(&node);
        }
        is_empty
    }

    /// What goes into the next message: letters of one bucket and one epoch.
    fn take(&self, node: NodeId) -> Option<Vec<Letter>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(&node)?;
        let first = queue.letters.pop_front()?;
        let (mut bytes, mut taken) = (first.bytes, vec![first]);
        while let Some(next) = queue.letters.front() {
            let fits = Arc::ptr_eq(&next.bucket, &taken[0].bucket)
                && next.known.epoch == taken[0].known.epoch
                && bytes + next.bytes <= PART_BYTES_MAX;
            if !fits {
                break;
            }
            bytes += next.bytes;
            taken.extend(queue.letters.pop_front());
        }
        Some(taken)
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<NodeId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
