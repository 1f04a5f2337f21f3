//! Core: a node as the membership protocol names it: its id and which of its lives this is.

use std::fmt;

use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

/// The id is the address (as the protocol calls it: what there can be one of), the generation tells lives apart.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub id: NodeId,
    /// Wall time of the start in milliseconds; one more for each time it was declared down though it lives.
    pub generation: u64,
}

impl foca::Identity for Life {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self { id: self.id, generation: self.generation + 1 })
    }

    fn addr(&self) -> NodeId {
        self.id
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.generation > adversary.generation
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} life {}", self.id.short(), self.generation)
    }
}
