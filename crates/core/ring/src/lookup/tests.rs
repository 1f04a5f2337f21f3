use std::collections::BTreeSet;

use super::*;
use crate::finger_table::{Base, FingerShape};
use crate::key_index::KeyDirectory;
use crate::node_table::owner_among;
use crate::{FingerTable, FingerUnion, KeyIndex, Neighbours, Next, NodeId, NodeTable, Router, Via, VirtualNode};

const LIST: usize = 8;

/// A converged ring that is asked, and the lookups run on it.
struct Town {
    ring: Vec<VirtualNode>,
    dead: BTreeSet<VirtualNode>,
    /// They have joined, but only their successor has noticed.
    fresh: BTreeSet<VirtualNode>,
    limits: Limits,
}

/// Steele and others' splitmix64: numbers that look random.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn node(number: u64) -> NodeId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&scatter(number).to_be_bytes());
    NodeId::from_bytes(bytes)
}

impl Town {
    fn new(nodes: u64, places: u64) -> Self {
        let mut ring: Vec<VirtualNode> = (0..nodes * places)
            .map(|number| VirtualNode { point: Point(scatter(1_000_000 + number)), node: node(number % nodes) })
            .collect();
        ring.sort();
        Self { ring, dead: BTreeSet::new(), fresh: BTreeSet::new(), limits: Limits::default() }
    }

    fn live(&self) -> Vec<VirtualNode> {
        self.ring.iter().filter(|place| !self.dead.contains(place)).copied().collect()
    }

    /// The ring as everybody knew it before the fresh ones came and the dead ones went.
    fn known(&self, me: VirtualNode) -> Vec<VirtualNode> {
        self.ring.iter().filter(|place| **place == me || !self.fresh.contains(place)).copied().collect()
    }

    fn owner(&self, key: Point) -> VirtualNode {
        let live = self.live();
        live[owner_among(&live, key).unwrap()]
    }

    /// What `me` knows: the ring before anybody died or came, but its own predecessor as it is.
    fn router(&self, me: VirtualNode, via: Via) -> Box<dyn Router<VirtualNode> + '_> {
        let known = self.known(me);
        let at = known.iter().position(|place| *place == me).unwrap();
        let live = self.live();
        let here = live.iter().position(|place| *place == me).unwrap();
        let predecessor = live[(here + live.len() - 1) % live.len()];
        let around = |steps: usize| known[(at + steps) % known.len()];
        let list = LIST.min(known.len() - 1);
        let successors: Vec<VirtualNode> = (1..=list).map(around).collect();
        match via {
            Via::Fingers => {
                let shape = FingerShape::for_nodes(Base::SIXTEEN, known.len());
                let table = FingerTable::converged(&known, at, shape, LIST);
                Box::new(FingerTable::new(me, Some(predecessor), shape, table.fingers().to_vec(), successors))
            }
            Via::Neighbours => {
                let mut back: Vec<VirtualNode> = (1..=list).map(|steps| around(known.len() - steps)).collect();
                back.retain(|place| !self.dead.contains(place));
                back.insert(0, predecessor);
                back.dedup();
                Box::new(Neighbours::new(me, successors, back))
            }
            Via::Table => Box::new(NodeTable::of(me, known).with_predecessor(predecessor)),
            Via::Index => panic!("has a test of its own"),
        }
    }

    fn look_up(&self, from: VirtualNode, key: Point, via: Via) -> Action<VirtualNode> {
        let (mut lookup, mut action) = Lookup::start(from, key, self.limits);
        loop {
            let (Action::Ask(peer) | Action::Wait(peer)) = action else { return action };
            action = if self.dead.contains(&peer) {
                lookup.timed_out(peer)
            } else {
                lookup.answered(peer, &self.router(peer, via).step(key))
            };
        }
    }

    /// Every lookup must end at the owner; the mean of hops and of timeouts.
    fn check(&self, via: Via, lookups: u64) -> (f64, f64) {
        let live = self.live();
        let (mut hops, mut timeouts) = (0, 0);
        for number in 0..lookups {
            let key = Point(scatter(2_000_000 + number));
            let from = live[scatter(number) as usize % live.len()];
            let Action::Found(found) = self.look_up(from, key, via) else { panic!("{via} lost {key:?} from {from:?}") };
            assert_eq!(found.owner, self.owner(key), "{via}: {key:?} from {from:?}");
            hops += found.hops;
            timeouts += found.timeouts;
        }
        (f64::from(hops) / lookups as f64, f64::from(timeouts) / lookups as f64)
    }
}

