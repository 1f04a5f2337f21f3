//! Core: where keys are, as this node sees it now: the catalog, the ring and who is reachable, put together once per change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ringway_catalog::{Catalog, LAYOUT_REPLICAS, NodeInfo, NodeState};
use ringway_ports::Reach;
use ringway_ring::{Holders, NodeId, Partition};

use crate::bucket::Bucket;
use crate::message::Known;

pub(crate) type Reached = Arc<BTreeMap<NodeId, Reach>>;

/// Immutable; a batch of commands uses one from its beginning to its end.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) own: NodeId,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) holders: Arc<Holders>,
    pub(crate) reach: Reached,
    /// Reachable again, but passed over where another replica can execute ([`crate::returning`]).
    returning: BTreeSet<NodeId>,
    /// Those that are open on this node.
    pub(crate) buckets: HashMap<String, Arc<Bucket>>,
    /// For 1, 2, ... replicas: the acting primary of each partition.
    acting: Vec<Box<[Option<NodeId>]>>,
    /// Nobody agrees on the holders: those of others' arcs are hints.
    is_peer_to_peer: bool,
    /// Nodes of such a ring that go: they may have what the new owners of their arcs lack.
    leaving: Vec<NodeId>,
}

impl View {
    pub(crate) fn new(
        own: NodeId,
        catalog: Arc<Catalog>,
        holders: Arc<Holders>,
        reach: Reached,
        returning: BTreeSet<NodeId>,
        buckets: HashMap<String, Arc<Bucket>>,
    ) -> Self {
        let is_peer_to_peer = catalog.ring.is_chord();
        let goes = |node: &&NodeInfo| is_peer_to_peer && !node.is_active();
        let leaving = catalog.nodes.values().filter(goes).map(|node| node.id).collect();
        // There the owner alone says who executes.
        let returning = if is_peer_to_peer { BTreeSet::new() } else { returning };
        let acting = Vec::new();
        let mut view = Self { own, catalog, holders, reach, returning, buckets, acting, is_peer_to_peer, leaving };
        view.acting = (1..=LAYOUT_REPLICAS)
            .map(|replicas| Partition::all().map(|partition| view.acting_without(partition, replicas, &[])).collect())
            .collect();
        view
    }

    /// Who executes commands on keys of `partition`: the first owner that is up and has been, else the first that is up, else the
    /// first that is suspect.
    pub(crate) fn acting(&self, partition: Partition, replicas: usize) -> Option<NodeId> {
        self.acting.get(replicas - 1).and_then(|table| table[partition.index()])
    }

    /// The same, if `failed` have just been found not to answer.
    pub(crate) fn acting_without(&self, partition: Partition, replicas: usize, failed: &[NodeId]) -> Option<NodeId> {
        let candidates = || self.readers(partition, replicas).filter(|node| !failed.contains(node));
        candidates()
            .find(|node| self.reach_of(*node) == Reach::Up && !self.returning.contains(node))
            .or_else(|| candidates().find(|node| self.reach_of(*node) == Reach::Up))
            .or_else(|| candidates().find(|node| self.reach_of(*node) == Reach::Suspect))
    }

    /// The replicas that answer reads.
    pub(crate) fn readers(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        self.holders.readers(partition).iter().copied().take(replicas)
    }

    /// The replicas that get writes: the readers and, while data moves, those to come.
    pub(crate) fn writers(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        self.holders.writers(partition, replicas)
    }

    /// Who may have what the one that answers lacks. May name a node twice.
    pub(crate) fn sources(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        // Behind the owner stand those who owned the arc before it joined, or will if it goes: also for a bucket of one copy.
        let count = if self.is_peer_to_peer { usize::MAX } else { replicas };
        self.readers(partition, count).chain(self.leaving.iter().copied())
    }

    pub(crate) fn is_peer_to_peer(&self) -> bool {
        self.is_peer_to_peer
    }

    /// Whether this node answers for the partition: where nobody agrees on that, its owner does, or while that is not to be seen
    /// the next in line.
    pub(crate) fn may_execute(&self, partition: Partition, replicas: usize) -> bool {
        if !self.is_peer_to_peer {
            return self.own_writes(partition, replicas);
        }
        let place = self.readers(partition, replicas).position(|node| node == self.own);
        place.is_some_and(|place| self.readers(partition, place).all(|node| self.reach_of(node) != Reach::Up))
    }

    /// This node, for partitions of a peer-to-peer ring whose holders have not been looked up: it asks them for whoever asks it.
    pub(crate) fn own_if_unknown(&self, partition: Partition) -> Option<NodeId> {
        (self.is_peer_to_peer && self.holders.readers(partition).is_empty()).then_some(self.own)
    }

    /// Whether this node is one of those that hold the partition, as far as it knows.
    pub(crate) fn is_holder(&self, partition: Partition, replicas: usize) -> bool {
        self.readers(partition, replicas).any(|node| node == self.own)
    }

    /// What goes with a message about these partitions.
    pub(crate) fn known(&self, partitions: impl Iterator<Item = Partition>) -> Known {
        let since = partitions.map(|partition| self.holders.since(partition)).max().unwrap_or(0);
        Known { epoch: self.holders.epoch(), since }
    }

    /// Whether a row of these has changed since what the sender of a message knows.
    pub(crate) fn outdates(&self, known: Known, mut partitions: impl Iterator<Item = Partition>) -> bool {
        self.holders.epoch() > known.epoch && partitions.any(|partition| self.holders.since(partition) > known.epoch)
    }

    pub(crate) fn own_reads(&self, partition: Partition, replicas: usize) -> bool {
        if self.is_peer_to_peer {
            return self.holders.readers(partition).first() == Some(&self.own);
        }
        self.readers(partition, replicas).any(|node| node == self.own)
    }

    pub(crate) fn own_writes(&self, partition: Partition, replicas: usize) -> bool {
        self.writers(partition, replicas).any(|node| node == self.own)
    }

    /// Whether this node is to hold the partition for a bucket with so many replicas and does not yet.
    pub(crate) fn own_gains(&self, partition: Partition, replicas: usize) -> bool {
        self.own_writes(partition, replicas) && !self.own_reads(partition, replicas)
    }

    /// The partitions whose next row waits for this node: it is not in the present one, or further back.
    pub(crate) fn gained(&self) -> impl Iterator<Item = Partition> + '_ {
        Partition::all().filter(|p| {
            let place = self.holders.next(*p).iter().position(|node| *node == self.own);
            place.is_some_and(|place| !self.own_reads(*p, place + 1))
        })
    }

    /// The partitions of which both this node and `peer` answer reads.
    pub(crate) fn shared_with(&self, peer: NodeId, replicas: usize) -> Vec<Partition> {
        let both = |p: &Partition| self.own_reads(*p, replicas) && self.readers(*p, replicas).any(|node| node == peer);
        Partition::all().filter(both).collect()
    }

    /// Whether the cluster does without this node until it is back.
    pub(crate) fn is_given_up(&self) -> bool {
        self.catalog.nodes.get(&self.own).is_some_and(|node| node.state == NodeState::Away)
    }

    pub(crate) fn is_reachable(&self, node: NodeId) -> bool {
        self.reach_of(node) != Reach::Down
    }

    pub(crate) fn reachable_peers(&self) -> Vec<NodeId> {
        self.catalog.nodes.keys().copied().filter(|node| *node != self.own && self.is_reachable(*node)).collect()
    }

    pub(crate) fn reach_of(&self, node: NodeId) -> Reach {
        if node == self.own { Reach::Up } else { self.reach.get(&node).copied().unwrap_or(Reach::Down) }
    }
}
