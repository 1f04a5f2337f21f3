//! Core: what a change of the ring would move, before anybody makes it; and the ring's settings.

use serde::{Deserialize, Serialize};

use super::ring::KeysHeld;
use super::status::NodeRef;

/// `GET /v1/ring/plan?join=N&leave=NODE&kill=NODE`: at least one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingPlan {
    /// `2 nodes join`
    pub change: String,
    pub epoch: u64,
    /// Copies of each partition, now and then.
    pub replicas_now: usize,
    pub replicas_then: usize,
    /// Those that are in it now or then, by name.
    pub nodes: Vec<PlanNode>,
    /// Who fetches from whom.
    pub moves: Vec<PlanMove>,
    pub moved: Moved,
    /// The least that any placement would have to move: what comes on top of the shares of those who stay.
    pub ideal: Moved,
    pub moved_over_ideal: Option<f64>,
    /// What `node[H % N]` would move.
    pub modulo: Moved,
    pub modulo_over_ideal: Option<f64>,
    /// Bytes that each node may fetch in a second.
    pub transfer_rate: u64,
    /// None: nothing moves.
    pub minutes: Option<f64>,
    /// Only if somebody is killed.
    pub kill: Option<KillPlan>,
    /// Names of the nodes whose load is not in these figures.
    pub unmeasured: Vec<String>,
}

/// Copies of partitions, and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub partitions: u64,
    pub keys: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNode {
    pub name: String,
    /// `stays`, `joins`, `leaves` or `dies`.
    pub role: String,
    pub now: PlanLoad,
    pub then: PlanLoad,
    pub fetches: Moved,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLoad {
    /// Partitions it is primary of.
    pub primary: u64,
    /// Partitions it has a copy of.
    pub held: u64,
    pub load: KeysHeld,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanMove {
    pub from: String,
    pub to: String,
    pub moved: Moved,
}

/// What a kill means until everything has as many copies again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KillPlan {
    pub node: NodeRef,
    /// Who answers at once for what it was primary of.
    pub taken_over: Vec<TakenOver>,
    /// Partitions with this many copies left meanwhile.
    pub copies_left: Vec<CopiesLeft>,
    /// How long nothing moves: it may come back.
    pub replace_after_ms: u64,
    /// From the kill until all copies are there again; None: there are too few nodes for as many.
    pub whole_after_minutes: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    pub by: String,
    pub partitions: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesLeft {
    pub copies: u64,
    pub partitions: u64,
}

/// `GET /v1/ring/settings`, and `PUT` with those that are to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingSettings {
    /// How long a node may be down before its partitions get copies elsewhere.
    #[serde(default)]
    pub replace_after_ms: Option<u64>,
    /// Bytes that each node may fetch in a second.
    #[serde(default)]
    pub transfer_rate: Option<u64>,
}
