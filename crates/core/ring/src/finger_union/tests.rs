use super::*;
use crate::{Base, NodeId, VirtualNode};

fn place(point: u64, node: u8) -> VirtualNode {
    VirtualNode { point: Point(point), node: NodeId::from_bytes([node; 16]) }
}

#[test]
fn a_node_answers_for_all_its_places_and_never_names_itself() {
    let ring: Vec<VirtualNode> = (0..12).map(|at| place(at * 100, (at % 3) as u8)).collect();
    let router = FingerUnion::converged(&ring, ring[0], FingerShape::full(Base::TWO), 1);
    let mut next = Next::new(8);
    for at in 0..12 {
        let key = Point(at * 100 - u64::from(at > 0) * 50);
        let verdict = router.look(key, &mut next);
        assert_eq!(verdict == Verdict::Mine, at % 3 == 0, "{key:?}");
        assert!(next.as_slice().iter().all(|peer| peer.node != ring[0].node));
    }
    assert_eq!(router.look(Point(350), &mut next), Verdict::Ask);
    assert_eq!(next.as_slice()[0], place(400, 1), "the successor of an own place owns it");
}

#[test]
fn the_only_node_owns_everything() {
    let alone = FingerUnion::converged(&[place(5, 1), place(9, 1)], place(5, 1), FingerShape::full(Base::SIXTEEN), 4);
    assert_eq!(alone.look(Point(7), &mut Next::new(1)), Verdict::Mine);
}
