//! Driver: a bucket that is open on this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringway_catalog::LAYOUT_REPLICAS;
use ringway_engine::Store;
use ringway_manifest::Bucket as Spec;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition};

use crate::view::View;

/// How long a tombstone is kept where there are other replicas, for those that have not heard of it.
pub(crate) const TOMBSTONE_AGE_MAX_MS: u64 = 10 * 60 * 1000;

/// The bucket as the catalog has it now, and its cells here. Made anew when the catalog changes; the cells are shared.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: Arc<str>,
    pub(crate) spec: Spec,
    pub(crate) held: Arc<Held>,
}

/// What stays when the catalog changes.
#[derive(Debug)]
pub(crate) struct Held {
    /// Tells a bucket from an earlier one of the same name.
    pub(crate) created_ms: u64,
    pub(crate) store: Store,
    /// Of which partitions this replica has seen what another one has, since it started or became an owner. Where it has not,
    /// it may miss keys, and asks.
    fresh: Box<[AtomicBool]>,
    /// There may be cells of partitions that others hold now and never had from here: it was opened with what it had, or this
    /// node was given up for a while.
    strays: AtomicBool,
}

impl Held {
    pub(crate) fn new(created_ms: u64, store: Store) -> Self {
        let fresh = (0..PARTITION_COUNT).map(|_| AtomicBool::new(false)).collect();
        Self { created_ms, store, fresh, strays: AtomicBool::new(true) }
    }

    pub(crate) fn is_fresh(&self, partition: Partition) -> bool {
        self.fresh[partition.index()].load(Ordering::Acquire)
    }

    pub(crate) fn has_strays(&self) -> bool {
        self.strays.load(Ordering::Acquire)
    }

    pub(crate) fn set_strays(&self, may_be: bool) {
        self.strays.store(may_be, Ordering::Release);
    }

    pub(crate) fn set_fresh(&self, partition: Partition, fresh: bool) {
        self.fresh[partition.index()].store(fresh, Ordering::Release);
    }
}

impl Bucket {
    pub(crate) fn store(&self) -> &Store {
        &self.held.store
    }

    pub(crate) fn replicas(&self) -> usize {
        usize::from(self.spec.replicas).clamp(1, LAYOUT_REPLICAS)
    }

    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.spec.ttl.map(|ttl| ttl.as_millis() as u64)
    }

    /// Fits limits and freshness to a new view. `returned`: peers that were down and are not any more; while they were, either
    /// side may have missed writes.
    pub(crate) fn adapt(&self, before: &View, view: &View, returned: &[NodeId]) {
        let replicas = self.replicas();
        let (mut holds, mut alone) = (0, true);
        for partition in Partition::all() {
            let (reads, writes) = (view.own_reads(partition, replicas), view.own_writes(partition, replicas));
            // What has moved away takes its room until it is dropped, or what is needed would be evicted for it.
            holds += u64::from(writes || !self.store().is_empty(partition));
            let mut others = view.sources(partition, replicas).filter(|node| *node != view.own).peekable();
            let is_only = others.peek().is_none();
            alone &= is_only;
            let is_kept_whole = if view.is_peer_to_peer() { reads } else { writes };
            // Between two views this node may have been none of those who get writes.
            let has_changed = !reads && before.holders.since(partition) != view.holders.since(partition);
            if !is_kept_whole || has_changed || others.any(|node| returned.contains(&node)) {
                self.held.set_fresh(partition, false);
            } else if is_only && reads {
                self.held.set_fresh(partition, true);
            }
        }
        if view.is_peer_to_peer() {
            // Of which arcs this node is a replica it is not told; arcs are alike.
            let nodes = view.catalog.nodes.len();
            holds = (holds * replicas.min(nodes) as u64).min(PARTITION_COUNT as u64);
            alone = nodes == 1;
        }
        let share = u128::from(self.spec.limit.0) * u128::from(holds) / PARTITION_COUNT as u128;
        self.store().set_limit(share as u64);
        self.store().set_retention(if alone && view.holders.is_settled() { 0 } else { TOMBSTONE_AGE_MAX_MS });
    }
}
