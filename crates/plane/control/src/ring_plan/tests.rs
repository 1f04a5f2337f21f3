use std::net::SocketAddr;

use ringway_catalog::{Addresses, LAYOUT_REPLICAS, NodeInfo, NodeState, RingSettings};
use ringway_ring::Member;

use super::*;

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn catalog(count: u8) -> Catalog {
    let ring_settings = RingSettings { transfer_rate: 1 << 20, replace_after_ms: 120_000 };
    let mut catalog = Catalog { ring_settings, ..Catalog::default() };
    for number in 1..=count {
        let address = SocketAddr::from(([127, 0, 0, number], 1));
        let node = NodeInfo {
            id: id(number),
            name: format!("n{number}"),
            zone: String::new(),
            capacity: 1,
            addresses: Addresses { peer: address, http: None, https: None, redis: None, admin: address },
            joined_ms: 1,
            state: NodeState::Active,
        };
        catalog.nodes.insert(node.id, node);
    }
    let members: Vec<Member> = catalog.nodes.values().map(NodeInfo::as_member).collect();
    catalog.layout = Layout::next(&Layout::default(), &members, LAYOUT_REPLICAS);
    catalog
}

/// Ten keys of a kilobyte everywhere.
fn loads() -> Loads {
    Partition::all().map(|partition| (partition, KeysHeld { keys: 10, bytes: 10_240 })).collect()
}

fn joining(join: usize) -> Change {
    Change { join, ..Change::default() }
}

#[test]
fn a_join_moves_the_newcomers_share_and_no_more() {
    let plan = plan(&catalog(3), &[], &joining(1), &loads()).unwrap();
    assert_eq!(plan.change, "1 node joins");
    assert_eq!((plan.moved.partitions, plan.moved.keys, plan.moved.bytes), (3072, 30_720, 3072 * 10_240));
    assert_eq!(plan.moved_over_ideal, Some(1.0));
    let new = plan.nodes.iter().find(|node| node.role == "joins").unwrap();
    assert_eq!((new.name.as_str(), new.now.held, new.then.held, new.fetches.partitions), ("new-1", 0, 3072, 3072));
    assert!(
        plan.nodes
            .iter()
            .filter(|node| node.role == "stays")
            .all(|node| node.now.held == 4096 && node.then.held == 3072)
    );
    // 30 MiB at one a second.
    assert!((plan.minutes.unwrap() - 0.5).abs() < 0.01, "{:?}", plan.minutes);
    assert!(plan.kill.is_none());
}

#[test]
fn dealing_by_the_number_of_nodes_moves_most_of_what_there_is() {
    let plan = plan(&catalog(20), &[], &joining(1), &loads()).unwrap();
    assert!((0.99..1.02).contains(&plan.moved_over_ideal.unwrap()), "{:?}", plan.moved_over_ideal);
    assert!(plan.modulo_over_ideal.unwrap() > 10.0, "{:?}", plan.modulo_over_ideal);
}

#[test]
fn what_a_leaver_had_is_spread_over_those_who_stay() {
    let change = Change { leave: [id(2)].into(), ..Change::default() };
    let plan = plan(&catalog(5), &[], &change, &loads()).unwrap();
    assert_eq!(plan.change, "n2 leaves");
    let held: u64 = plan.nodes.iter().find(|node| node.name == "n2").unwrap().now.held;
    assert_eq!(plan.moved.partitions, held);
    assert!(plan.moves.iter().all(|step| step.to != "n2"));
    assert_eq!(plan.nodes.iter().map(|node| node.fetches.partitions).sum::<u64>(), held);
    assert!((1.0..1.02).contains(&plan.moved_over_ideal.unwrap()));
}

#[test]
fn a_kill_says_who_answers_at_once_and_what_has_fewer_copies_for_how_long() {
    let change = Change { kill: [id(1)].into(), ..Change::default() };
    let plan = plan(&catalog(5), &[], &change, &loads()).unwrap();
    let kill = plan.kill.unwrap();
    let now = plan.nodes.iter().find(|node| node.name == "n1").unwrap().now;
    assert_eq!(kill.taken_over.iter().map(|taken| taken.partitions).sum::<u64>(), now.primary);
    assert_eq!(kill.copies_left, [CopiesLeft { copies: 2, partitions: now.held }]);
    assert_eq!(kill.replace_after_ms, 120_000);
    assert!((kill.whole_after_minutes.unwrap() - 2.0 - plan.minutes.unwrap()).abs() < 1e-9);
    assert!(plan.moves.iter().all(|step| step.from != "n1"), "the dead give nothing");
}

#[test]
fn of_two_nodes_one_dies_and_the_other_has_the_only_copy() {
    let change = Change { kill: [id(1)].into(), ..Change::default() };
    let plan = plan(&catalog(2), &[], &change, &Loads::new()).unwrap();
    assert_eq!((plan.replicas_now, plan.replicas_then, plan.moved.partitions), (2, 1, 0));
    let kill = plan.kill.unwrap();
    assert_eq!(kill.copies_left, [CopiesLeft { copies: 1, partitions: 4096 }]);
    assert_eq!(kill.whole_after_minutes, None);
    assert_eq!((plan.minutes, plan.moved_over_ideal), (None, None));
}

#[test]
fn a_node_that_takes_the_place_of_another_fetches_all_that_that_one_had() {
    let change = Change { join: 1, leave: [id(4)].into(), kill: BTreeSet::new() };
    let plan = plan(&catalog(4), &[], &change, &loads()).unwrap();
    assert_eq!(plan.change, "1 node joins, n4 leaves");
    assert_eq!(plan.moved.partitions, 3072);
}

#[test]
fn several_may_die_and_who_is_away_already_is_said_to_be() {
    let mut catalog = catalog(5);
    catalog.nodes.get_mut(&id(5)).unwrap().state = NodeState::Away;
    let change = Change { kill: [id(1), id(2)].into(), ..Change::default() };
    let plan = plan(&catalog, &[], &change, &loads()).unwrap();
    assert_eq!(plan.change, "n1, n2 die");
    let roles: Vec<&str> = plan.nodes.iter().map(|node| node.role.as_str()).collect();
    assert_eq!(roles, ["dies", "dies", "stays", "stays", "is away"]);
}
