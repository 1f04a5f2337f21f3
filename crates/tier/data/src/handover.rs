//! Who executes: passing a partition from the node that has executed its commands to the one that does from now on.
//!
//! When the ring lets another row answer, two nodes might execute commands on the same key for a moment: the old one because it
//! has not heard of it, or has begun before. Cells merge by version, so one of two increments would be lost. Therefore the new
//! one first asks those who answered before to *yield*: from then on they refuse commands of an older epoch, whether they have
//! heard of the new one or not, and answer when what they had begun is done and replicated, to the new one, too. One round trip,
//! only for the first commands after a partition has changed hands, and no waiting for the catalog.
//!
//! A node that does not answer is given [`YIELD_DEADLINE`]; after that exactness is given up for the sake of going on, as it is
//! whenever nodes fail at this level of consistency.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use ringway_ports::Priority;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition, PartitionSet};
use tokio::sync::{Notify, oneshot, watch};
use tracing::{debug, warn};

use crate::DataTier;
use crate::message::{DataReply, DataRequest};
use crate::view::View;

/// Longer than a command waits for its replicas.
pub(crate) const YIELD_DEADLINE: Duration = Duration::from_secs(1);

/// Kept while commands are executed.
pub(crate) struct Running(#[allow(dead_code, reason = "dropping it is what it is for")] Arc<Generation>);

/// Executions that were begun between two times that this node yielded. Alive as long as one of them or of an earlier one is.
struct Generation {
    /// Its receiver hears of the end by this being dropped.
    _ended: oneshot::Sender<()>,
    /// Keeps the later ones alive.
    next: OnceLock<Arc<Generation>>,
}

impl Generation {
    fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (ended, receiver) = oneshot::channel();
        (Arc::new(Self { _ended: ended, next: OnceLock::new() }), receiver)
    }
}

pub(crate) struct Handover {
    /// For each partition the epoch since which another node executes: no commands of older views here.
    yielded: Box<[AtomicU64]>,
    generation: ArcSwap<Generation>,
    /// Of the present generation.
    ended: Mutex<oneshot::Receiver<()>>,
    /// Whom to ask before this node executes.
    owed: Mutex<BTreeMap<Partition, Owed>>,
    /// Whether there is anybody: looked at on every core, for every few commands.
    is_any_owed: AtomicBool,
    /// Rings when there are others, or fewer.
    owed_changed: watch::Sender<()>,
    is_owed: Notify,
}

#[derive(Clone)]
struct Owed {
    epoch: u64,
    nodes: BTreeSet<NodeId>,
}

impl Default for Handover {
    fn default() -> Self {
        let (generation, ended) = Generation::new();
        Self {
            yielded: (0..PARTITION_COUNT).map(|_| AtomicU64::new(0)).collect(),
            generation: ArcSwap::new(generation),
            ended: Mutex::new(ended),
            owed: Mutex::default(),
            is_any_owed: AtomicBool::new(false),
            owed_changed: watch::Sender::new(()),
            is_owed: Notify::new(),
        }
    }
}

impl Handover {
    /// Begins to execute commands on these partitions as `view` has it. `Err`: another node does since that epoch.
    pub(crate) fn begin(&self, view: &View, partitions: impl Iterator<Item = Partition>) -> Result<Running, u64> {
        // First counted, then looked: who yields does it the other way round, so one of the two notices.
        let running = Running(self.generation.load_full());
        let own_epoch = view.holders.epoch();
        let since = |partition: Partition| self.yielded[partition.index()].load(Ordering::SeqCst);
        match partitions.map(since).max().filter(|since| *since > own_epoch) {
            Some(since) => Err(since),
            None => Ok(running),
        }
    }

    /// Whether another node executes it since an epoch after this one.
    pub(crate) fn has_yielded(&self, partition: Partition, epoch: u64) -> bool {
        self.yielded[partition.index()].load(Ordering::SeqCst) > epoch
    }

