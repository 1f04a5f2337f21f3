//! Core: Chord's rule. Every node stands at one or more places on the circle that are hashes of its identity; a key is held by
//! the nodes of the first places at or past it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::node_table::owner_among;
use crate::{Member, NodeId, Placement, PlacementKind, Point, VirtualNode};

#[derive(Clone, Debug)]
pub struct RandomPlaces {
    kind: PlacementKind,
    places: u32,
    /// Sorted by point.
    ring: Vec<VirtualNode>,
    nodes: usize,
    copies: usize,
}

impl RandomPlaces {
    pub fn new(kind: PlacementKind, places: u32, members: Vec<Member>, copies: usize) -> Self {
        let mut nodes: Vec<NodeId> = members.into_iter().map(|member| member.id).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let mut ring: Vec<VirtualNode> = nodes.iter().flat_map(|node| places_of(*node, places)).collect();
        ring.sort_unstable();
        Self { kind, places, ring, nodes: nodes.len(), copies }
    }

    fn has(&self, node: NodeId) -> bool {
        places_of(node, 1).any(|place| self.ring.binary_search(&place).is_ok())
    }
}

/// Where a node stands.
fn places_of(node: NodeId, places: u32) -> impl Iterator<Item = VirtualNode> {
    (0..places)
        .map(move |number| VirtualNode { point: Point(xxh3_64_with_seed(node.as_bytes(), u64::from(number))), node })
}

impl Placement for RandomPlaces {
    fn kind(&self) -> PlacementKind {
        self.kind
    }

    fn members(&self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.ring.iter().map(|place| place.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn join(&mut self, member: Member) {
        if self.has(member.id) {
            return;
        }
        self.ring.extend(places_of(member.id, self.places));
        self.ring.sort_unstable();
        self.nodes += 1;
    }

    fn leave(&mut self, node: NodeId) {
        if self.has(node) {
            self.ring.retain(|place| place.node != node);
            self.nodes -= 1;
        }
    }

    fn owners(&self, point: Point, owners: &mut Vec<NodeId>) {
        owners.clear();
        let Some(first) = owner_among(&self.ring, point) else { return };
        let wanted = self.copies.min(self.nodes);
        for place in self.ring[first..].iter().chain(&self.ring[..first]) {
            if owners.len() == wanted {
                return;
            }
            if !owners.contains(&place.node) {
                owners.push(place.node);
            }
        }
    }
}
