//! Core: a ring of up to millions of nodes at rest, with every node's tables, in compact arrays.
//!
//! A node is its rank on the circle. Points are kept once, in order, with the first and last repeated beyond the ends: so a
//! successor list is a slice of them and costs nothing. Fingers are ranks, four bytes each, a row per node: 300 MB for a million
//! nodes with base 16. What a node answers is computed by the very routers of the live node, over views that borrow from here.
//!
//! Some nodes may be dead. Then fingers, lists and tables are still those from before; only that its predecessor is gone, and who
//! is the next one living behind it, has been noticed by every node itself. That is the state which the paper's experiment on
//! simultaneous failures starts from.

use rand::RngExt;
use ringway_ring::finger_table::{FingerShape, FingerTable};
use ringway_ring::{KeyDirectory, KeyIndex, Neighbours, Next, NodeTable, Peer, Peers, Point, Router, Verdict, Via};

use crate::huge_pages::ask_for_huge_pages;
use crate::random::{Generator, point};

/// The most nodes of a ring: 5 GB of tables.
pub const NODES_MAX: usize = 1 << 24;
/// How many rows of fingers are filled at a time; they stay in the second-level cache meanwhile.
const ROWS_AT_A_TIME: usize = 1024;

/// A node of a [`ConvergedRing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub point: Point,
    pub rank: u32,
}

pub struct ConvergedRing {
    nodes: usize,
    /// [`ConvergedRing::list`] points from the end, all points in order, as many from the beginning.
    points: Vec<Point>,
    list: usize,
    shape: FingerShape,
    /// `shape.slots()` ranks for each node; empty until [`ConvergedRing::fill_fingers`].
    fingers: Vec<u32>,
    /// One bit a node.
    dead: Vec<u64>,
    dead_count: usize,
}

impl ConvergedRing {
    /// That many nodes (two at least) at random points, whose lists have `list` entries on either side, or fewer in a small ring.
    pub fn new(nodes: usize, list: usize, random: &mut Generator) -> Self {
        Self::at(draw_points(nodes, random), list)
    }

    /// The same with nodes at these points: two at least, in order, all different.
    pub fn at(points: Vec<Point>, list: usize) -> Self {
        let mut ring = points;
        let nodes = ring.len();
        let list = list.clamp(1, nodes - 1);
        let before = ring[nodes - list..].to_vec();
        let after = ring[..list].to_vec();
        ring.splice(0..0, before);
        ring.extend(after);
        let shape = FingerShape::for_nodes(ringway_ring::Base::TWO, nodes);
        Self { nodes, points: ring, list, shape, fingers: Vec::new(), dead: Vec::new(), dead_count: 0 }
    }

    /// Gives every node its fingers. For each slot the targets of all nodes go once round the circle in order, and so do the
    /// fingers: no search, one step each.
    pub fn fill_fingers(&mut self, shape: FingerShape, mut progress: impl FnMut(usize)) {
        let slots = shape.slots();
        self.shape = shape;
        self.fingers = Vec::with_capacity(self.nodes * slots);
        ask_for_huge_pages(&mut self.fingers);
        self.fingers.resize(self.nodes * slots, 0);
        let points = &self.points[self.list..self.list + self.nodes];
        let mut hands: Vec<usize> = (0..slots)
            .map(|slot| points.partition_point(|point| points[0].distance_to(*point) < shape.distance(slot)))
            .collect();
        for (chunk, rows) in self.fingers.chunks_mut(ROWS_AT_A_TIME * slots).enumerate() {
            let first = chunk * ROWS_AT_A_TIME;
            for (slot, hand) in hands.iter_mut().enumerate() {
                let distance = shape.distance(slot);
                for (offset, row) in rows.chunks_exact_mut(slots).enumerate() {
                    row[slot] = next_finger(points, first + offset, distance, hand);
                }
            }
            progress(first);
        }
    }

    /// Each node dies with this probability; one at least stays.
    pub fn kill(&mut self, share: f64, random: &mut Generator) {
        self.dead = vec![0; self.nodes.div_ceil(64)];
        self.dead_count = 0;
        for rank in 0..self.nodes {
            if random.random::<f64>() < share && self.dead_count + 1 < self.nodes {
                self.dead[rank / 64] |= 1 << (rank % 64);
                self.dead_count += 1;
            }
        }
    }

    pub fn nodes(&self) -> usize {
        self.nodes
    }

    pub fn list(&self) -> usize {
        self.list
    }

    pub fn is_dead(&self, rank: u32) -> bool {
        let rank = rank as usize;
        self.dead.get(rank / 64).is_some_and(|bits| bits >> (rank % 64) & 1 == 1)
    }

    pub fn spot(&self, rank: u32) -> Spot {
        Spot { point: self.points[self.list + rank as usize], rank }
    }

