use super::*;
use proptest::prelude::*;

const COPIES: usize = 3;

fn member(number: u64) -> Member {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    Member { id: NodeId::from_bytes(bytes), zone: String::new(), capacity: 1 }
}

fn keys(count: u64) -> Vec<Point> {
    let mut last = 7_u64;
    spread_points(count, || {
        last = last.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        last >> 1
    })
}

fn placed(kind: PlacementKind, nodes: u64) -> Box<dyn Placement> {
    kind.place((1..=nodes).map(member).collect(), COPIES)
}

/// What a join and then the leave of another node move, over the ideal.
fn moved(kind: PlacementKind, nodes: u64) -> (f64, f64) {
    let (mut placement, keys) = (placed(kind, nodes), keys(16 * 4096));
    let joined = cost_of_change(placement.as_mut(), Change::Join(member(nodes + 1)), &keys);
    let left = cost_of_change(placement.as_mut(), Change::Leave(member(2).id), &keys);
    (joined.over_ideal(), left.over_ideal())
}

#[test]
fn a_placement_is_named_by_its_word() {
    for kind in PlacementKind::all() {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert_eq!("vnodes:7".parse(), Ok(PlacementKind::VirtualNodes(7)));
    for wrong in ["vnodes:0", "vnodes:", "vnodes:-1", "vnodes:4097", "vnodes", "Layout", ""] {
        assert!(wrong.parse::<PlacementKind>().is_err(), "{wrong}");
    }
}

#[test]
fn every_placement_names_different_nodes_and_all_if_there_are_few() {
    let mut owners = Vec::new();
    for kind in PlacementKind::all() {
        for nodes in 0..5 {
            let placement = placed(kind, nodes);
            for key in keys(200) {
                placement.owners(key, &mut owners);
                let mut different = owners.clone();
                different.sort_unstable();
                different.dedup();
                assert_eq!((owners.len(), different.len()), ((nodes as usize).min(COPIES), owners.len()), "{kind}");
            }
        }
    }
}

#[test]
fn modulo_moves_nearly_everything_and_the_layout_only_its_share() {
    let (join, leave) = moved(PlacementKind::Modulo, 20);
    assert!(join > 15.0 && leave > 15.0, "{join} {leave}");
    for nodes in [4, 20, 60] {
        let (join, leave) = moved(PlacementKind::Layout, nodes);
        assert!((0.97..=1.02).contains(&join) && (0.97..=1.02).contains(&leave), "{nodes}: {join} {leave}");
    }
    let (join, leave) = moved(PlacementKind::VirtualNodes(64), 20);
    assert!((0.7..1.3).contains(&join) && (0.7..1.3).contains(&leave), "{join} {leave}");
}

#[test]
fn one_place_a_node_is_uneven_many_are_better_and_the_layout_is_even() {
    let keys = keys(16 * 4096);
    let [modulo, chord, vnodes, layout] =
        PlacementKind::all().map(|kind| peak_over_mean(placed(kind, 50).as_ref(), &keys).primaries);
    assert!(
        modulo < 1.15 && chord > 2.0 && (1.05..1.6).contains(&vnodes) && layout <= 1.02,
        "{modulo} {chord} {vnodes} {layout}"
    );
}

#[test]
fn who_comes_twice_or_was_never_there_changes_nothing() {
    for kind in PlacementKind::all() {
        let (mut placement, keys) = (placed(kind, 5), keys(500));
        assert_eq!(cost_of_change(placement.as_mut(), Change::Join(member(3)), &keys).copies, 0, "{kind}");
        assert_eq!(cost_of_change(placement.as_mut(), Change::Leave(member(77).id), &keys).copies, 0, "{kind}");
        assert_eq!(placement.members().len(), 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// The table: replicas within 1.02 of the mean, primaries within 1.05, and never more than 1.02 of the ideal moved.
    #[test]
    fn any_joins_and_leaves_keep_the_layout_even_and_move_the_least(
        nodes in 4_u64..60,
        events in prop::collection::vec(any::<(bool, u16)>(), 1..25),
    ) {
        let (mut placement, keys) = (placed(PlacementKind::Layout, nodes), keys(4096));
        let mut moves = Moves::default();
        for (number, (join, which)) in (1000_u64..).zip(events) {
            let members = placement.members();
            let leaving = members[usize::from(which) % members.len()];
            let change = if join || members.len() <= 4 { Change::Join(member(number)) } else { Change::Leave(leaving) };
            moves.add(cost_of_change(placement.as_mut(), change, &keys));
        }
        let cost = peak_over_mean(placement.as_ref(), &keys);
        prop_assert!(moves.over_ideal() <= 1.02, "{moves:?}");
        prop_assert!(cost.replicas <= 1.02 && cost.primaries <= 1.05, "{cost:?}");
    }
}
