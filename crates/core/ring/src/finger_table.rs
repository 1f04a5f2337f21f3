//! Core: router 3, fingers. From each place: friends at ever greater distances, so that every hop fixes one more digit of the
//! distance to the key, and a successor list for the last step and for when friends are dead.
//!
//! Base 2 is the table of the Chord paper: a finger at every power of two, half log2 N hops. With base b there are b - 1 fingers
//! for each digit, at 1, 2, .. b - 1 times the power, and about log_b N hops: five for a million nodes with base 16.
//!
//! Fingers below a *lowest level* are left out, where a digit is shorter than the successor list reaches: they would all be in it.
//! It does not keep itself up to date: maintenance does ([`crate::chord`]).

use serde::{Deserialize, Serialize};

use crate::Point;
use crate::finger_union::Place;
use crate::neighbours::{is_home, owners_ahead};
use crate::node_table::owner_among;
use crate::router::{Next, Peer, Peers, Router, Verdict, Via};

const POINT_BITS: u32 = 64;

/// In which base fingers split the distance: 2, 4, 16 or 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Base {
    bits: u32,
}

/// Why a number is no base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no base of a finger table: it is 2 (the textbook), 4, 16 (the default) or 256")]
pub struct BaseError(pub u32);

/// Which fingers a table has. Slots are numbered by distance: the digits 1 to b - 1 of the lowest level, then of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FingerShape {
    base: Base,
    lowest: u32,
}

/// What one place knows. `fingers` has [`FingerShape::slots`] entries: the first known node at or past the slot's target, or the
/// place itself where there is none. `successors` is nearest first, without the place itself, and not twice round the circle
/// ([`crate::neighbours::within_one_turn`]).
#[derive(Clone, Debug)]
pub struct FingerTable<P, F = Vec<P>, S = Vec<P>> {
    me: P,
    predecessor: Option<P>,
    shape: FingerShape,
    fingers: F,
    successors: S,
}

impl Base {
    pub const TWO: Base = Base { bits: 1 };
    pub const SIXTEEN: Base = Base { bits: 4 };

    pub const fn get(self) -> u32 {
        1 << self.bits
    }
}

impl Default for Base {
    fn default() -> Self {
        Base::SIXTEEN
    }
}

impl TryFrom<u32> for Base {
    type Error = BaseError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            2 | 4 | 16 | 256 => Ok(Self { bits: number.trailing_zeros() }),
            _ => Err(BaseError(number)),
        }
    }
}

impl From<Base> for u32 {
    fn from(base: Base) -> u32 {
        base.get()
    }
}

impl FingerShape {
    /// Every level: what a live node keeps.
    pub const fn full(base: Base) -> Self {
        Self { base, lowest: 0 }
    }

    /// For about `nodes` places: the levels at which a digit is longer than a fraction of the mean arc. What is below leads to the
    /// first successor or the second.
    pub fn for_nodes(base: Base, nodes: usize) -> Self {
        const BELOW_MEAN_BITS: u32 = 6;
        let arc_bits = POINT_BITS - nodes.max(1).ilog2();
        Self { base, lowest: arc_bits.saturating_sub(BELOW_MEAN_BITS) / base.bits }
    }

    /// For about `nodes` places whose successor lists have `list` entries: leaves out the digits that the list covers.
    pub fn beyond_list(base: Base, nodes: usize, list: usize) -> Self {
        let shape = Self::for_nodes(base, nodes);
        let arcs_within_reach = nodes.max(1).div_ceil(list.max(1)).next_power_of_two();
        let reach_bits = POINT_BITS - arcs_within_reach.ilog2();
        Self { lowest: shape.lowest.max(reach_bits / base.bits).min(POINT_BITS / base.bits - 1), ..shape }
    }

    pub const fn base(self) -> Base {
        self.base
    }

    /// How many fingers such a table has.
    pub const fn slots(self) -> usize {
        ((POINT_BITS / self.base.bits - self.lowest) * (self.base.get() - 1)) as usize
    }

    /// How far from its place a slot's target is.
    pub const fn distance(self, slot: usize) -> u64 {
        let digits = self.base.get() as usize - 1;
        let level = self.lowest + (slot / digits) as u32;
        (slot % digits + 1) as u64 * (1 << (level * self.base.bits))
    }

    /// The slot with the farthest target that is at most `distance` away.
    pub const fn slot_within(self, distance: u64) -> Option<usize> {
        if distance == 0 {
            return None;
        }
        let level = distance.ilog2() / self.base.bits;
        if level < self.lowest {
            return None;
        }
        let digit = (distance >> (level * self.base.bits)) as usize;
        Some((level - self.lowest) as usize * (self.base.get() as usize - 1) + digit - 1)
    }
}