    pub fn some_live(&self, random: &mut Generator) -> Spot {
        loop {
            let rank = random.random_range(0..self.nodes as u32);
            if !self.is_dead(rank) {
                return self.spot(rank);
            }
        }
    }

    /// Who owned the key before anybody died.
    pub fn first_owner(&self, key: Point) -> Spot {
        let points = &self.points[self.list..self.list + self.nodes];
        self.spot((points.partition_point(|point| *point < key) % self.nodes) as u32)
    }

    /// Who owns the key among the living.
    pub fn owner(&self, key: Point) -> Spot {
        let mut rank = self.first_owner(key).rank;
        while self.is_dead(rank) {
            rank = (rank + 1) % self.nodes as u32;
        }
        self.spot(rank)
    }

    /// The next one living behind, which a node has noticed.
    fn predecessor(&self, rank: u32) -> Spot {
        let mut at = rank as usize;
        loop {
            at = if at == 0 { self.nodes - 1 } else { at - 1 };
            if !self.is_dead(at as u32) {
                return self.spot(at as u32);
            }
        }
    }

    /// What a node answers by its fingers.
    pub fn fingers(&self, me: Spot) -> FingerTable<Spot, Fingers<'_>, Ahead<'_>> {
        let slots = self.shape.slots();
        let row = &self.fingers[me.rank as usize * slots..][..slots];
        let fingers = Fingers { ranks: row, points: &self.points[self.list..] };
        FingerTable::new(me, Some(self.predecessor(me.rank)), self.shape, fingers, self.ahead(me))
    }

    /// What it answers by its neighbours.
    pub fn neighbours(&self, me: Spot) -> Neighbours<Spot, Ahead<'_>, Behind<'_>> {
        let at = self.list + me.rank as usize;
        let mut behind =
            Behind { points: &self.points[at - self.list..at], next: me.rank, nodes: self.nodes, first: None };
        if self.dead_count > 0 {
            behind.first = Some(self.predecessor(me.rank));
        }
        Neighbours::new(me, self.ahead(me), behind)
    }

    /// What it answers by the table of all nodes.
    pub fn table(&self, me: Spot) -> NodeTable<Spot, Sorted<'_>> {
        let points = &self.points[self.list..self.list + self.nodes];
        NodeTable::over(me, Sorted { points }).with_predecessor(self.predecessor(me.rank))
    }

    fn ahead(&self, me: Spot) -> Ahead<'_> {
        let at = self.list + me.rank as usize;
        Ahead { points: &self.points[at + 1..=at + self.list], last: me.rank, nodes: self.nodes }
    }

    /// Whom `fingers(me)` will look at first for the key.
    fn first_guess(&self, me: Spot, key: Point) -> u32 {
        let slot = self.shape.slot_within(me.point.distance_to(key).wrapping_sub(1));
        slot.map_or(me.rank, |slot| self.fingers[me.rank as usize * self.shape.slots() + slot])
    }

    /// Reads what stands around a node.
    fn touch(&self, rank: u32) -> u64 {
        let at = self.list + rank as usize;
        self.points[at].0 ^ self.points[at + self.list].0
    }

    /// The mean number of different nodes that a node knows by its fingers, from this many of them.
    pub fn finger_entries(&self, sample: usize) -> f64 {
        let sample = sample.clamp(1, self.nodes);
        let ranks = (0..sample).map(|number| (number * self.nodes / sample) as u32);
        ranks.map(|rank| self.fingers(self.spot(rank)).entries()).sum::<usize>() as f64 / sample as f64
    }
}

/// Sorted, each different.
fn draw_points(nodes: usize, random: &mut Generator) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(nodes + 2);
    while points.len() < nodes {
        let missing = nodes - points.len();
        points.extend((0..missing).map(|_| point(random)));
        points.sort_unstable();
        points.dedup();
    }
    points
}

/// The finger of the node at `rank` for a target that far away. `hand` stands at the finger of the node before, counting on
/// beyond the end of the circle, and moves on until it is far enough or has gone once round.
fn next_finger(points: &[Point], rank: usize, distance: u64, hand: &mut usize) -> u32 {
    let nodes = points.len();
    let wrapped = |hand: usize| if hand >= nodes { hand - nodes } else { hand };
    *hand = (*hand).max(rank + 1);
    while *hand < rank + nodes && points[rank].distance_to(points[wrapped(*hand)]) < distance {
        *hand += 1;
    }
    wrapped(*hand) as u32
}

/// All nodes in order.
pub struct Sorted<'a> {
    points: &'a [Point],
}

/// A successor list.
pub struct Ahead<'a> {
    points: &'a [Point],
    last: u32,
    nodes: usize,
}

