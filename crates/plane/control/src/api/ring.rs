//! Core: who holds which part of the ring, and where one key is.

use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

use super::status::{NodeRef, Reach, RingSummary, ShareView};

/// A run of partitions with the same owners in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingArc {
    pub from_partition: u16,
    /// The last one, included.
    pub to_partition: u16,
    /// Places in [`RingView::members`], the primary first.
    pub owners: Vec<u16>,
}

/// `GET /v1/ring`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingView {
    pub summary: RingSummary,
    /// The epoch whose owners answer now, and whose arcs these are.
    pub epoch: u64,
    pub members: Vec<NodeRef>,
    pub arcs: Vec<RingArc>,
    /// One for each member.
    pub shares: Vec<ShareView>,
    /// One for each member; None for those that did not answer.
    pub held: Vec<Option<KeysHeld>>,
}

/// What a node keeps of all buckets, copies included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysHeld {
    pub keys: u64,
    pub bytes: u64,
}

/// `GET /v1/ring/lookup?key=K&bucket=B`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lookup {
    pub key: String,
    pub slot: u16,
    pub partition: u16,
    /// 16 hexadecimal digits.
    pub point: String,
    pub epoch: u64,
    /// The primary first.
    pub owners: Vec<Owner>,
    /// Who will hold it when the ring has moved, if that is somebody else.
    pub owners_next: Vec<NodeRef>,
    /// From the node that was asked to the one that has the key.
    pub path: Vec<Hop>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub id: NodeId,
    pub name: String,
    pub reach: Reach,
    pub is_self: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hop {
    pub node: NodeRef,
    /// There and back, measured now; None at the start, and where nobody answered.
    pub round_trip_us: Option<u64>,
    /// Why there was no answer.
    pub failure: Option<String>,
}