impl<P: Peer> FingerTable<P> {
    /// A place's table in a ring that has converged. `ring` is sorted by point and has a place at `at`.
    pub fn converged(ring: &[P], at: usize, shape: FingerShape, list: usize) -> Self {
        let me = ring[at];
        let around = |steps: usize| ring[(at + steps) % ring.len()];
        let fingers = (0..shape.slots()).map(|slot| finger_among(ring, me, shape.distance(slot))).collect();
        Self {
            me,
            predecessor: (ring.len() > 1).then(|| around(ring.len() - 1)),
            shape,
            fingers,
            successors: (1..=list.min(ring.len() - 1)).map(around).collect(),
        }
    }

    pub fn fingers(&self) -> &[P] {
        &self.fingers
    }

    /// Without the fingers.
    pub fn into_place(self) -> Place<P> {
        Place { me: self.me, predecessor: self.predecessor, successors: self.successors }
    }

    pub fn set_finger(&mut self, slot: usize, peer: P) {
        if let Some(finger) = self.fingers.get_mut(slot) {
            *finger = peer;
        }
    }
}

impl<P: Peer, F: Peers<P>, S: Peers<P>> FingerTable<P, F, S> {
    pub fn new(me: P, predecessor: Option<P>, shape: FingerShape, fingers: F, successors: S) -> Self {
        Self { me, predecessor, shape, fingers, successors }
    }

    pub fn me(&self) -> P {
        self.me
    }

    pub fn is_mine(&self, key: Point) -> bool {
        let predecessor = self.predecessor.map(|peer| peer.point());
        is_home(key, self.me.point(), predecessor, self.successors.count() == 0)
    }

    /// Everybody known who precedes the key, the nearest to it first. Fingers and list are both in order of distance, so this is
    /// a merge of the two from the far end.
    fn closest_preceding(&self, key: Point, next: &mut Next<P>) {
        let me = self.me.point();
        // A finger that is the place itself is 2^64 away, not 0: hence the `- 1` on all distances.
        let away = |peer: P| me.distance_to(peer.point()).wrapping_sub(1);
        let limit = me.distance_to(key).wrapping_sub(1);
        let mut slots = self.shape.slot_within(limit).map_or(0, |slot| (slot + 1).min(self.fingers.count()));
        let mut listed = self.successors.count();
        let mut last = limit;
        while next.has_room() {
            while slots > 0 && away(self.fingers.peer(slots - 1)) >= last {
                slots -= 1;
            }
            while listed > 0 && away(self.successors.peer(listed - 1)) >= last {
                listed -= 1;
            }
            let finger = (slots > 0).then(|| self.fingers.peer(slots - 1));
            let successor = (listed > 0).then(|| self.successors.peer(listed - 1));
            let Some(best) = farther(finger, successor, away) else { return };
            next.push(best);
            last = away(best);
        }
    }
}

impl<P: Peer, F: Peers<P>, S: Peers<P>> Router<P> for FingerTable<P, F, S> {
    fn via(&self) -> Via {
        Via::Fingers
    }

    /// Different nodes in it: many fingers of a small ring are the same.
    fn entries(&self) -> usize {
        let me = self.me.point();
        let known = (0..self.fingers.count()).map(|slot| self.fingers.peer(slot));
        let known =
            known.chain((0..self.successors.count()).map(|at| self.successors.peer(at))).chain(self.predecessor);
        let mut points: Vec<Point> = known.map(|peer| peer.point()).filter(|point| *point != me).collect();
        points.sort_unstable();
        points.dedup();
        points.len()
    }

    fn look(&self, key: Point, next: &mut Next<P>) -> Verdict {
        next.clear();
        if self.is_mine(key) {
            return Verdict::Mine;
        }
        if !owners_ahead(self.me, key, &self.successors, next) {
            self.closest_preceding(key, next);
        }
        // For an asker that overshot.
        if let Some(predecessor) = self.predecessor {
            next.push_last(predecessor);
        }
        if next.as_slice().is_empty() { Verdict::Unknown } else { Verdict::Ask }
    }
}

fn farther<P: Copy>(one: Option<P>, other: Option<P>, away: impl Fn(P) -> u64) -> Option<P> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if away(one) >= away(other) { one } else { other }),
        (one, other) => one.or(other),
    }
}

/// The first place of a sorted ring that is at least `distance` away from `me`; `me` itself if the circle closes before one comes.
fn finger_among<P: Peer>(ring: &[P], me: P, distance: u64) -> P {
    let found = owner_among(&ring, me.point().plus(distance)).map_or(me, |at| ring[at]);
    if me.point().distance_to(found.point()) < distance { me } else { found }
}

#[cfg(test)]
mod tests;
