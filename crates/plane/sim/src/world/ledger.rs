//! Core: the oracle: what all live nodes claim to own at this instant, and whether an answer *it is mine* is right.
//!
//! It sees every node's memory, which no node can. An answer is right if the answering node lives, no other live node claims the
//! key, and nobody who owns an arc (so whom the ring has adopted) stands between the key and the answering node. To say so after
//! every message of a large world, claims are kept in the order of the circle: two claims overlap only if a claim reaches back over
//! its neighbour's place, and the few that do so are kept apart.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::Point;
use ringway_ring::chord::KeyArc;

/// One claim: where it ends (the claimant's own place), and whose it is.
type Place = (Point, u32);

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answering node does not claim the key itself, or is dead (only without owner check).
    NotTheOwner,
    /// Another live node claims the key as well.
    ClaimedTwice { by: u32 },
    /// A node with an arc stands between the key and the answering node.
    PassedOver { node: u32 },
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    claims: BTreeMap<Place, KeyArc>,
    /// Claims that reach back over the place of the claimant before them.
    overlapping: BTreeSet<Place>,
}

impl Ledger {
    /// `node` at `point` claims this arc from now on, or nothing.
    pub(super) fn set(&mut self, node: u32, point: Point, arc: Option<KeyArc>) {
        let place = (point, node);
        match arc {
            Some(arc) => self.claims.insert(place, arc),
            None => self.claims.remove(&place),
        };
        self.review(place);
        if let Some(next) = self.after(place) {
            self.review(next);
        }
    }

    /// What is wrong with `node` at `point` saying that the key is its own; nothing if it is right.
    pub(super) fn judge(&self, key: Point, node: u32, point: Point) -> Option<Fault> {
        let own = (point, node);
        if !self.claims.get(&own).is_some_and(|arc| arc.contains(key)) {
            return Some(Fault::NotTheOwner);
        }
        let others = self.overlapping.iter().filter(|place| **place != own);
        for place in others {
            if self.claims[place].contains(key) {
                return Some(Fault::ClaimedTwice { by: place.1 });
            }
        }
        let first = self.at_or_after(key)?;
        if first == own || first.0 == point {
            return None;
        }
        if self.claims[&first].contains(key) {
            return Some(Fault::ClaimedTwice { by: first.1 });
        }
        Some(Fault::PassedOver { node: first.1 })
    }

    /// Two nodes that claim some point both, if there are any.
    pub(super) fn overlap(&self) -> Option<(u32, u32)> {
        let place = *self.overlapping.first()?;
        self.before(place).map(|(_, other)| (place.1, other))
    }

    fn review(&mut self, place: Place) {
        let overlaps = match (self.claims.get(&place), self.before(place)) {
            (Some(arc), Some(before)) => before.0 == place.0 || before.0.is_between(arc.after, arc.until),
            _ => false,
        };
        if overlaps {
            self.overlapping.insert(place);
        } else {
            self.overlapping.remove(&place);
        }
    }

    /// The claimant before this place, around the circle; none if there is no other.
    fn before(&self, place: Place) -> Option<Place> {
        let before = self.claims.range(..place).next_back().or_else(|| self.claims.iter().next_back())?;
        (*before.0 != place).then_some(*before.0)
    }

    fn after(&self, place: Place) -> Option<Place> {
        let after = self.claims.range((place.0, place.1 + 1)..).next().or_else(|| self.claims.iter().next())?;
        (*after.0 != place).then_some(*after.0)
    }

    fn at_or_after(&self, key: Point) -> Option<Place> {
        self.claims.range((key, 0)..).next().or_else(|| self.claims.iter().next()).map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arc(after: u64, until: u64) -> Option<KeyArc> {
        Some(KeyArc { after: Point(after), until: Point(until) })
    }

    fn ledger(claims: &[(u64, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (node, (after, until)) in claims.iter().enumerate() {
            ledger.set(node as u32, Point(*until), arc(*after, *until));
        }
        ledger
    }

    #[test]
    fn arcs_that_touch_are_right_everywhere_on_the_circle() {
        let ledger = ledger(&[(30, 10), (10, 20), (20, 30)]);
        assert_eq!(ledger.overlap(), None);
        for (key, node, point) in [(31, 0, 10), (10, 0, 10), (11, 1, 20), (30, 2, 30)] {
            assert_eq!(ledger.judge(Point(key), node, Point(point)), None);
        }
        assert_eq!(ledger.judge(Point(11), 2, Point(30)), Some(Fault::NotTheOwner));
    }

    #[test]
    fn a_key_that_two_claim_is_wrong_whoever_answers() {
        let ledger = ledger(&[(30, 10), (10, 20), (10, 30)]);
        assert_eq!(ledger.overlap(), Some((2, 1)));
        assert_eq!(ledger.judge(Point(15), 1, Point(20)), Some(Fault::ClaimedTwice { by: 2 }));
        assert_eq!(ledger.judge(Point(15), 2, Point(30)), Some(Fault::ClaimedTwice { by: 1 }));
        assert_eq!(ledger.judge(Point(25), 2, Point(30)), None);
    }

    #[test]
    fn an_owner_between_the_key_and_the_answering_node_was_passed_over() {
        let ledger = ledger(&[(30, 10), (15, 20), (10, 30)]);
        assert_eq!(ledger.judge(Point(12), 2, Point(30)), Some(Fault::PassedOver { node: 1 }));
    }

    #[test]
    fn who_is_gone_claims_nothing() {
        let mut ledger = ledger(&[(30, 10), (10, 20), (10, 30)]);
        ledger.set(1, Point(20), None);
        assert_eq!(ledger.overlap(), None);
        assert_eq!(ledger.judge(Point(15), 2, Point(30)), None);
    }

    #[test]
    fn two_nodes_at_one_place_overlap() {
        assert!(ledger(&[(30, 10), (30, 10)]).overlap().is_some());
    }
}
