//! Core: the consensus library's types, filled in.

use std::fmt;

use ringway_catalog::{Outcome, Refusal, Stamped};
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    /// Nodes are numbered by the first half of their id; the whole id is in [`Seat`].
    pub Types:
        D = Proposal,
        R = Reply,
        Node = Seat,
);

pub type LogId = openraft::alias::LogIdOf<Types>;
pub type Vote = openraft::alias::VoteOf<Types>;
pub type Entry = openraft::alias::EntryOf<Types>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub type Snapshot = openraft::alias::SnapshotOf<Types, bytes::Bytes>;

/// A command on its way into the log. The number makes a repetition recognisable: when a leader changes in the middle, the
/// proposer cannot know whether its command got in, and proposes it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    pub number: u64,
    pub stamped: Stamped,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proposal {:016x}", self.number)
    }
}

/// What came of a log entry. Entries of the library's own are answered with `Ok(Done)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply(pub Result<Outcome, Refusal>);

impl Reply {
    pub fn done() -> Self {
        Self(Ok(Outcome::Done))
    }
}

/// A place in the group. Without an address: those are in the catalog, and the library refuses to change what is in here.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seat {
    pub id: NodeId,
}