#[test]
fn every_router_reaches_the_owner_from_everywhere() {
    for nodes in [1, 2, 3, 10, 100] {
        let town = Town::new(nodes, 1);
        for via in [Via::Table, Via::Neighbours, Via::Fingers] {
            town.check(via, 300);
        }
    }
}

#[test]
fn a_table_takes_one_hop_fingers_a_few_and_neighbours_many() {
    let town = Town::new(300, 1);
    let (table, fingers, neighbours) =
        (town.check(Via::Table, 300).0, town.check(Via::Fingers, 300).0, town.check(Via::Neighbours, 300).0);
    assert!((0.97..=1.0).contains(&table), "{table}");
    assert!((2.0..3.0).contains(&fingers), "{fingers}");
    // A quarter of the ring on average, a list at a time, and the step to the owner.
    assert!((9.0..11.0).contains(&neighbours), "{neighbours}");
}

#[test]
fn a_third_dead_at_once_costs_timeouts_and_no_lookup() {
    let mut town = Town::new(200, 1);
    town.dead = town.ring.iter().filter(|place| scatter(place.point.0) % 10 < 3).copied().collect();
    for via in [Via::Table, Via::Neighbours, Via::Fingers] {
        let (_, timeouts) = town.check(via, 300);
        assert!(timeouts > 0.2, "{via}: {timeouts}");
    }
}

#[test]
fn a_newcomer_that_only_its_successor_knows_is_found_by_stepping_back() {
    let mut town = Town::new(50, 1);
    town.fresh = town.ring.iter().skip(1).step_by(5).copied().collect();
    for via in [Via::Neighbours, Via::Fingers] {
        let (_, timeouts) = town.check(via, 300);
        assert_eq!(timeouts, 0.0);
    }
}

#[test]
fn all_places_of_a_node_together_need_fewer_hops() {
    let hops = |places: u64| {
        let town = Town::new(100, places);
        let shape = FingerShape::for_nodes(Base::TWO, town.ring.len());
        let routers: Vec<FingerUnion<VirtualNode>> = (0..100)
            .map(|number| {
                let me = *town.ring.iter().find(|place| place.node == node(number)).unwrap();
                FingerUnion::converged(&town.ring, me, shape, 4)
            })
            .collect();
        let number_of = |place: VirtualNode| (0..100).find(|number| node(*number) == place.node).unwrap() as usize;
        let mut hops = 0;
        for number in 0..300 {
            let key = Point(scatter(number));
            let (mut lookup, mut action) = Lookup::start(town.ring[number as usize % 100], key, town.limits);
            while let Action::Ask(peer) = action {
                action = lookup.answered(peer, &routers[number_of(peer)].step(key));
            }
            let Action::Found(found) = action else { panic!("{action:?}") };
            assert_eq!(found.owner.node, town.owner(key).node);
            hops += found.hops;
        }
        f64::from(hops) / 300.0
    };
    let (one, sixteen) = (hops(1), hops(16));
    assert!(sixteen < one, "{sixteen} against {one}");
}

