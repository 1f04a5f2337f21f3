//! Peer-to-peer rings over real sockets: nobody agrees on who holds what, and yet everything has one owner.

use std::collections::BTreeSet;

use ringway_catalog::Command;
use ringway_ring::{NodeId, PARTITION_COUNT, Partition, Point};

use crate::harness::{Dir, Node, eventually};

const VNODES: u8 = 8;

fn owned(node: &Node) -> BTreeSet<Partition> {
    let holders = node.cluster().ring.watch().borrow().clone();
    Partition::all().filter(|p| holders.readers(*p).first() == Some(&node.id())).collect()
}

fn points(node: &Node) -> BTreeSet<Point> {
    node.cluster().ring.virtual_nodes().iter().map(|view| view.point).collect()
}

/// Every partition has exactly one owner, and all places are in the ring.
fn is_whole(nodes: &[Node]) -> bool {
    let parts: Vec<BTreeSet<Partition>> = nodes.iter().map(owned).collect();
    let all: BTreeSet<Partition> = parts.iter().flatten().copied().collect();
    let is_placed = |node: &Node| {
        let views = node.cluster().ring.virtual_nodes();
        views.len() == usize::from(VNODES) && views.iter().all(|view| view.arc.is_some())
    };
    all.len() == PARTITION_COUNT
        && parts.iter().map(BTreeSet::len).sum::<usize>() == PARTITION_COUNT
        && nodes.iter().all(is_placed)
}

fn whole(what: &str, nodes: &[Node]) {
    eventually(what, || is_whole(nodes));
}

/// Both joiners at once: a join during a join.
fn three(dir: &Dir) -> Vec<Node> {
    let first = Node::found_chord(dir, "one", VNODES);
    let tokens = [("two", first.token()), ("three", first.token())];
    let mut nodes = vec![first];
    std::thread::scope(|scope| {
        let joins = tokens.map(|(name, token)| scope.spawn(move || Node::join(dir, name, &token, 0).expect("joins")));
        nodes.extend(joins.map(|join| join.join().expect("a join does not panic")));
    });
    whole("a ring of three", &nodes);
    nodes
}

fn found_by(node: &Node, partition: Partition) -> NodeId {
    let found = node.wait(node.cluster().ring.find(partition));
    found.expect("somebody answers for it")[0]
}

#[test]
fn a_ring_of_one_owns_everything_and_two_that_join_at_once_share_it() {
    let dir = Dir::new();
    let first = Node::found_chord(&dir, "one", VNODES);
    eventually("the founder owns all", || owned(&first).len() == PARTITION_COUNT);
    assert!(first.catalog().layout.is_empty());
    let tokens = [("two", first.token()), ("three", first.token())];
    let mut nodes = vec![first];
    std::thread::scope(|scope| {
        let dir = &dir;
        let joins = tokens.map(|(name, token)| scope.spawn(move || Node::join(dir, name, &token, 0).expect("joins")));
        nodes.extend(joins.map(|join| join.join().expect("a join does not panic")));
    });
    whole("a ring of three", &nodes);
    let owner_of = |p: Partition| nodes.iter().find(|node| owned(node).contains(&p)).map(Node::id);
    for node in &nodes {
        for number in [0, 1000, 2047, 4095] {
            assert_eq!(Some(found_by(node, Partition(number))), owner_of(Partition(number)), "by {}", node.name());
        }
    }
    let ring = &nodes[0].cluster().ring;
    eventually("what was looked up is known with its replicas", || {
        // Its owner may not have known both others yet when it was asked.
        ring.forget(Partition(4095));
        found_by(&nodes[0], Partition(4095));
        let holders = ring.watch().borrow().clone();
        holders.readers(Partition(4095)).len() == 3
    });
}

