//! Core: a virtual node, one of the places on the circle at which a node stands.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{NodeId, Point};

/// Ordered by place. Two virtual nodes of a ring never have the same point: a joiner that finds its point taken draws another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VirtualNode {
    pub point: Point,
    /// The machine that it lives on.
    pub node: NodeId,
}

impl fmt::Debug for VirtualNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:016x}", self.node.short(), self.point.0)
    }
}