    /// Gives partitions away for good; returns when nothing is executed any more that was begun before.
    pub(crate) async fn give(&self, epoch: u64, partitions: &PartitionSet) {
        for partition in partitions.iter() {
            self.yielded[partition.index()].fetch_max(epoch, Ordering::SeqCst);
        }
        let ended = {
            let mut ended = lock(&self.ended);
            let (generation, receiver) = Generation::new();
            let before = self.generation.swap(generation.clone());
            // It is set once: a generation is replaced once.
            let _ = before.next.set(generation);
            std::mem::replace(&mut *ended, receiver)
        };
        // An error is what is waited for: the sender is gone.
        let _ = ended.await;
    }

    /// A new view: notes whom to ask about partitions that this node is to execute from now on and another one did before.
    pub(crate) fn note_view(&self, before: &View, now: &View) {
        if Arc::ptr_eq(&before.holders, &now.holders) || before.holders.is_empty() {
            return;
        }
        let mut owed = lock(&self.owed);
        for partition in Partition::all() {
            let (old, new) = (before.holders.readers(partition), now.holders.readers(partition));
            if new.first() != Some(&now.own) || now.holders.since(partition) == 0 {
                owed.remove(&partition);
                continue;
            }
            let has_changed = old.first() != Some(&now.own) && !old.is_empty();
            if has_changed {
                let nodes = old.iter().copied().filter(|node| *node != now.own).collect();
                owed.insert(partition, Owed { epoch: now.holders.since(partition), nodes });
            }
        }
        self.note_owed(owed);
    }

    fn note_owed(&self, owed: MutexGuard<'_, BTreeMap<Partition, Owed>>) {
        let is_any = !owed.is_empty();
        self.is_any_owed.store(is_any, Ordering::SeqCst);
        // Who waits looks at the map when the bell rings.
        drop(owed);
        self.owed_changed.send_replace(());
        if is_any {
            self.is_owed.notify_one();
        }
    }

    /// Whether somebody is to be asked before some partition is executed here.
    pub(crate) fn is_any_owed(&self) -> bool {
        self.is_any_owed.load(Ordering::SeqCst)
    }

    /// Returns when all of these partitions are this node's to execute, as far as others had to be asked.
    pub(crate) async fn taken(&self, partitions: impl Iterator<Item = Partition>) {
        if !self.is_any_owed() {
            return;
        }
        let partitions: Vec<Partition> = partitions.collect();
        let mut changed = self.owed_changed.subscribe();
        let is_free = |_: &()| {
            let owed = lock(&self.owed);
            partitions.iter().all(|partition| !owed.contains_key(partition))
        };
        // The sender lives as long as this.
        let _ = changed.wait_for(is_free).await.map(drop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks those who executed before, as views change.
pub(crate) async fn run(tier: Arc<DataTier>) {
    loop {
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tier.handover.is_owed.notified() => {}
        }
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tier.ask_to_yield() => {}
        }
    }
}

impl DataTier {
    async fn ask_to_yield(self: &Arc<Self>) {
        let asked = lock(&self.handover.owed).clone();
        let mut by_node: BTreeMap<(NodeId, u64), PartitionSet> = BTreeMap::new();
        for (partition, owed) in &asked {
            for node in &owed.nodes {
                by_node.entry((*node, owed.epoch)).or_default().insert(*partition);
            }
        }
        join_all(by_node.into_iter().map(|((node, epoch), set)| self.ask_one_to_yield(node, epoch, set))).await;
        let mut owed = lock(&self.handover.owed);
        owed.retain(|partition, now| asked.get(partition).is_none_or(|asked| asked.epoch != now.epoch));
        self.handover.note_owed(owed);
    }

    async fn ask_one_to_yield(&self, node: NodeId, epoch: u64, partitions: PartitionSet) {
        if !self.view().is_reachable(node) {
            return;
        }
        let count = partitions.len();
        let request = DataRequest::Yield { epoch, partitions };
        match self.call_data(node, Priority::Client, &request, YIELD_DEADLINE).await {
            Ok(DataReply::Yielded) => debug!(peer = %node, epoch, partitions = count, "partitions were handed over"),
            Ok(_) => {
                warn!(peer = %node, epoch, "the node that held partitions did not understand that they are taken over")
            }
            Err(error) => {
                self.note_failure(node);
                warn!(peer = %node, epoch, partitions = count, %error, "partitions are taken over without the node that held them");
            }
        }
    }
}
