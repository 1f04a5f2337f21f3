//! Driver: a bucket that is open on this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ringway_catalog::LAYOUT_REPLICAS;
use ringway_engine::BucketStore;
use ringway_engine::wal::Durability;
use ringway_manifest::Bucket as Spec;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition, Slot, partition_of, slot_of};
use ringway_script::Library;

use crate::change_feed::ChangeFeed;
use crate::fail::Fail;
use crate::figures::{self, Figures};
use crate::pubsub::PubSub;
use crate::quota::{OverQuota, Quota};
use crate::view::View;

/// How long a tombstone is kept where there are other replicas, for those that have not heard of it.
pub(crate) const TOMBSTONE_AGE_MAX_MS: u64 = 10 * 60 * 1000;

/// Of the scripts that are kept for a bucket.
const SCRIPTS_BYTES_MAX: usize = 16 << 20;

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
    pub(crate) store: BucketStore,
    pub(crate) quota: Quota,
    /// Clients of this node that have said that they want this bucket.
    pub(crate) clients: AtomicU64,
    /// Of which partitions this replica has seen what another one has, since it started or became an owner. Where it has not,
    /// it may miss keys, and asks.
    fresh: Box<[AtomicBool]>,
    /// There may be cells of partitions that others hold now and never had from here: it was opened with what it had, or this
    /// node was given up for a while.
    strays: AtomicBool,
    pub(crate) figures: Figures,
    pub(crate) feed: ChangeFeed,
    pub(crate) scripts: Library,
    pub(crate) pubsub: PubSub,
}

/// A client of a bucket, counted as long as it is there.
#[derive(Debug)]
pub(crate) struct Guest(Arc<Held>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long writes wait for a disk that does not follow, before they are refused.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

impl Held {
    /// Waits while the disk does not follow, but not for ever: what is then written may be refused, and says why.
    pub(crate) async fn caught_up(&self) {
        let follows = async { while self.store.is_behind() && self.store.caught_up().await.is_ok() {} };
        let _ = tokio::time::timeout(DISK_PATIENCE, follows).await;
    }

    pub(crate) fn new(created_ms: u64, store: BucketStore) -> Self {
        let fresh = (0..PARTITION_COUNT).map(|_| AtomicBool::new(false)).collect();
        Self {
            created_ms,
            store,
            quota: Quota::default(),
            clients: AtomicU64::new(0),
            fresh,
            strays: AtomicBool::new(true),
            figures: Figures::default(),
            feed: ChangeFeed::default(),
            scripts: Library::new(SCRIPTS_BYTES_MAX),
            pubsub: PubSub::default(),
        }
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

/// What a write waits for on this node.
fn durability_of(spec: &Spec) -> Durability {
    match spec.durability() {
        ringway_manifest::Durability::Sync => Durability::Sync,
        ringway_manifest::Durability::Batch => Durability::Batch,
        ringway_manifest::Durability::Memory => Durability::Memory,
    }
}

impl Bucket {
    pub(crate) fn store(&self) -> &BucketStore {
        &self.held.store
    }

    pub(crate) fn replicas(&self) -> usize {
        usize::from(self.spec.replicas).clamp(1, LAYOUT_REPLICAS)
    }

    /// Where a key is: all of a bucket that is kept together are where its name is.
    pub(crate) fn partition_of(&self, key: &[u8]) -> Partition {
        if self.spec.together { partition_of(self.name.as_bytes()) } else { partition_of(key) }
    }

    /// The slot that clients are told a key is in.
    pub(crate) fn slot_of(&self, key: &[u8]) -> Slot {
        if self.spec.together { slot_of(self.name.as_bytes()) } else { slot_of(key) }
    }

    /// A SCAN cursor to begin anywhere with.
    pub(crate) fn random_cursor(&self) -> u64 {
        let number = ringway_rt::random::number() % (PARTITION_COUNT as u64);
        number << ringway_engine::page::POSITION_BITS
    }

    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.spec.ttl.map(|ttl| ttl.as_millis() as u64)
    }

    /// How long so many operations have to wait until this node may do them.
    pub(crate) fn wait_for(&self, count: usize, now_ns: u64) -> Result<Duration, Fail> {
        let Some(per_second) = self.spec.ops_per_second else { return Ok(Duration::ZERO) };
        self.held.quota.take(count, per_second, now_ns).map_err(|OverQuota| {
            metrics::counter!("ringway_data_over_quota_total", "bucket" => self.name.to_string())
                .increment(count as u64);
            figures::count(&self.held.figures.ops_refused, count as u64);
            Fail::of(format!("ERR bucket {} is over its quota of {per_second} operations a second", self.name))
        })
    }

    /// A client comes to this bucket, if there is room for it.
    pub(crate) fn admit_client(&self) -> Result<Guest, Fail> {
        let before = self.held.clients.fetch_add(1, Ordering::Relaxed);
        let guest = Guest(self.held.clone());
        match self.spec.connections {
            Some(limit) if before >= u64::from(limit) => {
                metrics::counter!("ringway_data_connections_refused_total").increment(1);
                figures::count(&self.held.figures.connections_refused, 1);
                Err(Fail::of(format!("ERR max number of clients of bucket {} reached", self.name)))
            }
            _ => Ok(guest),
        }
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
        self.store().set_durability(durability_of(&self.spec));
        self.store().set_retention(if alone && view.holders.is_settled() { 0 } else { TOMBSTONE_AGE_MAX_MS });
    }
}
