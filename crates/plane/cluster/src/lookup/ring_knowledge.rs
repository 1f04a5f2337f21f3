//! Core: what one node of a peer-to-peer ring knows: the live state of its own virtual nodes and nothing else.
//!
//! Neighbours are a virtual node's predecessor and its successor list, fingers what it has found besides. There is no table of all
//! nodes here, and none is faked.

use std::sync::Arc;

use ringway_ports::{VirtualNodeView, Walk};
use ringway_ring::finger_union::Place;
use ringway_ring::neighbours::within_one_turn;
use ringway_ring::{FingerUnion, Holders, NodeId, Partition, Point, Step, Via, VirtualNode};

use super::knowledge::{Knows, lot, saw};
use super::message::Saw;

pub(super) struct RingKnowledge {
    own: NodeId,
    places: Vec<VirtualNodeView>,
    /// As far as this node has looked them up.
    holders: Arc<Holders>,
}

impl RingKnowledge {
    pub(super) fn new(own: NodeId, places: Vec<VirtualNodeView>, holders: Arc<Holders>) -> Self {
        Self { own, places, holders }
    }

    fn union<'a>(
        &self,
        via: Via,
        places: impl Iterator<Item = &'a VirtualNodeView> + Clone,
    ) -> FingerUnion<VirtualNode> {
        let fingers = places.clone().flat_map(|place| if via == Via::Fingers { &place.fingers[..] } else { &[] });
        let fingers: Vec<VirtualNode> = fingers.copied().collect();
        FingerUnion::new(places.map(|place| self.place(place)).collect(), fingers)
    }

    fn place(&self, view: &VirtualNodeView) -> Place<VirtualNode> {
        Place {
            me: VirtualNode { point: view.point, node: self.own },
            predecessor: view.predecessor,
            successors: within_one_turn(view.point, &view.successors).to_vec(),
        }
    }
}

impl Knows for RingKnowledge {
    fn owns(&self, key: Point) -> bool {
        self.places.iter().any(|place| place.arc.is_some_and(|arc| arc.contains(key)))
    }

    fn holder(&self, partition: Partition) -> Option<NodeId> {
        self.holders.readers(partition).first().copied()
    }

    fn start(&self, key: Point) -> Option<VirtualNode> {
        let place = &self.places[lot(key, self.places.len())?];
        Some(VirtualNode { point: place.point, node: self.own })
    }

    fn prepare(&self, _: Via) -> bool {
        false
    }

    fn step(&self, via: Via, walk: Walk, at: Point, key: Point) -> Saw {
        let me = VirtualNode { point: at, node: self.own };
        if matches!(via, Via::Table | Via::Index) {
            return Saw::nothing(at, self.own, "no node of a peer-to-peer ring has a table of all");
        }
        if walk == Walk::Node {
            if self.owns(key) {
                return Saw { at: me, step: Step::Mine, entries: 0, knew: "it is mine".to_owned() };
            }
            return saw(me, &self.union(via, self.places.iter()), key, false);
        }
        let Some(place) = self.places.iter().find(|place| place.point == at) else {
            return Saw::nothing(at, self.own, "this virtual node is not here any more");
        };
        let is_mine = place.arc.is_some_and(|arc| arc.contains(key));
        saw(me, &self.union(via, std::iter::once(place)), key, is_mine)
    }
}
