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