#[test]
fn the_key_index_takes_two_hops_and_a_key_that_it_lacks_is_given_up() {
    let town = Town::new(20, 1);
    let directory = town.ring[0];
    let mut keys = KeyDirectory::default();
    let (known, unknown) = (Point(scatter(1)), Point(scatter(2)));
    keys.enter(known, town.owner(known)).unwrap();
    let run = |key: Point| {
        let (mut lookup, mut action) = Lookup::start(town.ring[7], key, town.limits);
        loop {
            let (Action::Ask(peer) | Action::Wait(peer)) = action else { return action };
            let router = KeyIndex::new(directory, (peer == directory).then_some(&keys), |key| town.owner(key) == peer);
            action = lookup.answered(peer, &router.step(key));
        }
    };
    assert_eq!(run(known), Action::Found(Found { owner: town.owner(known), hops: 2, timeouts: 0 }));
    assert_eq!(run(unknown), Action::Failed(Why::NobodyLeft));
}

#[test]
fn a_busy_node_is_asked_again_after_a_pause_and_not_for_ever() {
    let town = Town::new(3, 1);
    let (mut lookup, first) = Lookup::start(town.ring[0], Point(5), town.limits);
    assert_eq!(first, Action::Ask(town.ring[0]));
    assert_eq!(lookup.answered(town.ring[0], &Step::Ask(vec![town.ring[1]])), Action::Ask(town.ring[1]));
    for _ in 0..town.limits.waits_max {
        assert_eq!(lookup.answered(town.ring[1], &Step::Busy), Action::Wait(town.ring[1]));
    }
    assert_eq!(lookup.answered(town.ring[1], &Step::Busy), Action::Failed(Why::NobodyLeft));
}

#[test]
fn nodes_that_send_each_other_around_are_left_after_a_bounded_number_of_hops() {
    let town = Town::new(200, 1);
    let (mut lookup, mut action) = Lookup::start(town.ring[0], Point(5), town.limits);
    let mut questions: u32 = 0;
    while let Action::Ask(peer) | Action::Wait(peer) = action {
        questions += 1;
        assert!(questions < 200, "it goes on for ever");
        let anybody = (0..20).map(|number| town.ring[scatter(u64::from(questions * 20 + number)) as usize % 200]);
        action = lookup.answered(peer, &Step::Ask(anybody.collect()));
    }
    assert!(matches!(action, Action::Failed(_)), "{action:?}");
}

#[test]
fn the_heir_of_a_dead_owner_is_asked_again_and_nobody_else() {
    let town = Town::new(9, 1);
    let [me, gone, heir] = [0, 1, 2].map(|at| town.ring[at]);
    let others = town.ring[3..].to_vec();
    let (mut lookup, _) = Lookup::start(me, gone.point, town.limits);
    assert_eq!(lookup.answered(me, &Step::Ask([vec![gone, heir], others].concat())), Action::Ask(gone));
    assert_eq!(lookup.timed_out(gone), Action::Ask(heir));
    for _ in 0..5 {
        assert_eq!(lookup.answered(heir, &Step::Ask(vec![town.ring[5], gone])), Action::Wait(heir));
    }
    assert_eq!(lookup.answered(heir, &Step::Mine), Action::Found(Found { owner: heir, hops: 1, timeouts: 1 }));
}

#[test]
fn when_the_heir_dies_too_the_next_one_is_asked() {
    let town = Town::new(5, 1);
    let [me, gone, heir, next, _] = [0, 1, 2, 3, 4].map(|at| town.ring[at]);
    let (mut lookup, _) = Lookup::start(me, gone.point, town.limits);
    lookup.answered(me, &Step::Ask(vec![gone, heir, next]));
    lookup.timed_out(gone);
    assert_eq!(lookup.answered(heir, &Step::Ask(vec![gone])), Action::Wait(heir));
    assert_eq!(lookup.timed_out(heir), Action::Ask(next));
}

