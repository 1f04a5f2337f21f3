use expect_test::{Expect, expect};
use ringway_ring::{Layout, Member, PARTITION_COUNT, Row};

use super::*;

fn layout(nodes: &[u8], replicas: usize) -> Layout {
    let members: Vec<Member> =
        nodes.iter().map(|n| Member { id: NodeId::from_bytes([*n; 16]), zone: String::new(), capacity: 1 }).collect();
    Layout::next(&Layout::default(), &members, replicas)
}

fn arcs_of(layout: &Layout) -> Vec<RingArc> {
    let row = |partition| Row { readers: layout.owners(partition).collect(), ..Row::default() };
    arcs(&Holders::new(1, row), layout.members())
}

fn check(layout: &Layout, first: usize, expected: Expect) {
    let arcs = arcs_of(layout);
    let shown: Vec<String> = arcs
        .iter()
        .take(first)
        .map(|arc| format!("{}-{} {:?}", arc.from_partition, arc.to_partition, arc.owners))
        .collect();
    expected.assert_eq(&format!("{} arcs: {}", arcs.len(), shown.join(", ")));
}

#[test]
fn one_node_has_one_arc_all_around() {
    check(&layout(&[1], 3), 9, expect!["1 arcs: 0-4095 [0]"]);
}

#[test]
fn an_empty_ring_has_none() {
    check(&Layout::default(), 9, expect!["0 arcs: "]);
}

#[test]
fn neighbours_with_the_same_owners_are_one_arc() {
    check(&layout(&[1, 2], 2), 9, expect!["2 arcs: 0-2047 [0, 1], 2048-4095 [1, 0]"]);
}

#[test]
fn a_freshly_dealt_ring_changes_owners_at_every_partition() {
    check(
        &layout(&[1, 2, 3], 2),
        6,
        expect!["4096 arcs: 0-0 [0, 1], 1-1 [1, 2], 2-2 [2, 0], 3-3 [0, 1], 4-4 [1, 2], 5-5 [2, 0]"],
    );
}

#[test]
fn arcs_cover_the_ring_once_and_agree_with_the_table() {
    let layout = layout(&[1, 2, 3, 4, 5], 3);
    let arcs = arcs_of(&layout);
    let mut next = 0;
    for arc in &arcs {
        assert_eq!(arc.from_partition, next);
        for partition in arc.from_partition..=arc.to_partition {
            let owners: Vec<NodeId> = layout.owners(Partition(partition)).collect();
            let told: Vec<NodeId> = arc.owners.iter().map(|place| layout.members()[usize::from(*place)]).collect();
            assert_eq!(told, owners);
        }
        next = arc.to_partition + 1;
    }
    assert_eq!(usize::from(next), PARTITION_COUNT);
    assert!(arcs.windows(2).all(|pair| pair[0].owners != pair[1].owners));
}
