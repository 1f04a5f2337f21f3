use super::*;
use crate::{NodeId, VirtualNode};

fn place(point: u64) -> VirtualNode {
    VirtualNode { point: Point(point), node: NodeId::from_bytes([point as u8; 16]) }
}

/// 16 places, equally spaced.
fn clock() -> Vec<VirtualNode> {
    (0..16).map(|hour| place(hour << 60)).collect()
}

#[test]
fn slots_are_numbered_by_distance_and_found_again() {
    for base in [2, 4, 16, 256].map(|base| Base::try_from(base).unwrap()) {
        for shape in [FingerShape::full(base), FingerShape::for_nodes(base, 1000)] {
            let distances: Vec<u64> = (0..shape.slots()).map(|slot| shape.distance(slot)).collect();
            assert!(distances.is_sorted());
            for (slot, distance) in distances.iter().enumerate() {
                assert_eq!(shape.slot_within(*distance), Some(slot), "{shape:?}");
                assert_eq!(shape.slot_within(distance - 1), slot.checked_sub(1), "{shape:?}");
            }
        }
    }
    assert_eq!(FingerShape::full(Base::TWO).slots(), 64);
    assert_eq!(FingerShape::full(Base::SIXTEEN).slots(), 240);
}

#[test]
fn only_some_bases_are_taken() {
    assert_eq!(
        Base::try_from(10).unwrap_err().to_string(),
        "10 is no base of a finger table: it is 2 (the textbook), 4, 16 (the default) or 256"
    );
}

#[test]
fn with_base_16_every_hour_of_a_clock_is_a_finger_and_with_base_2_every_power() {
    let entries = |base: Base| FingerTable::converged(&clock(), 3, FingerShape::for_nodes(base, 16), 1).entries();
    assert_eq!(entries(Base::SIXTEEN), 15);
    // 1, 2, 4 and 8 hours ahead, and the predecessor.
    assert_eq!(entries(Base::TWO), 5);
}

#[test]
fn the_nearest_before_the_key_is_best_and_the_predecessor_comes_last() {
    let table = FingerTable::converged(&clock(), 0, FingerShape::for_nodes(Base::TWO, 16), 2);
    let look = |hour: u64, limit: usize| {
        let mut next = Next::new(limit);
        let verdict = table.look(Point((hour << 60) + 1), &mut next);
        (verdict, next.as_slice().iter().map(|peer| peer.point.0 >> 60).collect::<Vec<u64>>())
    };
    assert_eq!(look(12, 8), (Verdict::Ask, vec![8, 4, 2, 1, 15]));
    assert_eq!(look(12, 2), (Verdict::Ask, vec![8, 15]));
    assert_eq!(look(12, 1), (Verdict::Ask, vec![8]));
    assert_eq!(look(5, 8), (Verdict::Ask, vec![4, 2, 1, 15]));
    assert_eq!(look(0, 8), (Verdict::Ask, vec![1, 2, 15]), "within the list: its owner, its heir");
    assert_eq!(look(15, 8), (Verdict::Mine, vec![]));
}

#[test]
fn where_the_circle_closes_before_a_finger_there_is_none() {
    let ring = vec![place(0), place(1 << 40)];
    let table = FingerTable::converged(&ring, 0, FingerShape::full(Base::TWO), 1);
    assert_eq!(table.fingers()[40], ring[1]);
    assert_eq!(table.fingers()[41], ring[0]);
    assert_eq!(table.entries(), 1);
}
