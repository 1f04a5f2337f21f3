//! Core: what the cluster has agreed on. Nodes, the ring's layout, buckets, apps and join tokens, and the commands that change
//! them.
//!
//! The consensus group orders [`Command`]s; [`Catalog::apply`] is a pure function, so every node that has applied the same
//! commands has the same catalog. All else (who is reachable, which instances run) is *not* here: it changes too fast to be
//! agreed on. Stored as JSON, so that a newer binary reads an older log; new fields need `#[serde(default)]` in `stored`.

pub mod app;
pub mod apply;
pub mod bucket;
pub mod command;
pub mod holders;
pub mod join_token;
pub mod moves;
pub mod node_info;
pub mod placement;
pub mod rebalance;
pub mod ring_kind;
pub mod ring_plan;
pub mod secret;
pub mod settings;

mod stored;

use std::collections::BTreeMap;

use ringway_ring::{Layout, NodeId};
use serde::{Deserialize, Serialize};

pub use app::{App, BlobId, Release};
pub use bucket::{Bucket, BucketChange, BucketName};
pub use command::{Command, Outcome, Refusal, Stamped};
pub use join_token::JoinToken;
pub use moves::Moves;
pub use node_info::{Addresses, NodeInfo, NodeState};
pub use placement::nodes_for;
pub use ring_kind::RingKind;
pub use ring_plan::{Change, RingPlan, plan};
pub use secret::Secret;
pub use settings::RingSettings;

/// Copies of each partition that the layout plans for; a bucket may ask for fewer.
pub const LAYOUT_REPLICAS: usize = 3;

/// Everything that is agreed on.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "stored::Stored")]
pub struct Catalog {
    /// Grows by one with every applied command.
    pub revision: u64,
    pub cluster_id: String,
    pub nodes: BTreeMap<NodeId, NodeInfo>,
    /// Whether there is a layout at all.
    pub ring: RingKind,
    /// Of the ring: grows when a partition changes hands or is to.
    pub epoch: u64,
    /// Who holds each partition; where `moves` has a row, who is to hold it.
    pub layout: Layout,
    /// Partitions that are changing hands.
    pub moves: Moves,
    /// For each partition the epoch in which its row last changed; none before the ring is formed.
    pub since: Vec<u64>,
    pub ring_settings: RingSettings,
    pub buckets: BTreeMap<BucketName, Bucket>,
    pub apps: BTreeMap<String, App>,
    /// By the public half of the token.
    pub join_tokens: BTreeMap<String, JoinToken>,
}

impl Catalog {
    /// The app that answers where the host names none: the one that was deployed first. So a second deploy changes nothing for
    /// those who use the first by its address.
    pub fn default_app(&self) -> Option<&App> {
        self.apps.values().min_by_key(|app| (app.first_deployed_ms, &app.name))
    }
}

#[cfg(test)]
mod tests;
