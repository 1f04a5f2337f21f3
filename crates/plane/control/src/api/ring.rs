//! Core: who holds which part of the ring, what moves, and how a key is found.

use ringway_catalog::RingKind;
use ringway_ports::Walk;
use ringway_ring::{NodeId, Via};
use serde::{Deserialize, Serialize};

use super::status::{NodeRef, Reach, RingSummary, ShareView, Status};

/// A run of partitions with the same owners in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Changes whenever members, arcs or virtual nodes do.
    #[serde(default)]
    pub version: u64,
    #[serde(default)]
    pub kind: RingKind,
    /// By point. In a managed ring each partition is a virtual node of its primary: then the arcs say it all and this is empty.
    #[serde(default)]
    pub virtual_nodes: Vec<RingPlace>,
    #[serde(default)]
    pub transfers: Vec<TransferView>,
}

/// One of the places on the circle at which a node of a peer-to-peer ring stands: it owns the arc that ends there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RingPlace {
    /// 16 hexadecimal digits.
    pub point: String,
    /// Place in [`RingView::members`].
    pub node: u16,
}

/// What a node keeps of all buckets, copies included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysHeld {
    pub keys: u64,
    pub bytes: u64,
}

/// Data on its way from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferView {
    pub from: NodeRef,
    pub to: NodeRef,
    /// Copies of partitions.
    pub partitions_done: u64,
    pub partitions_total: u64,
    pub bytes_done: u64,
    /// A guess; None before there is anything to guess from.
    pub bytes_total: Option<u64>,
    pub bytes_per_second: u64,
    pub eta_ms: Option<u64>,
    /// `moving`, `waiting`, or why it does not go on.
    pub state: String,
}

/// One line of `GET /v1/ring/watch`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingFrame {
    pub status: Status,
    /// None: as it was in the frame before.
    pub ring: Option<RingView>,
    pub transfers: Vec<TransferView>,
}

/// `GET /v1/ring/lookup?key=K&bucket=B&via=ROUTER|all&from=NODE&walk=node|virtual`
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
    /// From the node where the (first) walk began to the one that has the key.
    pub path: Vec<Hop>,
    /// One for each router that was asked for.
    #[serde(default)]
    pub walks: Vec<WalkView>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub id: NodeId,
    pub name: String,
    pub reach: Reach,
    pub is_self: bool,
}

/// One router's way to the owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WalkView {
    pub via: Via,
    pub walk: Walk,
    /// Messages between nodes.
    pub hops: u32,
    /// Those within a node included.
    pub steps: u32,
    pub took_us: u64,
    pub owner: Option<NodeRef>,
    pub path: Vec<Hop>,
    /// Why it did not end.
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hop {
    pub node: NodeRef,
    /// There and back, measured now; None at the start, where no message was needed, and where nobody answered.
    pub round_trip_us: Option<u64>,
    /// Why there was no answer.
    pub failure: Option<String>,
    /// The virtual node, 16 hexadecimal digits.
    #[serde(default)]
    pub at: Option<String>,
    #[serde(default)]
    pub is_local: bool,
    /// How many entries the next step was chosen from.
    #[serde(default)]
    pub entries: u64,
    /// What the node knew, in words.
    #[serde(default)]
    pub knew: String,
}

/// `GET /v1/ring/sample?count=N&via=ROUTER&from=NODE&walk=node|virtual&seed=S`: lookups of keys that are drawn by lot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookupSample {
    pub via: Via,
    pub walk: Walk,
    pub nodes: usize,
    /// Of each lookup that found the owner. May be fewer than were asked for: it ends after some seconds.
    pub hops: Vec<u32>,
    pub times_us: Vec<u32>,
    pub failed: u32,
    /// Why the first of those failed.
    pub failure: Option<String>,
    /// Entries that the node where they began chooses from.
    pub state_entries: u64,
}
