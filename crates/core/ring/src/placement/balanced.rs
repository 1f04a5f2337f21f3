//! Core: the balanced layout as a placement: each join or leave is a new epoch.

use crate::{Layout, Member, NodeId, Placement, PlacementKind, Point};

#[derive(Clone, Debug)]
pub struct Balanced {
    members: Vec<Member>,
    layout: Layout,
    copies: usize,
}

impl Balanced {
    pub fn new(members: Vec<Member>, copies: usize) -> Self {
        let layout = Layout::next(&Layout::default(), &members, copies);
        Self { members, layout, copies }
    }

    /// Goes on from a layout that exists, such as a running cluster's.
    pub fn from_layout(members: Vec<Member>, layout: Layout, copies: usize) -> Self {
        Self { members, layout, copies }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn level(&mut self) {
        self.layout = Layout::next(&self.layout, &self.members, self.copies);
    }
}

impl Placement for Balanced {
    fn kind(&self) -> PlacementKind {
        PlacementKind::Layout
    }

    fn members(&self) -> Vec<NodeId> {
        self.layout.members().to_vec()
    }

    fn join(&mut self, member: Member) {
        if self.members.iter().all(|other| other.id != member.id) {
            self.members.push(member);
            self.level();
        }
    }

    fn leave(&mut self, node: NodeId) {
        let count = self.members.len();
        self.members.retain(|member| member.id != node);
        if self.members.len() < count {
            self.level();
        }
    }

    fn owners(&self, point: Point, owners: &mut Vec<NodeId>) {
        owners.clear();
        owners.extend(self.layout.owners(point.slot().partition()));
    }
}
