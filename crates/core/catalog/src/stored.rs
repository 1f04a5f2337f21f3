//! Core: the catalog as it may be stored, by this release or by an earlier one.
//!
//! Before partitions moved one by one, a change of the ring was whole: `moving_from` had the layout that answered until all
//! nodes in `synced` were ready. Such a catalog becomes one in which every partition that differs is moving, and what nodes had
//! said counts for all they were to get.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::{Layout, NodeId, PARTITION_COUNT, Partition};
use serde::Deserialize;

use crate::{App, Bucket, BucketName, Catalog, JoinToken, Moves, NodeInfo, RingKind, RingSettings};

#[derive(Deserialize)]
pub(crate) struct Stored {
    revision: u64,
    cluster_id: String,
    nodes: BTreeMap<NodeId, NodeInfo>,
    #[serde(default)]
    ring: RingKind,
    #[serde(default)]
    epoch: u64,
    layout: Layout,
    #[serde(default)]
    moves: Moves,
    #[serde(default)]
    since: Vec<u64>,
    #[serde(default)]
    ring_settings: RingSettings,
    #[serde(default)]
    buckets: BTreeMap<BucketName, Bucket>,
    #[serde(default)]
    apps: BTreeMap<String, App>,
    #[serde(default)]
    join_tokens: BTreeMap<String, JoinToken>,
    // Of the first release only.
    #[serde(default)]
    moving_from: Option<Layout>,
    #[serde(default)]
    synced: BTreeSet<NodeId>,
}

impl From<Stored> for Catalog {
    fn from(stored: Stored) -> Self {
        let mut catalog = Catalog {
            revision: stored.revision,
            cluster_id: stored.cluster_id,
            nodes: stored.nodes,
            ring: stored.ring,
            epoch: stored.epoch.max(stored.layout.epoch),
            layout: stored.layout,
            moves: stored.moves,
            since: stored.since,
            ring_settings: stored.ring_settings,
            buckets: stored.buckets,
            apps: stored.apps,
            join_tokens: stored.join_tokens,
        };
        if let Some(from) = stored.moving_from {
            catalog.adopt_whole_move(&from, &stored.synced);
        }
        catalog
    }
}

impl Catalog {
    fn adopt_whole_move(&mut self, from: &Layout, synced: &BTreeSet<NodeId>) {
        self.since = vec![self.epoch; PARTITION_COUNT];
        for partition in Partition::all().filter(|p| !from.owners(*p).eq(self.layout.owners(*p))) {
            let readers: Vec<NodeId> = from.owners(partition).collect();
            let marks: Vec<NodeId> = self.layout.owners(partition).filter(|node| synced.contains(node)).collect();
            self.moves.set(partition, &readers, &marks);
            let nobody_is_left = readers.iter().all(|node| !self.nodes.contains_key(node));
            let is_ready = nobody_is_left || self.gainers(partition).iter().all(|node| marks.contains(node));
            if is_ready {
                self.moves.end(partition);
            }
        }
    }
}

#[cfg(test)]
mod tests;
