use super::*;
use crate::random::generator;
use ringway_ring::Base;

fn ring(nodes: usize, list: usize, shape: FingerShape) -> ConvergedRing {
    let mut ring = ConvergedRing::new(nodes, list, &mut generator(7, 7));
    ring.fill_fingers(shape, |_| ());
    ring
}

#[test]
fn the_compact_tables_are_those_that_a_node_would_make_for_itself() {
    for (nodes, list) in [(2, 1), (3, 16), (40, 4), (2500, 16)] {
        for shape in [FingerShape::for_nodes(Base::TWO, nodes), FingerShape::beyond_list(Base::SIXTEEN, nodes, list)] {
            let ring = ring(nodes, list, shape);
            let spots: Vec<Spot> = (0..nodes as u32).map(|rank| ring.spot(rank)).collect();
            for at in (0..nodes).step_by(1 + nodes / 50) {
                let own = FingerTable::converged(&spots, at, shape, list);
                let compact = ring.fingers(spots[at]);
                assert_eq!(own.entries(), compact.entries());
                for number in 0..50_u64 {
                    let key = Point(number.wrapping_mul(0x1234_5678_9ABC_DEF1));
                    assert_eq!(own.step(key), compact.step(key), "{nodes} nodes, {shape:?}, at {at}");
                }
            }
        }
    }
}

#[test]
fn neighbours_are_the_next_on_either_side_all_round_the_circle() {
    let ring = ring(10, 3, FingerShape::for_nodes(Base::TWO, 10));
    let spot = ring.spot(1);
    let (ahead, at) = (ring.ahead(spot), ring.list + 1);
    let behind = Behind { points: &ring.points[at - 3..at], next: 1, nodes: 10, first: None };
    assert_eq!((0..3).map(|at| ahead.peer(at)).collect::<Vec<_>>(), [2, 3, 4].map(|rank| ring.spot(rank)));
    assert_eq!((0..3).map(|at| behind.peer(at)).collect::<Vec<_>>(), [0, 9, 8].map(|rank| ring.spot(rank)));
}

#[test]
fn the_dead_are_about_as_many_as_wanted_and_their_keys_fall_to_the_next_living() {
    let mut ring = ring(1000, 4, FingerShape::for_nodes(Base::TWO, 1000));
    ring.kill(0.3, &mut generator(1, 1));
    let dead = (0..1000).filter(|rank| ring.is_dead(*rank)).count();
    assert!((250..350).contains(&dead), "{dead}");
    let gone = (0..1000).find(|rank| ring.is_dead(*rank)).unwrap();
    let heir = ring.owner(ring.spot(gone).point);
    assert!(!ring.is_dead(heir.rank) && heir.rank > gone);
    assert!(ring.predecessor(heir.rank).rank < gone || gone == 0);
    ring.kill(1.0, &mut generator(1, 1));
    assert_eq!((0..1000).filter(|rank| !ring.is_dead(*rank)).count(), 1, "one stays");
}