/// A list of predecessors. The first may be another than was there when the ring was whole.
pub struct Behind<'a> {
    /// The nearest last.
    points: &'a [Point],
    next: u32,
    nodes: usize,
    first: Option<Spot>,
}

/// A row of fingers.
pub struct Fingers<'a> {
    ranks: &'a [u32],
    points: &'a [Point],
}

impl Peer for Spot {
    fn point(&self) -> Point {
        self.point
    }

    fn is_same_node(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Peers<Spot> for Sorted<'_> {
    fn count(&self) -> usize {
        self.points.len()
    }

    fn peer(&self, at: usize) -> Spot {
        Spot { point: self.points[at], rank: at as u32 }
    }
}

impl Peers<Spot> for Ahead<'_> {
    fn count(&self) -> usize {
        self.points.len()
    }

    fn peer(&self, at: usize) -> Spot {
        let rank = self.last as usize + 1 + at;
        let rank = if rank >= self.nodes { rank - self.nodes } else { rank };
        Spot { point: self.points[at], rank: rank as u32 }
    }
}

impl Peers<Spot> for Behind<'_> {
    fn count(&self) -> usize {
        self.points.len()
    }

    fn peer(&self, at: usize) -> Spot {
        if let (0, Some(first)) = (at, self.first) {
            return first;
        }
        let rank = self.next as usize + self.nodes - 1 - at;
        let rank = if rank >= self.nodes { rank - self.nodes } else { rank };
        Spot { point: self.points[self.points.len() - 1 - at], rank: rank as u32 }
    }
}

impl Peers<Spot> for Fingers<'_> {
    fn count(&self) -> usize {
        self.ranks.len()
    }

    fn peer(&self, at: usize) -> Spot {
        let rank = self.ranks[at];
        Spot { point: self.points[rank as usize], rank }
    }
}

/// One way of looking up in a ring.
pub(crate) trait Town {
    fn via(&self) -> Via;
    /// What the node at `me` answers.
    fn look(&self, me: Spot, key: Point, next: &mut Next<Spot>) -> Verdict;
    /// Whom it will probably name: only to fetch memory early.
    fn first_guess(&self, _me: Spot, _key: Point) -> u32 {
        0
    }
    /// Reads what that one needs to answer.
    fn touch(&self, _rank: u32) -> u64 {
        0
    }
    /// What a node has to keep.
    fn entries(&self) -> f64;
}

pub(crate) struct ByFingers<'a>(pub &'a ConvergedRing);
pub(crate) struct ByNeighbours<'a>(pub &'a ConvergedRing);
pub(crate) struct ByTable<'a>(pub &'a ConvergedRing);
pub(crate) struct ByIndex<'a> {
    pub ring: &'a ConvergedRing,
    pub directory: Spot,
    pub keys: KeyDirectory<Spot>,
}

impl Town for ByFingers<'_> {
    fn via(&self) -> Via {
        Via::Fingers
    }

    fn look(&self, me: Spot, key: Point, next: &mut Next<Spot>) -> Verdict {
        self.0.fingers(me).look(key, next)
    }

    fn first_guess(&self, me: Spot, key: Point) -> u32 {
        self.0.first_guess(me, key)
    }

    fn touch(&self, rank: u32) -> u64 {
        self.0.touch(rank)
    }

    fn entries(&self) -> f64 {
        const SAMPLE: usize = 1000;
        self.0.finger_entries(SAMPLE)
    }
}

impl Town for ByNeighbours<'_> {
    fn via(&self) -> Via {
        Via::Neighbours
    }

    fn look(&self, me: Spot, key: Point, next: &mut Next<Spot>) -> Verdict {
        self.0.neighbours(me).look(key, next)
    }

    fn entries(&self) -> f64 {
        (2 * self.0.list()).min(self.0.nodes() - 1) as f64
    }
}

impl Town for ByTable<'_> {
    fn via(&self) -> Via {
        Via::Table
    }

    fn look(&self, me: Spot, key: Point, next: &mut Next<Spot>) -> Verdict {
        self.0.table(me).look(key, next)
    }

    fn entries(&self) -> f64 {
        self.0.nodes() as f64
    }
}

impl Town for ByIndex<'_> {
    fn via(&self) -> Via {
        Via::Index
    }

    fn look(&self, me: Spot, key: Point, next: &mut Next<Spot>) -> Verdict {
        let keys = (me.rank == self.directory.rank).then_some(&self.keys);
        let owns = |key: Point| key.is_owned_by(self.ring.predecessor(me.rank).point, me.point);
        KeyIndex::new(self.directory, keys, owns).look(key, next)
    }

    /// Of the directory's node; the others keep one.
    fn entries(&self) -> f64 {
        self.keys.len() as f64
    }
}

#[cfg(test)]
mod tests;
