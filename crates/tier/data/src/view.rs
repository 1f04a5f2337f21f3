//! Core: where keys are, as this node sees it now: the agreed catalog and who is reachable, put together once per change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ringway_catalog::{Catalog, LAYOUT_REPLICAS};
use ringway_ports::Reach;
use ringway_ring::{NodeId, Partition};

use crate::bucket::Bucket;

pub(crate) type Reached = Arc<BTreeMap<NodeId, Reach>>;

/// Immutable; a batch of commands uses one from its beginning to its end.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) own: NodeId,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) reach: Reached,
    /// Those that are open on this node.
    pub(crate) buckets: HashMap<String, Arc<Bucket>>,
    /// For 1, 2, ... replicas: the acting primary of each partition.
    acting: Vec<Box<[Option<NodeId>]>>,
}

impl View {
    pub(crate) fn new(
        own: NodeId,
        catalog: Arc<Catalog>,
        reach: Reached,
        buckets: HashMap<String, Arc<Bucket>>,
    ) -> Self {
        let mut view = Self { own, catalog, reach, buckets, acting: Vec::new() };
        view.acting = (1..=LAYOUT_REPLICAS)
            .map(|replicas| Partition::all().map(|partition| view.acting_without(partition, replicas, &[])).collect())
            .collect();
        view
    }

    /// Who executes commands on keys of `partition`: the first owner that is up, else the first that is suspect.
    pub(crate) fn acting(&self, partition: Partition, replicas: usize) -> Option<NodeId> {
        self.acting.get(replicas - 1).and_then(|table| table[partition.index()])
    }

    /// The same, if `failed` have just been found not to answer.
    pub(crate) fn acting_without(&self, partition: Partition, replicas: usize, failed: &[NodeId]) -> Option<NodeId> {
        let candidates = || self.readers(partition, replicas).filter(|node| !failed.contains(node));
        candidates()
            .find(|node| self.reach_of(*node) == Reach::Up)
            .or_else(|| candidates().find(|node| self.reach_of(*node) == Reach::Suspect))
    }

    /// The replicas that answer reads.
    pub(crate) fn readers(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        self.catalog.read_layout().owners(partition).take(replicas)
    }

    /// The replicas that get writes: the readers and, while data moves, those to come. May name a node twice.
    pub(crate) fn writers(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        let next = self.catalog.moving_from.is_some().then(|| self.catalog.layout.owners(partition).take(replicas));
        self.readers(partition, replicas).chain(next.into_iter().flatten())
    }

    pub(crate) fn own_reads(&self, partition: Partition, replicas: usize) -> bool {
        self.readers(partition, replicas).any(|node| node == self.own)
    }

    pub(crate) fn own_writes(&self, partition: Partition, replicas: usize) -> bool {
        self.writers(partition, replicas).any(|node| node == self.own)
    }

    /// What this node has to fetch before the next layout can answer reads.
    pub(crate) fn gains(&self, replicas: usize) -> Vec<Partition> {
        Partition::all().filter(|p| self.own_writes(*p, replicas) && !self.own_reads(*p, replicas)).collect()
    }

    /// The partitions of which both this node and `peer` answer reads.
    pub(crate) fn shared_with(&self, peer: NodeId, replicas: usize) -> Vec<Partition> {
        let both = |p: &Partition| self.own_reads(*p, replicas) && self.readers(*p, replicas).any(|node| node == peer);
        Partition::all().filter(both).collect()
    }

    pub(crate) fn is_reachable(&self, node: NodeId) -> bool {
        self.reach_of(node) != Reach::Down
    }

    pub(crate) fn reachable_peers(&self) -> Vec<NodeId> {
        self.catalog.nodes.keys().copied().filter(|node| *node != self.own && self.is_reachable(*node)).collect()
    }

    fn reach_of(&self, node: NodeId) -> Reach {
        if node == self.own { Reach::Up } else { self.reach.get(&node).copied().unwrap_or(Reach::Down) }
    }
}
