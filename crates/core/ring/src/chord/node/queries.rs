//! Core: what a node of a ring knows, for the data tier, for lookups and for drawings.

use crate::chord::KeyArc;
use crate::chord::node::{ChordNode, Stage};
use crate::finger_table::FingerTable;
use crate::neighbours::Neighbours;
use crate::router::{Router, Step, Via};
use crate::{Point, VirtualNode};

impl ChordNode {
    pub fn own(&self) -> VirtualNode {
        self.own
    }

    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether it is in a ring: from when it knows its place until it has left. It may own nothing yet.
    pub fn is_in_ring(&self) -> bool {
        self.is_member()
    }

    pub fn predecessor(&self) -> Option<VirtualNode> {
        self.predecessor
    }

    /// The predecessor and whom it told of, nearest first.
    pub fn predecessors(&self) -> Vec<VirtualNode> {
        self.predecessor.into_iter().chain(self.behind.iter().copied()).collect()
    }

    /// Nearest first. Never itself, none twice; in a ring of more than L members there are L.
    pub fn successors(&self) -> &[VirtualNode] {
        &self.successors
    }

    /// One for each slot of its shape; itself where none is known.
    pub fn fingers(&self) -> &[VirtualNode] {
        &self.fingers
    }

    /// What this node answers for. None: nothing (not in a ring, its first arc has not been handed over yet, it is leaving, or
    /// its clock has leapt and it is asking whether it was missed).
    pub fn arc(&self) -> Option<KeyArc> {
        let is_silent = self.is_doubtful || self.has_departed() || !self.is_member();
        self.whole_arc().filter(|_| !is_silent)
    }

    /// Whether `key` is in the arc that this node answers for. At most one node of a ring says so at a time.
    pub fn owns(&self, key: Point) -> bool {
        self.arc().is_some_and(|arc| arc.contains(key))
    }

    /// One step of a lookup that has come to this node, by its fingers and its list.
    pub fn step(&self, key: Point) -> Step<VirtualNode> {
        self.step_via(Via::Fingers, key)
    }

    /// The same by the neighbours alone (`Via::Neighbours`), or by the fingers.
    pub fn step_via(&self, via: Via, key: Point) -> Step<VirtualNode> {
        if !self.is_member() {
            return if matches!(self.stage, Stage::Joining(_)) { Step::Busy } else { Step::Unknown };
        }
        if self.owns(key) {
            return Step::Mine;
        }
        if self.is_in_transition(key) {
            return Step::Busy;
        }
        let predecessors = self.predecessors();
        if via == Via::Neighbours {
            return Neighbours::new(self.own, &self.successors[..], &predecessors[..]).step(key);
        }
        let (fingers, list) = (&self.fingers[..], &self.successors[..]);
        FingerTable::new(self.own, self.predecessor, self.shape, fingers, list).step(key)
    }

    /// Whether it ought to be ours by our neighbours, and is not, or not yet.
    fn is_in_transition(&self, key: Point) -> bool {
        match self.predecessor {
            Some(predecessor) => key.is_owned_by(predecessor.point, self.own.point),
            None => self.successors.is_empty() || self.after.is_none_or(|after| key.is_owned_by(after, self.own.point)),
        }
    }
}
