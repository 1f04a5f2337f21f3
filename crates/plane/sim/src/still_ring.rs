//! Core: a ring at rest: every table is what maintenance would have made of it, and nothing moves. Some nodes may be dead without
//! anybody having noticed.
//!
//! For experiments on paths rather than on time. Tables are not kept: the table of a node is a function of the ring, and is made when
//! the node is asked, so that a ring of a million nodes is a list of a million points.

use ringway_ring::finger_table::{FingerShape, FingerTable};
use ringway_ring::{Action, Found, Limits, Lookup, Peer, Point, Router};

use crate::random::{Generator, point};
use rand::RngExt;

/// A node, by its rank on the circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    point: Point,
    pub(crate) rank: u32,
}

#[derive(Debug)]
pub(crate) struct StillRing {
    spots: Vec<Spot>,
    dead: Vec<bool>,
    shape: FingerShape,
    list: usize,
}

impl Peer for Spot {
    fn point(&self) -> Point {
        self.point
    }

    fn is_same_node(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl StillRing {
    /// That many nodes at random points, with tables of this shape and successor lists of this length.
    pub(crate) fn new(nodes: usize, shape: FingerShape, list: usize, random: &mut Generator) -> Self {
        let mut points: Vec<Point> = (0..nodes).map(|_| point(random)).collect();
        points.sort_unstable();
        let spots = points.into_iter().enumerate().map(|(rank, point)| Spot { point, rank: rank as u32 }).collect();
        Self { spots, dead: vec![false; nodes], shape, list }
    }

    /// Each node dies with this probability; one at least stays.
    pub(crate) fn kill(&mut self, share: f64, random: &mut Generator) {
        self.dead.iter_mut().for_each(|dead| *dead = random.random::<f64>() < share);
        if self.dead.iter().all(|dead| *dead) {
            self.dead[0] = false;
        }
    }

    pub(crate) fn is_dead(&self, spot: Spot) -> bool {
        self.dead[spot.rank as usize]
    }

    pub(crate) fn some_live(&self, random: &mut Generator) -> Spot {
        loop {
            let spot = self.spots[random.random_range(0..self.spots.len())];
            if !self.is_dead(spot) {
                return spot;
            }
        }
    }

    /// Who owns the key in the ring as it was before anybody died.
    pub(crate) fn first_owner(&self, key: Point) -> Spot {
        let rank = self.spots.partition_point(|spot| spot.point < key);
        self.spots[rank % self.spots.len()]
    }

    /// Who owns the key among the living.
    pub(crate) fn owner(&self, key: Point) -> Spot {
        let first = self.first_owner(key).rank as usize;
        let order = self.spots[first..].iter().chain(&self.spots[..first]);
        *order.into_iter().find(|spot| !self.is_dead(**spot)).expect("one node at least lives")
    }

    /// A lookup by the core that live nodes use. None: it gave up.
    pub(crate) fn look_up(&self, asker: Spot, key: Point) -> Option<Found<Spot>> {
        let (mut lookup, mut action) = Lookup::start(asker, key, Limits::default());
        loop {
            action = match action {
                Action::Ask(spot) if self.is_dead(spot) => lookup.timed_out(spot),
                Action::Ask(spot) => lookup.answered(spot, &self.table(spot).step(key)),
                Action::Found(found) => return Some(found),
                // Nothing moves, so there is nothing to wait for.
                Action::Wait(_) | Action::Failed(_) => return None,
            };
        }
    }

    /// Fingers and list as they were before anybody died; only a dead predecessor has been noticed, so that its arc is served.
    fn table(&self, spot: Spot) -> FingerTable<Spot> {
        let table = FingerTable::converged(&self.spots, spot.rank as usize, self.shape, self.list);
        let predecessor = self.live_before(spot);
        let fingers = table.fingers().to_vec();
        FingerTable::new(spot, predecessor, self.shape, fingers, table.into_place().successors)
    }

    fn live_before(&self, spot: Spot) -> Option<Spot> {
        let rank = spot.rank as usize;
        let back = self.spots[..rank].iter().rev().chain(self.spots[rank + 1..].iter().rev());
        back.copied().find(|spot| !self.is_dead(*spot))
    }
}

#[cfg(test)]
mod tests {
    use ringway_ring::finger_table::Base;

    use super::*;
    use crate::random::generator;

    #[test]
    fn every_lookup_ends_at_the_first_living_node_past_the_key() {
        let mut random = generator(1, 1);
        let mut ring = StillRing::new(200, FingerShape::for_nodes(Base::TWO, 200), 10, &mut random);
        ring.kill(0.3, &mut random);
        for _ in 0..500 {
            let key = point(&mut random);
            let asker = ring.some_live(&mut random);
            assert_eq!(ring.look_up(asker, key).map(|found| found.owner), Some(ring.owner(key)));
        }
    }
}
