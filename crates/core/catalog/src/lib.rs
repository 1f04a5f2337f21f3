//! Core: what the cluster has agreed on. Nodes, the ring's layout, buckets, apps and join tokens, and the commands that change
//! them.
//!
//! The consensus group orders [`Command`]s; [`Catalog::apply`] is a pure function, so every node that has applied the same
//! commands has the same catalog. All else (who is reachable, which instances run) is *not* here: it changes too fast to be
//! agreed on. Stored as JSON, so that a newer binary reads an older log; new fields need `#[serde(default)]`.

pub mod app;
pub mod apply;
pub mod bucket;
pub mod command;
pub mod join_token;
pub mod node_info;
pub mod placement;
pub mod secret;

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::{Layout, NodeId};
use serde::{Deserialize, Serialize};

pub use app::{App, BlobId, Release};
pub use bucket::{Bucket, BucketName};
pub use command::{Command, Outcome, Refusal, Stamped};
pub use join_token::JoinToken;
pub use node_info::{Addresses, NodeInfo, NodeState};
pub use placement::nodes_for;
pub use secret::Secret;

/// Copies of each partition that the layout plans for; a bucket may ask for fewer.
pub const LAYOUT_REPLICAS: usize = 3;

/// Everything that is agreed on.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// Grows by one with every applied command.
    pub revision: u64,
    pub cluster_id: String,
    pub nodes: BTreeMap<NodeId, NodeInfo>,
    /// Who holds each partition. While `moving_from` is set: who is to hold it.
    pub layout: Layout,
    /// The layout that still answers reads, while the nodes of `layout` fetch what is theirs.
    #[serde(default)]
    pub moving_from: Option<Layout>,
    /// Nodes that have everything `layout` gives them.
    #[serde(default)]
    pub synced: BTreeSet<NodeId>,
    #[serde(default)]
    pub buckets: BTreeMap<BucketName, Bucket>,
    #[serde(default)]
    pub apps: BTreeMap<String, App>,
    /// By the public half of the token.
    #[serde(default)]
    pub join_tokens: BTreeMap<String, JoinToken>,
}

impl Catalog {
    /// The layout whose nodes answer reads.
    pub fn read_layout(&self) -> &Layout {
        self.moving_from.as_ref().unwrap_or(&self.layout)
    }

    /// The app that answers where the host names none: the one that was deployed first. So a second deploy changes nothing for
    /// those who use the first by its address.
    pub fn default_app(&self) -> Option<&App> {
        self.apps.values().min_by_key(|app| (app.first_deployed_ms, &app.name))
    }
}

#[cfg(test)]
mod tests;
