//! Core: router 2, neighbours. Everybody knows the next few on either side and passes on the shorter way round: little to keep,
//! nothing to build, and N / 4L hops on average with lists of L. It is also what keeps a ring with fingers together.

use crate::Point;
use crate::router::{Next, Peer, Peers, Router, Verdict, Via};

/// How many neighbours are kept on either side, unless said otherwise.
pub const NEIGHBOURS_DEFAULT: usize = 16;

/// The neighbours of one place, nearest first. Neither list contains the place itself or goes round the circle twice (see
/// [`within_one_turn`]).
#[derive(Clone, Debug)]
pub struct Neighbours<P, S = Vec<P>, R = Vec<P>> {
    me: P,
    successors: S,
    predecessors: R,
}

impl<P: Peer, S: Peers<P>, R: Peers<P>> Neighbours<P, S, R> {
    pub fn new(me: P, successors: S, predecessors: R) -> Self {
        Self { me, successors, predecessors }
    }

    fn is_mine(&self, key: Point) -> bool {
        let alone = self.successors.count() + self.predecessors.count() == 0;
        let predecessor = (self.predecessors.count() > 0).then(|| self.predecessors.peer(0));
        is_home(key, self.me.point(), predecessor.map(|peer| peer.point()), alone)
    }
}

impl<P: Peer, S: Peers<P>, R: Peers<P>> Router<P> for Neighbours<P, S, R> {
    fn via(&self) -> Via {
        Via::Neighbours
    }

    fn entries(&self) -> usize {
        self.successors.count() + self.predecessors.count()
    }

    fn look(&self, key: Point, next: &mut Next<P>) -> Verdict {
        next.clear();
        if self.is_mine(key) {
            return Verdict::Mine;
        }
        if owners_ahead(self.me, key, &self.successors, next) || self.owners_behind(key, next) {
            return Verdict::Ask;
        }
        let ahead = self.me.point().distance_to(key);
        if ahead <= ahead.wrapping_neg() {
            farthest_first(&self.successors, next);
            farthest_first(&self.predecessors, next);
        } else {
            farthest_first(&self.predecessors, next);
            farthest_first(&self.successors, next);
        }
        if next.as_slice().is_empty() { Verdict::Unknown } else { Verdict::Ask }
    }
}

impl<P: Peer, S: Peers<P>, R: Peers<P>> Neighbours<P, S, R> {
    /// If the key lies between two of the predecessors: the nearer one owns it. Behind it those nearer still, who inherit.
    fn owners_behind(&self, key: Point, next: &mut Next<P>) -> bool {
        let behind = key.distance_to(self.me.point());
        let count = self.predecessors.count();
        if count < 2 || self.predecessors.peer(count - 1).point().distance_to(self.me.point()) <= behind {
            return false;
        }
        let past =
            (0..count).rev().find(|at| self.predecessors.peer(*at).point().distance_to(self.me.point()) <= behind);
        let Some(owner) = past else { return false };
        (0..=owner).rev().for_each(|at| next.push(self.predecessors.peer(at)));
        true
    }
}

/// Whether a place owns `key`. Without a predecessor only if it is the whole ring, or stands on the very point.
pub(crate) fn is_home(key: Point, me: Point, predecessor: Option<Point>, alone: bool) -> bool {
    match predecessor {
        Some(predecessor) => key.is_owned_by(predecessor, me),
        None => alone || key == me,
    }
}

/// If the key lies within the successor list: the first at or past it owns it; behind it those who inherit, then those who
/// precede the key, who may know of a newcomer. Says whether it did.
pub(crate) fn owners_ahead<P: Peer, S: Peers<P>>(me: P, key: Point, successors: &S, next: &mut Next<P>) -> bool {
    let distance = me.point().distance_to(key);
    let is_past = |at: usize| me.point().distance_to(successors.peer(at).point()) >= distance;
    let count = successors.count();
    if count == 0 || !is_past(count - 1) {
        return false;
    }
    let owner = (0..count).find(|at| is_past(*at)).unwrap_or(count - 1);
    for at in (owner..count).chain((0..owner).rev()) {
        if !next.has_room() {
            break;
        }
        next.push(successors.peer(at));
    }
    true
}

fn farthest_first<P: Peer, L: Peers<P>>(list: &L, next: &mut Next<P>) {
    for at in (0..list.count()).rev() {
        if !next.has_room() {
            break;
        }
        next.push(list.peer(at));
    }
}

/// The part of a successor list before it meets the place itself or begins again, as lists of full length do in a small ring.
pub fn within_one_turn<P: Peer>(me: Point, list: &[P]) -> &[P] {
    let mut last = 0;
    let turn = list.iter().position(|peer| {
        let distance = me.distance_to(peer.point());
        let wrapped = distance <= last;
        last = distance;
        wrapped
    });
    &list[..turn.unwrap_or(list.len())]
}

#[cfg(test)]
mod tests;
