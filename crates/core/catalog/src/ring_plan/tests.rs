use super::*;
use crate::tests::{cluster, node};

#[test]
fn a_join_a_kill_and_a_leave_move_the_ideal_and_name_who_fetches_from_whom() {
    let catalog = cluster(10);
    for change in [
        Change::Join { count: 1 },
        Change::Join { count: 3 },
        Change::Kill { node: node(3).id },
        Change::Leave { node: node(3).id },
    ] {
        let plan = plan(&catalog, &change).unwrap();
        let primaries = Partition::all().filter(|p| plan.before.primary(*p) != plan.after.primary(*p)).count();
        println!("{change:?} {} of {} primaries {primaries}", plan.moved, plan.ideal);
        assert!(plan.moved_over_ideal().unwrap() <= 1.02, "{change:?}: {:?}", plan.moved_over_ideal());
        let flowing: usize = plan.flows.iter().map(|flow| flow.partitions.len()).sum();
        assert_eq!(flowing, plan.moved, "{change:?}");
        assert!(plan.lost.is_empty());
        let kills = matches!(change, Change::Kill { .. });
        assert_eq!(plan.flows.iter().any(|flow| flow.from == node(3).id), !kills, "the dead give nothing: {change:?}");
    }
}

#[test]
fn the_plan_is_what_the_change_does() {
    let mut catalog = cluster(5);
    let planned = plan(&catalog, &Change::Leave { node: node(2).id }).unwrap();
    crate::tests::apply(&mut catalog, crate::Command::Leave { node: node(2).id }).unwrap();
    let rows = |layout: &Layout| Partition::all().map(|p| layout.owners(p).collect()).collect::<Vec<Vec<_>>>();
    assert_eq!(rows(&planned.after), rows(&catalog.layout));
}

#[test]
fn a_plan_for_an_unknown_node_or_without_any_node_is_refused() {
    let catalog = cluster(1);
    assert!(matches!(plan(&catalog, &Change::Kill { node: node(9).id }), Err(Refusal::NoNode { .. })));
    assert_eq!(plan(&catalog, &Change::Leave { node: node(1).id }), Err(Refusal::LastNode));
}

/// Nodes 1 to `count` at `vnodes` places each, in turn.
fn places(count: u8, vnodes: u16) -> Vec<VirtualNode> {
    let place = |number: u16| {
        let step = PARTITION_COUNT as u16 / (u16::from(count) * vnodes);
        VirtualNode { point: Partition(number * step).end(), node: node((number % u16::from(count)) as u8 + 1).id }
    };
    (0..u16::from(count) * vnodes).map(place).collect()
}

#[test]
fn in_a_peer_to_peer_ring_the_arcs_of_one_that_goes_fall_to_those_behind_it() {
    let mut catalog = cluster(4);
    catalog.ring = crate::RingKind::Chord { vnodes: 4 };
    let gone = node(2).id;
    let plan = plan_places(&catalog, &places(4, 4), &[Change::Kill { node: gone }]).unwrap();
    // Every place of node 2 is followed by one of node 3.
    for partition in Partition::all().filter(|p| plan.before.primary(*p) == Some(gone)) {
        assert_eq!(plan.after.primary(partition), Some(node(3).id));
    }
    // Of three copies the dead node had one, and each of the three others has all now.
    assert_eq!((plan.before.shares()[&gone].held, plan.moved, plan.after.replicas()), (3072, 3072, 3));
    assert!(plan.flows.iter().all(|flow| flow.from != gone) && plan.lost.is_empty());
}

#[test]
fn who_joins_a_peer_to_peer_ring_takes_places_that_are_free() {
    let mut catalog = cluster(3);
    catalog.ring = crate::RingKind::Chord { vnodes: 8 };
    let before = places(3, 8);
    let plan = plan_places(&catalog, &before, &[Change::Join { count: 2 }]).unwrap();
    let again = plan_places(&catalog, &before, &[Change::Join { count: 2 }]).unwrap();
    assert_eq!(plan, again);
    let shares = plan.after.shares();
    assert_eq!(plan.joining.len(), 2);
    for id in &plan.joining {
        assert!(shares[id].primary > 100 && shares[id].held > shares[id].primary, "{:?}", shares[id]);
    }
    assert_eq!(shares.values().map(|share| share.primary).sum::<usize>(), PARTITION_COUNT);
    assert!(plan.moved_over_ideal().unwrap() < 1.5, "{:?}", plan.moved_over_ideal());
}
