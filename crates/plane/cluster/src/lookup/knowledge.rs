//! Core: what one node of a managed ring knows, router by router.
//!
//! A managed ring has a virtual node for each partition. It stands at the end of the partition's arc, as Chord's do, and lives on
//! the first of the partition's owners that is reachable. From that one table, which every node has, each router's view is cut
//! down to what it may know: 16 neighbours on either side, or fingers to base 16 and 16 successors, of each *own* virtual node.
//! The views are made when they are first asked for and serve until the layout or who is reachable changes.
//!
//! **Invariant**: *mine* is only said if the catalog says so, whatever a view says.

use std::sync::OnceLock;

use ringway_ports::Walk;
use ringway_ring::finger_union::Place;
use ringway_ring::neighbours::NEIGHBOURS_DEFAULT;
use ringway_ring::{
    Base, FingerShape, FingerTable, FingerUnion, Holders, Neighbours, NodeId, NodeTable, Partition, Point, Router,
    Step, Via, VirtualNode,
};

use super::message::Saw;
use crate::chord::places::partition_at;

const LIST: usize = NEIGHBOURS_DEFAULT;

pub(super) struct Knowledge {
    own: NodeId,
    /// Of all partitions, by point. A partition that nobody holds has none.
    ring: Vec<VirtualNode>,
    /// Places in `ring`.
    own_places: Vec<usize>,
    /// The first owner of each partition that is reachable, else the primary.
    holders: Vec<Option<NodeId>>,
    neighbours: OnceLock<FingerUnion<VirtualNode>>,
    fingers: OnceLock<FingerUnion<VirtualNode>>,
}

/// What a node can be asked about a key.
pub(super) trait Knows: Send + Sync {
    /// Whether this node answers for a key, as far as it knows.
    fn owns(&self, key: Point) -> bool;

    /// Who does, as far as this node knows.
    fn holder(&self, partition: Partition) -> Option<NodeId>;

    /// Where a walk to `key` begins: one of the own virtual nodes, by lot but always the same. None: there is none.
    fn start(&self, key: Point) -> Option<VirtualNode>;

    /// Makes the view of a router, if it is not there yet: then true.
    fn prepare(&self, via: Via) -> bool;

    /// What the virtual node at `at`, or this node with all it has, knows of a key.
    fn step(&self, via: Via, walk: Walk, at: Point, key: Point) -> Saw;
}

/// Spreads keys over so many places.
pub(super) fn lot(key: Point, places: usize) -> Option<usize> {
    let drawn = key.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    drawn.checked_rem(places as u64).map(|place| place as usize)
}

impl Knowledge {
    pub(super) fn new(own: NodeId, holders: &Holders, is_up: impl Fn(NodeId) -> bool) -> Self {
        let acting = |partition| {
            let readers = holders.readers(partition);
            readers.iter().find(|node| is_up(**node)).or(readers.first()).copied()
        };
        let acting: Vec<Option<NodeId>> = Partition::all().map(acting).collect();
        let ring: Vec<VirtualNode> = Partition::all()
            .zip(&acting)
            .filter_map(|(partition, node)| Some(VirtualNode { point: partition.end(), node: (*node)? }))
            .collect();
        let own_places = (0..ring.len()).filter(|at| ring[*at].node == own).collect();
        Self { own, ring, own_places, holders: acting, neighbours: OnceLock::new(), fingers: OnceLock::new() }
    }
}

impl Knows for Knowledge {
    fn owns(&self, key: Point) -> bool {
        self.holder(partition_at(key)) == Some(self.own)
    }

    fn holder(&self, partition: Partition) -> Option<NodeId> {
        self.holders.get(partition.index()).copied().flatten()
    }

    fn start(&self, key: Point) -> Option<VirtualNode> {
        Some(self.ring[self.own_places[lot(key, self.own_places.len())?]])
    }

    fn prepare(&self, via: Via) -> bool {
        let view = match via {
            Via::Neighbours => &self.neighbours,
            Via::Fingers => &self.fingers,
            Via::Table | Via::Index => return false,
        };
        let is_first = view.get().is_none();
        if is_first {
            self.of_node(via);
        }
        is_first
    }

