use std::net::SocketAddr;

use ringway_catalog::{Addresses, NodeInfo, NodeState, RingKind, Secret};

use super::*;

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn ids(numbers: &[u8]) -> BTreeSet<NodeId> {
    numbers.iter().map(|number| id(*number)).collect()
}

fn node(number: u8) -> NodeInfo {
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    NodeInfo {
        id: id(number),
        name: format!("n{number}"),
        zone: String::new(),
        capacity: 1,
        addresses: Addresses { peer: at(u16::from(number)), http: None, https: None, redis: None, admin: at(1) },
        joined_ms: 0,
        state: NodeState::Active,
    }
}

fn do_all(catalog: &mut Catalog, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        catalog.apply(Stamped { now_ms: 0, command }).unwrap();
    }
}

/// A settled cluster of nodes 1..=count.
fn cluster(count: u8) -> Catalog {
    let mut catalog = Catalog::default();
    do_all(&mut catalog, [Command::Found { cluster_id: "c".into(), node: node(1), ring: RingKind::Managed }]);
    for number in 2..=count {
        let token = ringway_catalog::JoinToken::new(number.to_string(), b"s", 10);
        let join = Command::Join { token_id: number.to_string(), token_secret: Secret::new("s"), node: node(number) };
        do_all(&mut catalog, [Command::IssueToken(token), join]);
        settle(&mut catalog);
    }
    catalog
}

fn settle(catalog: &mut Catalog) {
    let epoch = catalog.epoch;
    for node in catalog.layout.members().to_vec() {
        do_all(catalog, [Command::Synced { node, epoch, partitions: None }]);
    }
}

fn seats(voters: &[u8], learners: &[u8]) -> Seats {
    Seats { voters: ids(voters), learners: ids(learners), joint: false, caught_up: ids(learners) }
}

fn check(catalog: &Catalog, seats: &Seats, expected: Option<Step>) {
    assert_eq!(next_step(catalog, seats, |_| Fitness::Reachable), expected, "{seats:?}");
}

#[test]
fn a_new_node_learns_first_and_votes_when_it_has_caught_up() {
    let catalog = cluster(3);
    check(&catalog, &seats(&[1], &[2]), Some(Step::AddLearners(ids(&[3]))));
    check(&catalog, &seats(&[1], &[2, 3]), Some(Step::SetVoters(ids(&[1, 2, 3]))));
    check(&catalog, &Seats { caught_up: ids(&[2]), ..seats(&[1], &[2, 3]) }, None);
    check(&catalog, &seats(&[1, 2, 3], &[]), None);
}

#[test]
fn two_nodes_stay_with_one_voter() {
    check(&cluster(2), &seats(&[1], &[2]), None);
}

#[test]
fn a_change_that_was_begun_is_finished_before_anything_else() {
    let catalog = cluster(4);
    let joint = Seats { joint: true, ..seats(&[1, 2, 3], &[]) };
    check(&catalog, &joint, Some(Step::SetVoters(ids(&[1, 2, 3]))));
}

#[test]
fn a_leaving_node_stops_voting_then_gives_its_data_away_then_goes() {
    let mut catalog = cluster(4);
    do_all(&mut catalog, [Command::Leave { node: id(1) }]);
    check(&catalog, &seats(&[1, 2, 3], &[4]), Some(Step::SetVoters(ids(&[2, 3, 4]))));
    check(&catalog, &seats(&[2, 3, 4], &[1]), None);
    settle(&mut catalog);
    check(&catalog, &seats(&[2, 3, 4], &[1]), Some(Step::Remove(id(1))));
    do_all(&mut catalog, [Command::Remove { node: id(1) }]);
    check(&catalog, &seats(&[2, 3, 4], &[1]), Some(Step::DropLearners(ids(&[1]))));
    check(&catalog, &seats(&[2, 3, 4], &[]), None);
}

#[test]
fn a_seat_is_not_given_to_a_node_that_does_not_answer() {
    let away = |node: NodeId| if node == id(3) { Fitness::Away } else { Fitness::Reachable };
    assert_eq!(next_step(&cluster(3), &seats(&[1], &[2, 3]), away), None);
}

#[test]
fn a_voter_that_leaves_does_not_wait_for_a_dead_node_to_take_its_seat() {
    let mut catalog = cluster(4);
    do_all(&mut catalog, [Command::Leave { node: id(1) }]);
    let dead = |node: NodeId| if node == id(3) { Fitness::Lost } else { Fitness::Reachable };
    let step = next_step(&catalog, &seats(&[1, 2, 4], &[3]), dead);
    assert_eq!(step, Some(Step::SetVoters(ids(&[2]))));
}

fn check_ring(catalog: &Catalog, down: &[(u8, u64)], expected: Option<Step>) {
    let down_for = |node| down.iter().find(|(n, _)| id(*n) == node).map(|(_, seconds)| Duration::from_secs(*seconds));
    assert_eq!(next_ring_step(catalog, down_for), expected, "{down:?}");
}

#[test]
fn a_node_that_is_down_for_long_is_given_up_and_taken_back_when_it_is_there() {
    let mut catalog = cluster(5);
    check_ring(&catalog, &[(2, 59)], None);
    check_ring(&catalog, &[(2, 60)], Some(Step::GiveUp(id(2))));
    do_all(&mut catalog, [Command::Configure { replace_after_ms: Some(2_000), transfer_rate: None }]);
    check_ring(&catalog, &[(2, 2)], Some(Step::GiveUp(id(2))));
    do_all(&mut catalog, [Command::GiveUp { node: id(2) }]);
    check_ring(&catalog, &[(2, 90)], None);
    check_ring(&catalog, &[], Some(Step::TakeBack(id(2))));
}

#[test]
fn nobody_is_given_up_where_each_node_has_a_copy_of_everything() {
    check_ring(&cluster(3), &[(2, 3600)], None);
    let mut catalog = cluster(4);
    do_all(&mut catalog, [Command::GiveUp { node: id(2) }]);
    check_ring(&catalog, &[(2, 3600), (3, 3600)], None);
}

#[test]
fn a_node_that_was_given_up_is_not_taken_out() {
    let mut catalog = cluster(4);
    do_all(&mut catalog, [Command::GiveUp { node: id(2) }]);
    settle(&mut catalog);
    assert!(!catalog.is_holder(id(2)));
    check(&catalog, &seats(&[1, 3, 4], &[2]), None);
}
