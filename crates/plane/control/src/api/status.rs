//! Core: the cluster at a glance.

use ringway_catalog::{Addresses, NodeState};
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

use super::ring::KeysHeld;

/// `GET /v1/health`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHealth {
    pub status: String,
}

/// The answer where there is nothing else to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub done: bool,
}

/// A node by both its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRef {
    pub id: NodeId,
    pub name: String,
}

/// Whether a node answers, as seen from the one that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    Up,
    Suspect,
    Down,
}

impl From<ringway_ports::Reach> for Reach {
    fn from(reach: ringway_ports::Reach) -> Self {
        match reach {
            ringway_ports::Reach::Up => Reach::Up,
            ringway_ports::Reach::Suspect => Reach::Suspect,
            ringway_ports::Reach::Down => Reach::Down,
        }
    }
}

/// `GET /v1/status`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub cluster_id: String,
    pub version: String,
    /// The node that answered.
    pub node: NodeRef,
    pub started_ms: u64,
    pub now_ms: u64,
    pub leader: Option<NodeRef>,
    /// Of the catalog.
    pub revision: u64,
    pub ring: RingSummary,
    /// By name.
    pub nodes: Vec<NodeView>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeView {
    pub id: NodeId,
    pub name: String,
    pub zone: String,
    pub capacity: u32,
    pub state: NodeState,
    pub reach: Reach,
    pub is_self: bool,
    pub is_leader: bool,
    pub addresses: Addresses,
    pub joined_ms: u64,
    /// Of the ring that answers now.
    pub share: ShareView,
    /// Of the ring as it will be, while it moves.
    pub share_next: Option<ShareView>,
    /// What the node said about itself; nothing if it did not answer in time.
    pub version: Option<String>,
    pub started_ms: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub requests_per_second: Option<u64>,
    /// Of all buckets, copies included.
    #[serde(default)]
    pub held: Option<KeysHeld>,
}

/// In partitions, of [`RingSummary::partitions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareView {
    pub primary: usize,
    pub held: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingSummary {
    pub epoch: u64,
    pub partitions: usize,
    /// Copies of each partition.
    pub replicas: usize,
    /// None: settled.
    pub moving: Option<Moving>,
}

/// A change of the ring under way: the old layout answers until everybody has what is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    pub from_epoch: u64,
    pub to_epoch: u64,
    /// Names of the nodes that have everything.
    pub synced: Vec<String>,
    pub waiting_for: Vec<String>,
    /// Copies of partitions that were fetched, of all that have to be.
    pub copies_done: u64,
    pub copies_total: u64,
}