    fn step(&self, via: Via, walk: Walk, at: Point, key: Point) -> Saw {
        let place = VirtualNode { point: at, node: self.own };
        if walk == Walk::Node && self.owns(key) {
            return Saw { at: place, step: Step::Mine, entries: self.entries(via), knew: "it is mine".to_owned() };
        }
        match walk {
            Walk::Node if via == Via::Table => self.say(place, &NodeTable::over(place, &self.ring[..]), key),
            Walk::Node => self.say(place, self.of_node(via), key),
            Walk::Virtual => match self.ring.binary_search_by_key(&at, |place| place.point) {
                Ok(index) if self.ring[index].node == self.own => self.of_place(via, index, key),
                _ => Saw::nothing(at, self.own, "this virtual node is not here any more"),
            },
        }
    }
}

impl Knowledge {
    /// The views of neighbours and fingers are both unions over the own virtual nodes.
    fn of_node(&self, via: Via) -> &FingerUnion<VirtualNode> {
        match via {
            Via::Neighbours => self.neighbours.get_or_init(|| self.make_neighbours()),
            _ => self.fingers.get_or_init(|| self.make_fingers()),
        }
    }

    fn of_place(&self, via: Via, index: usize, key: Point) -> Saw {
        let me = self.ring[index];
        match via {
            Via::Neighbours => {
                let (successors, predecessors) = self.around(index);
                self.say(me, &Neighbours::new(me, successors, predecessors), key)
            }
            Via::Fingers => self.say(me, &FingerTable::converged(&self.ring, index, self.shape(), LIST), key),
            Via::Table | Via::Index => self.say(me, &NodeTable::over(me, &self.ring[..]), key),
        }
    }

    fn say(&self, at: VirtualNode, router: &impl Router<VirtualNode>, key: Point) -> Saw {
        saw(at, router, key, self.owns(key))
    }

    fn entries(&self, via: Via) -> u64 {
        match via {
            Via::Index => 1,
            Via::Table => self.ring.len() as u64,
            Via::Neighbours | Via::Fingers => self.of_node(via).entries() as u64,
        }
    }

    /// Nearest first: successors, predecessors.
    fn around(&self, index: usize) -> (Vec<VirtualNode>, Vec<VirtualNode>) {
        let count = self.ring.len();
        let list = LIST.min(count - 1);
        let after = (1..=list).map(|steps| self.ring[(index + steps) % count]);
        let before = (1..=list).map(|steps| self.ring[(index + count - steps) % count]);
        (after.collect(), before.collect())
    }

    fn make_neighbours(&self) -> FingerUnion<VirtualNode> {
        let (mut places, mut behind) = (Vec::new(), Vec::new());
        for index in &self.own_places {
            let (successors, predecessors) = self.around(*index);
            let place = Place { me: self.ring[*index], predecessor: predecessors.first().copied(), successors };
            places.push(place);
            behind.extend(predecessors);
        }
        FingerUnion::new(places, behind)
    }

    fn make_fingers(&self) -> FingerUnion<VirtualNode> {
        let table = |index: &usize| FingerTable::converged(&self.ring, *index, self.shape(), LIST);
        let tables: Vec<FingerTable<VirtualNode>> = self.own_places.iter().map(table).collect();
        let fingers: Vec<VirtualNode> = tables.iter().flat_map(|table| table.fingers().to_vec()).collect();
        FingerUnion::new(tables.into_iter().map(FingerTable::into_place).collect(), fingers)
    }

    fn shape(&self) -> FingerShape {
        FingerShape::for_nodes(Base::SIXTEEN, self.ring.len())
    }
}

/// What a router says, but *mine* only if it is.
pub(super) fn saw(at: VirtualNode, router: &impl Router<VirtualNode>, key: Point, is_mine: bool) -> Saw {
    let step = match router.step(key) {
        Step::Mine if !is_mine => Step::Unknown,
        step => step,
    };
    let entries = router.entries() as u64;
    Saw { at, knew: told(router.via(), entries, &step), step, entries }
}

/// In words.
fn told(via: Via, entries: u64, step: &Step<VirtualNode>) -> String {
    match step {
        Step::Mine => "it is mine".to_owned(),
        Step::Unknown => format!("{via}: nobody of {entries} leads there"),
        Step::Busy => "its own state is being repaired".to_owned(),
        Step::Ask(_) => format!("best of {entries} virtual nodes"),
    }
}

#[cfg(test)]
mod tests;
