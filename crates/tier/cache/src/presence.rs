//! Core: whose purges this node may have missed: those of nodes that it can reach again.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ports::Reach;
use ringway_ring::NodeId;

#[derive(Debug, Default)]
pub(crate) struct Presence {
    up: BTreeSet<NodeId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// To be asked what they have purged.
    pub(crate) back: Vec<NodeId>,
    /// It was this node that was away, not they: nothing stored is used until they have answered.
    pub(crate) was_away: bool,
}

impl Presence {
    /// `reach` is of all others.
    pub(crate) fn see(&mut self, reach: &BTreeMap<NodeId, Reach>) -> Change {
        let up: BTreeSet<NodeId> =
            reach.iter().filter(|(_, reach)| **reach != Reach::Down).map(|(node, _)| *node).collect();
        let back: Vec<NodeId> = up.difference(&self.up).copied().collect();
        let was_away = !back.is_empty() && self.up.len() * 2 < reach.len();
        self.up = up;
        Change { back, was_away }
    }
}

#[cfg(test)]
mod tests;
