//! Core: router 1, the node table. Everybody knows everybody, so every lookup is one hop; the price is O(N) entries on each of N
//! nodes, and telling all of them about each change. The default while a cluster is small enough for that.

use crate::Point;
use crate::router::{Next, Peer, Peers, Router, Verdict, Via};

/// All places of the ring, sorted by point, each point once.
#[derive(Clone, Debug)]
pub struct NodeTable<P, L = Vec<P>> {
    me: P,
    predecessor: Option<P>,
    ring: L,
}

impl<P: Peer> NodeTable<P> {
    /// The table of the node that stands at `me`. Of two places on one point the first counts.
    pub fn of(me: P, mut places: Vec<P>) -> Self {
        places.sort_by_key(Peer::point);
        places.dedup_by_key(|place| place.point());
        Self { me, predecessor: None, ring: places }
    }
}

impl<P: Peer, L: Peers<P>> NodeTable<P, L> {
    /// Over places that are sorted already.
    pub fn over(me: P, sorted: L) -> Self {
        Self { me, predecessor: None, ring: sorted }
    }

    /// What the node owns is then decided by who it has found to be before it, and not by the table, which may be older.
    pub fn with_predecessor(self, predecessor: P) -> Self {
        Self { predecessor: Some(predecessor), ..self }
    }
}

impl<P: Peer, L: Peers<P>> Router<P> for NodeTable<P, L> {
    fn via(&self) -> Via {
        Via::Table
    }

    fn entries(&self) -> usize {
        self.ring.count()
    }

    fn look(&self, key: Point, next: &mut Next<P>) -> Verdict {
        next.clear();
        let Some(owner) = owner_among(&self.ring, key) else { return Verdict::Unknown };
        let mine = match self.predecessor {
            Some(predecessor) => key.is_owned_by(predecessor.point(), self.me.point()),
            None => self.ring.peer(owner).is_same_node(&self.me),
        };
        if mine {
            return Verdict::Mine;
        }
        if let Some(predecessor) = self.predecessor.filter(|_| self.ring.peer(owner).is_same_node(&self.me)) {
            next.push(predecessor);
        }
        // Behind the owner those who would inherit from it.
        let wrapped = (owner..self.ring.count()).chain(0..owner);
        for at in wrapped {
            if !next.has_room() {
                break;
            }
            next.push(self.ring.peer(at));
        }
        Verdict::Ask
    }
}

/// Where in a sorted ring the owner of `key` stands: the first at or past it. `None` only if the ring is empty.
pub fn owner_among<P: Peer, L: Peers<P>>(ring: &L, key: Point) -> Option<usize> {
    let (mut low, mut high) = (0, ring.count());
    while low < high {
        let middle = low + (high - low) / 2;
        if ring.peer(middle).point() < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low < ring.count() { Some(low) } else { (ring.count() > 0).then_some(0) }
}

#[cfg(test)]
mod tests;
