//! Core: how a machine that starts gets into the ring: it founds one only if no member that could be in one says that it is.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::{NodeId, VirtualNode};

/// What a machine knows of the other members when it wants to enter.
#[derive(Debug, Default)]
pub struct Seen {
    pub own: NodeId,
    /// Members of the cluster, this one included.
    pub members: BTreeSet<NodeId>,
    /// Known to be down, and for long enough that they are not just starting.
    pub down: BTreeSet<NodeId>,
    /// Those that answered, with their places in the ring: none if they are not in it either.
    pub answered: BTreeMap<NodeId, Vec<VirtualNode>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Begin a ring: nobody else is in one, and this is the one to begin.
    Found,
    /// Join through one of these.
    Join(Vec<VirtualNode>),
    /// Ask again: somebody else is to begin, or somebody has not answered.
    Wait,
}

pub fn decide(seen: &Seen) -> Entry {
    let inside: Vec<VirtualNode> = seen.answered.values().flatten().copied().collect();
    if !inside.is_empty() {
        return Entry::Join(inside);
    }
    let is_accounted =
        |node: &NodeId| *node == seen.own || seen.answered.contains_key(node) || seen.down.contains(node);
    let first_here = seen.members.iter().find(|node| **node == seen.own || seen.answered.contains_key(node));
    if seen.members.iter().all(is_accounted) && first_here == Some(&seen.own) { Entry::Found } else { Entry::Wait }
}

#[cfg(test)]
mod tests {
    use ringway_ring::Point;

    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn seen(own: u8, down: &[u8], answered: &[(u8, &[u64])]) -> Entry {
        let places = |of: u8, points: &[u64]| {
            points.iter().map(|at| VirtualNode { point: Point(*at), node: node(of) }).collect()
        };
        decide(&Seen {
            own: node(own),
            members: [1, 2, 3].map(node).into(),
            down: down.iter().map(|number| node(*number)).collect(),
            answered: answered.iter().map(|(of, points)| (node(*of), places(*of, points))).collect(),
        })
    }

    #[test]
    fn a_ring_that_somebody_is_in_is_joined() {
        let join = Entry::Join(vec![VirtualNode { point: Point(7), node: node(3) }]);
        assert_eq!(seen(1, &[], &[(3, &[7])]), join);
        assert_eq!(seen(2, &[], &[(1, &[]), (3, &[7])]), join);
    }

    #[test]
    fn after_a_power_cut_the_first_of_those_who_are_back_founds_and_the_others_wait_for_it() {
        assert_eq!(seen(1, &[], &[(2, &[]), (3, &[])]), Entry::Found);
        assert_eq!(seen(2, &[], &[(1, &[]), (3, &[])]), Entry::Wait);
        assert_eq!(seen(2, &[1], &[(3, &[])]), Entry::Found, "the first does not come back");
        assert_eq!(seen(3, &[1, 2], &[]), Entry::Found);
    }

    #[test]
    fn nobody_founds_while_a_member_that_may_be_in_a_ring_has_not_answered() {
        assert_eq!(seen(1, &[], &[(2, &[])]), Entry::Wait);
        assert_eq!(seen(1, &[2], &[]), Entry::Wait);
    }
}
