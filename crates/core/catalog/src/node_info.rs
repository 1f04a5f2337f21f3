//! Core: a node as the others know it.

use std::net::SocketAddr;

use ringway_ring::{Member, NodeId};
use serde::{Deserialize, Serialize};

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    pub id: NodeId,
    /// For people; unique in the cluster.
    pub name: String,
    #[serde(default)]
    pub zone: String,
    /// Relative share of the ring.
    pub capacity: u32,
    pub addresses: Addresses,
    pub joined_ms: u64,
    pub state: NodeState,
}

/// Where a node listens. What is `None` is switched off there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Node to node, mutually authenticated TLS.
    pub peer: SocketAddr,
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
    pub redis: Option<SocketAddr>,
    /// Console and admin API.
    pub admin: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Holds a part of the ring and runs instances.
    Active,
    /// Gives away what it has, then goes.
    Leaving,
    /// Has been down for long: what it held is copied elsewhere. Active again when it is back.
    Away,
}

impl NodeInfo {
    pub fn as_member(&self) -> Member {
        Member { id: self.id, zone: self.zone.clone(), capacity: self.capacity }
    }

    pub fn is_active(&self) -> bool {
        self.state == NodeState::Active
    }
}