#[test]
fn the_arcs_of_a_killed_node_fall_to_the_others_and_it_comes_back_to_its_places() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let third = nodes.pop().expect("three nodes");
    let (before, at) = (points(&third), third.address());
    third.kill();
    whole("two share what the third had", &nodes);
    nodes.push(Node::open(&dir, "three", at));
    whole("three again", &nodes);
    assert_eq!(points(&nodes[2]), before);
}

#[test]
fn a_ring_whose_nodes_all_lose_power_comes_back_as_one() {
    let dir = Dir::new();
    let nodes = three(&dir);
    let places: Vec<(String, std::net::SocketAddr)> = nodes.iter().map(|node| (node.name(), node.address())).collect();
    let before: Vec<BTreeSet<Point>> = nodes.iter().map(points).collect();
    nodes.into_iter().for_each(Node::kill);
    let nodes: Vec<Node> = places.iter().map(|(name, at)| Node::open(&dir, name, *at)).collect();
    whole("one ring of three", &nodes);
    assert_eq!(nodes.iter().map(points).collect::<Vec<_>>(), before);
}

#[test]
fn a_node_whose_places_are_taken_or_lost_draws_others() {
    let dir = Dir::new();
    let first = Node::found_chord(&dir, "one", VNODES);
    eventually("the founder is in", || owned(&first).len() == PARTITION_COUNT);
    // As if its data directory had been copied from the first node's.
    let of = |name: &str| dir.node(name).join("cluster").join("places.json");
    std::fs::create_dir_all(dir.node("two").join("cluster")).expect("a directory");
    std::fs::copy(of("one"), of("two")).expect("a copy");
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    let mut nodes = vec![first, second];
    whole("a ring of two", &nodes);
    assert!(points(&nodes[0]).is_disjoint(&points(&nodes[1])));

    let second = nodes.pop().expect("two nodes");
    let (at, before) = (second.address(), points(&second));
    second.stop();
    std::fs::write(of("two"), b"{\"partitions\":[9999]}").expect("a file");
    nodes.push(Node::open(&dir, "two", at));
    whole("a ring of two again", &nodes);
    assert_ne!(points(&nodes[1]), before);
}

#[test]
fn a_node_that_departs_leaves_its_arcs_behind_and_a_removed_one_is_nobodys_neighbour() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let third = nodes.pop().expect("three nodes");
    third.leave();
    third.wait(third.cluster().ring.depart());
    whole("two share what the third had", &nodes);
    assert!(owned(&third).is_empty());
    let partition = Partition(7);
    assert_eq!(found_by(&third, partition), found_by(&nodes[0], partition), "it still finds others");
    assert_eq!(nodes[0].catalog().nodes.len(), 3, "it may still have what others lack");
    third.cluster().ring.note_emptied();
    eventually("the third is out", || nodes[0].catalog().nodes.len() == 2 && *third.cluster().removed().borrow());

    let second = nodes.pop().expect("two nodes");
    let gone = second.id();
    nodes[0].propose(Command::Remove { node: gone }).expect("removed");
    whole("the first is alone", &nodes);
    let knows = |view: &ringway_ports::VirtualNodeView| {
        view.successors.iter().chain(&view.predecessor).any(|neighbour| neighbour.node == gone)
    };
    eventually("nobody knows it", || !nodes[0].cluster().ring.virtual_nodes().iter().any(knows));
}

#[test]
fn a_node_that_departs_while_it_joins_is_out_for_good() {
    let dir = Dir::new();
    let first = Node::found_chord(&dir, "one", VNODES);
    eventually("the founder is in", || owned(&first).len() == PARTITION_COUNT);
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    second.leave();
    second.wait(second.cluster().ring.depart());
    second.cluster().ring.note_emptied();
    eventually("the second is out", || first.catalog().nodes.len() == 1);
    eventually("the first has everything", || owned(&first).len() == PARTITION_COUNT);
    assert!(owned(&second).is_empty());
    assert!(second.cluster().ring.virtual_nodes().iter().all(|view| view.arc.is_none()));
}
