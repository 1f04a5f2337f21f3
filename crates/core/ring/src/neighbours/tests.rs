use super::*;
use crate::{NodeId, VirtualNode};

fn place(point: u64) -> VirtualNode {
    VirtualNode { point: Point(point), node: NodeId::from_bytes([point as u8; 16]) }
}

fn places(points: &[u64]) -> Vec<VirtualNode> {
    points.iter().map(|point| place(*point)).collect()
}

/// What 100 answers, who knows 110, 120, 130 ahead and 90, 80, 70 behind.
fn check(key: u64, verdict: Verdict, candidates: &[u64]) {
    let router = Neighbours::new(place(100), places(&[110, 120, 130]), places(&[90, 80, 70]));
    let mut next = Next::new(3);
    assert_eq!(router.look(Point(key), &mut next), verdict, "{key}");
    assert_eq!(next.as_slice(), places(candidates), "{key}");
}

#[test]
fn a_key_among_the_neighbours_is_sent_to_its_owner_and_another_the_shorter_way() {
    check(95, Verdict::Mine, &[]);
    check(115, Verdict::Ask, &[120, 130, 110]);
    check(85, Verdict::Ask, &[90]);
    check(75, Verdict::Ask, &[80, 90]);
    check(80, Verdict::Ask, &[80, 90]);
    check(1000, Verdict::Ask, &[130, 120, 110]);
    check(50, Verdict::Ask, &[70, 80, 90]);
    check(u64::MAX, Verdict::Ask, &[70, 80, 90]);
}

#[test]
fn a_node_alone_owns_everything_and_one_without_a_predecessor_claims_nothing() {
    let mut next = Next::new(1);
    let alone = Neighbours::new(place(100), places(&[]), places(&[]));
    assert_eq!(alone.look(Point(7), &mut next), Verdict::Mine);
    let joining = Neighbours::new(place(100), places(&[110]), places(&[]));
    assert_eq!(joining.look(Point(7), &mut next), Verdict::Ask);
}

#[test]
fn a_list_that_goes_round_a_small_ring_is_cut_where_it_begins_again() {
    let points = |me: u64, list: &[u64]| within_one_turn(Point(me), &places(list)).to_vec();
    assert_eq!(points(10, &[20, 30, 10, 20]), places(&[20, 30]));
    assert_eq!(points(20, &[30, 10, 20, 30]), places(&[30, 10]));
    assert_eq!(points(10, &[20, 20, 20]), places(&[20]));
    assert_eq!(points(10, &[10, 10]), places(&[]));
    assert_eq!(points(10, &[20, 30]), places(&[20, 30]));
}