#[test]
fn an_heir_that_never_inherits_sends_the_lookup_back_to_its_beginning() {
    let town = Town::new(3, 1);
    let [me, gone, heir] = [0, 1, 2].map(|at| town.ring[at]);
    let (mut lookup, mut action) = Lookup::start(me, gone.point, town.limits);
    let mut beginnings = 0;
    while let Action::Ask(peer) | Action::Wait(peer) = action {
        beginnings += u32::from(peer == me);
        action = match peer {
            peer if peer == gone => lookup.timed_out(gone),
            peer if peer == me => lookup.answered(me, &Step::Ask(vec![gone, heir])),
            _ => lookup.answered(heir, &Step::Ask(vec![gone])),
        };
    }
    assert_eq!(action, Action::Failed(Why::NobodyLeft));
    assert_eq!(beginnings, 1 + town.limits.waits_max / HEIR_WAITS_MAX);
}

#[test]
fn a_node_that_inherits_itself_waits_for_itself() {
    let town = Town::new(4, 1);
    let [before, gone, me, far] = [0, 1, 2, 3].map(|at| town.ring[at]);
    let (mut lookup, _) = Lookup::start(me, gone.point, town.limits);
    assert_eq!(lookup.answered(me, &Step::Ask(vec![before, far, gone])), Action::Ask(before));
    assert_eq!(lookup.answered(before, &Step::Ask(vec![gone, me, far])), Action::Ask(gone));
    assert_eq!(lookup.timed_out(gone), Action::Wait(me));
    assert_eq!(lookup.answered(me, &Step::Mine), Action::Found(Found { owner: me, hops: 1, timeouts: 1 }));
}

#[test]
fn a_step_fits_the_callers_bound() {
    let town = Town::new(100, 1);
    let mut next = Next::new(3);
    for via in [Via::Table, Via::Neighbours, Via::Fingers] {
        assert_eq!(town.router(town.ring[3], via).look(Point(scatter(9)), &mut next), Verdict::Ask);
        assert_eq!(next.as_slice().len(), 3, "{via}");
    }
}

#[test]
fn whoever_knows_by_name_is_believed_a_few_times_wherever_it_stands() {
    let town = Town::new(9, 1);
    let [me, past, owner] = [0, 3, 6].map(|at| town.ring[at]);
    let key = town.ring[2].point;
    let told = |hearsay_max| {
        let (mut lookup, _) = Lookup::start(me, key, Limits { hearsay_max, ..town.limits });
        lookup.answered(me, &Step::Ask(vec![past]));
        lookup.answered(past, &Step::Ask(vec![owner]))
    };
    assert_eq!((told(0), told(2)), (Action::Wait(past), Action::Ask(owner)));
    // An old map that names one wrong node after the other is not followed for ever, nor is the one that it named first forgotten.
    let (mut lookup, _) = Lookup::start(me, key, Limits { hearsay_max: 2, ..town.limits });
    lookup.answered(me, &Step::Ask(vec![past]));
    assert_eq!(lookup.answered(past, &Step::Ask(vec![town.ring[4]])), Action::Ask(town.ring[4]));
    assert_eq!(lookup.answered(town.ring[4], &Step::Ask(vec![town.ring[5]])), Action::Ask(town.ring[5]));
    assert_eq!(lookup.answered(town.ring[5], &Step::Ask(vec![owner])), Action::Wait(past));
}

#[test]
fn one_that_has_left_the_ring_is_no_heir() {
    let town = Town::new(9, 1);
    let [me, before, gone, owner] = [0, 1, 2, 3].map(|at| town.ring[at]);
    let (mut lookup, _) = Lookup::start(me, gone.point, town.limits);
    assert_eq!(lookup.answered(me, &Step::Ask(vec![gone, before])), Action::Ask(gone));
    assert_eq!(lookup.answered(gone, &Step::Unknown), Action::Ask(before));
    assert_eq!(lookup.answered(before, &Step::Ask(vec![gone, owner])), Action::Ask(owner));
    assert_eq!(lookup.answered(owner, &Step::Mine), Action::Found(Found { owner, hops: 3, timeouts: 0 }));
}
