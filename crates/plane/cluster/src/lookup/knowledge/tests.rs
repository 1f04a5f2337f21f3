use super::*;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// Partition p is held by node p % 5 + 1, with a copy on the next.
fn holders() -> Holders {
    Holders::new(1, |partition| ringway_ring::Row {
        readers: vec![node((partition.0 % 5) as u8 + 1), node(((partition.0 + 1) % 5) as u8 + 1)],
        ..Default::default()
    })
}

#[test]
fn a_partition_ends_where_its_virtual_node_stands() {
    for partition in [Partition(0), Partition(7), Partition(4095)] {
        assert_eq!(partition_at(partition.end()), partition);
        assert_eq!(partition_at(partition.end().plus(1)), Partition((partition.0 + 1) % 4096));
    }
}

#[test]
fn every_router_says_mine_for_what_is_held_here_and_never_else() {
    let holders = holders();
    for number in 1..=5 {
        let knowledge = Knowledge::new(node(number), &holders, |_| true);
        for partition in Partition::all() {
            let key = Point(partition.end().0 - 12_345);
            let at = knowledge.start(key).unwrap().point;
            for via in [Via::Table, Via::Neighbours, Via::Fingers] {
                let is_mine = knowledge.step(via, Walk::Node, at, key).step == Step::Mine;
                assert_eq!(is_mine, holders.readers(partition)[0] == node(number), "{via} {partition:?}");
            }
        }
    }
}

#[test]
fn a_virtual_node_knows_only_its_own_neighbours_and_fingers() {
    let knowledge = Knowledge::new(node(1), &holders(), |_| true);
    let far = Partition(2000).end();
    let of = |via| knowledge.step(via, Walk::Virtual, Partition(0).end(), far);
    assert_eq!(of(Via::Neighbours).entries, 32);
    assert!((45..=61).contains(&of(Via::Fingers).entries), "{}", of(Via::Fingers).entries);
    let Step::Ask(candidates) = of(Via::Neighbours).step else { panic!("it is not its own") };
    assert_eq!(candidates[0].point, Partition(16).end(), "the farthest it knows on the shorter way");
}

#[test]
fn what_a_dead_node_held_is_answered_for_by_the_next_owner() {
    let knowledge = Knowledge::new(node(3), &holders(), |up| up != node(2));
    assert_eq!(knowledge.holder(Partition(1)), Some(node(3)));
    assert!(knowledge.owns(Partition(1).end()));
}

#[test]
fn a_virtual_node_that_went_elsewhere_is_not_answered_for() {
    let knowledge = Knowledge::new(node(1), &holders(), |_| true);
    let saw = knowledge.step(Via::Fingers, Walk::Virtual, Partition(1).end(), Point(9));
    assert_eq!((saw.step, saw.entries), (Step::Unknown, 0));
}

#[test]
fn a_node_without_a_part_of_the_ring_begins_nowhere() {
    let knowledge = Knowledge::new(node(9), &holders(), |_| true);
    assert_eq!(knowledge.start(Point(5)), None);
}
