//! Core: who votes. One voter while there are one or two nodes, three from three on, five from seven on; the others learn.
//!
//! Two voters would be worse than one: both must be up. More than five make every change slower and protect against little more.
//! Voters are spread over the zones; a present one is kept while it is any good, because every change is a risk.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::NodeId;

/// A node as the choice sees it: active members only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: NodeId,
    pub zone: String,
    pub fitness: Fitness,
}

/// Greater is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    Reachable,
    /// Not answering at the moment, which happens.
    Away,
    /// For so long that its seat is better given to another.
    Lost,
}

/// How many of `nodes` vote.
pub fn voter_count(nodes: usize) -> usize {
    match nodes {
        0..=2 => nodes.min(1),
        3..=6 => 3,
        _ => 5,
    }
}

/// Who should vote. The same for the same arguments, and stable: with its own result as `present` it gives it again.
pub fn choose(candidates: &[Candidate], present: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut chosen = BTreeSet::new();
    let mut per_zone: BTreeMap<&str, usize> = BTreeMap::new();
    while chosen.len() < voter_count(candidates.len()) {
        let rank = |candidate: &&Candidate| {
            let in_zone = per_zone.get(candidate.zone.as_str()).copied().unwrap_or(0);
            (
                candidate.fitness == Fitness::Lost,
                in_zone,
                !present.contains(&candidate.id),
                candidate.fitness,
                candidate.id,
            )
        };
        let Some(best) = candidates.iter().filter(|candidate| !chosen.contains(&candidate.id)).min_by_key(rank) else {
            break;
        };
        *per_zone.entry(&best.zone).or_default() += 1;
        chosen.insert(best.id);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn ids(numbers: &[u8]) -> BTreeSet<NodeId> {
        numbers.iter().map(|number| id(*number)).collect()
    }

    /// `a1` is node 1 in zone a; `a1?` is away, `a1!` is lost.
    fn check(nodes: &str, present: &[u8], expected: &[u8]) {
        let candidates: Vec<Candidate> = nodes
            .split_whitespace()
            .map(|text| {
                let fitness = match text.chars().last() {
                    Some('?') => Fitness::Away,
                    Some('!') => Fitness::Lost,
                    _ => Fitness::Reachable,
                };
                let number: u8 = text[1..].trim_end_matches(['?', '!']).parse().unwrap();
                Candidate { id: id(number), zone: text[..1].to_owned(), fitness }
            })
            .collect();
        let chosen = choose(&candidates, &ids(present));
        assert_eq!(chosen, ids(expected), "{nodes} with {present:?}");
        assert_eq!(choose(&candidates, &chosen), chosen, "not stable: {nodes} with {present:?}");
    }

    #[test]
    fn two_nodes_have_one_voter_and_it_stays() {
        check("a1", &[], &[1]);
        check("a1 a2", &[2], &[2]);
    }

    #[test]
    fn three_vote_from_three_on_and_five_from_seven_on() {
        check("a1 a2 a3", &[2], &[1, 2, 3]);
        check("a1 a2 a3 a4 a5 a6", &[4, 5, 6], &[4, 5, 6]);
        check("a1 a2 a3 a4 a5 a6 a7", &[4, 5, 6], &[1, 2, 4, 5, 6]);
    }

    #[test]
    fn a_voter_that_is_away_keeps_its_seat_and_a_lost_one_loses_it() {
        check("a1 a2 a3? a4", &[1, 2, 3], &[1, 2, 3]);
        check("a1 a2 a3! a4", &[1, 2, 3], &[1, 2, 4]);
    }

    #[test]
    fn a_lost_voter_stays_if_nobody_can_take_its_seat() {
        check("a1 a2 a3!", &[1, 2, 3], &[1, 2, 3]);
    }

    #[test]
    fn a_seat_goes_to_a_node_that_answers() {
        check("a1 a2? a3 a4", &[1], &[1, 3, 4]);
    }

    #[test]
    fn voters_are_spread_over_the_zones() {
        check("a1 a2 a3 b4 c5", &[1, 2, 3], &[1, 4, 5]);
        check("a1 a2 b3 b4", &[1, 3, 4], &[1, 3, 4]);
    }
}
