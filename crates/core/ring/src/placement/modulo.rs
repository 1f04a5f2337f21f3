//! Core: `node[H % N]`, the baseline: even, simple, and with every change of N nearly every key is somewhere else.

use crate::{Member, NodeId, Placement, PlacementKind, Point};

/// The nodes in the order in which they came; copies go to the next ones in that order.
#[derive(Clone, Debug)]
pub struct Modulo {
    nodes: Vec<NodeId>,
    copies: usize,
}

impl Modulo {
    pub fn new(members: Vec<Member>, copies: usize) -> Self {
        let mut placement = Self { nodes: Vec::new(), copies };
        members.into_iter().for_each(|member| placement.join(member));
        placement
    }
}

impl Placement for Modulo {
    fn kind(&self) -> PlacementKind {
        PlacementKind::Modulo
    }

    fn members(&self) -> Vec<NodeId> {
        self.nodes.clone()
    }

    fn join(&mut self, member: Member) {
        if !self.nodes.contains(&member.id) {
            self.nodes.push(member.id);
        }
    }

    fn leave(&mut self, node: NodeId) {
        self.nodes.retain(|other| *other != node);
    }

    fn owners(&self, point: Point, owners: &mut Vec<NodeId>) {
        owners.clear();
        let count = self.nodes.len();
        if count == 0 {
            return;
        }
        let first = (point.0 % count as u64) as usize;
        owners.extend((first..first + self.copies.min(count)).map(|at| self.nodes[at % count]));
    }
}
