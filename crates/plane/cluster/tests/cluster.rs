//! Several nodes in one process, each on a runtime of its own so that it can be killed: real sockets, real TLS, real disks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cluster/chord_ring.rs"]
mod chord_ring;
mod harness;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use harness::{Dir, Node, eventually};
use ringway_catalog::{Bucket, Command, Outcome, Secret};
use ringway_cluster::{Cluster, Error, Token};
use ringway_ports::{PeerError, PeerHandler, Priority, Reach, Service};
use ringway_ring::NodeId;

fn make_bucket(name: &str) -> Command {
    let spec = serde_json::from_str("{}").expect("a bucket has defaults");
    Command::PutBucket(Bucket { name: name.into(), app: None, spec, token: Secret::new("t"), created_ms: 0 })
}

/// Three nodes that are settled and all vote.
fn three(dir: &Dir) -> Vec<Node> {
    let first = Node::found(dir, "one");
    let mut nodes = vec![first];
    for name in ["two", "three"] {
        let node = Node::join(dir, name, &nodes[0].token(), 0).expect("joins");
        nodes.push(node);
        harness::settle(&nodes);
    }
    eventually("three voters everywhere", || nodes.iter().all(|node| node.cluster().voters().len() == 3));
    nodes
}

fn reach(of: &Node, seen_by: &Node) -> Option<Reach> {
    seen_by.cluster().membership.watch().borrow().get(&of.id()).copied()
}

#[test]
fn two_nodes_join_a_third_and_all_have_the_same_catalog() {
    let dir = Dir::new();
    let nodes = three(&dir);
    assert_eq!(nodes[2].propose(make_bucket("b")), Ok(Outcome::Done));
    let revision = nodes[2].catalog().revision;
    eventually("the same catalog", || nodes.iter().all(|node| node.catalog().revision == revision));
    assert_eq!(nodes[0].catalog(), nodes[1].catalog());
    assert_eq!(nodes[0].catalog(), nodes[2].catalog());
    let names: Vec<String> = nodes[1].catalog().nodes.values().map(|node| node.name.clone()).collect();
    assert_eq!(names.len(), 3);
    eventually("everybody sees everybody", || {
        nodes.iter().all(|a| nodes.iter().all(|b| a.id() == b.id() || reach(a, b) == Some(Reach::Up)))
    });
}

#[test]
fn a_token_that_is_no_good_is_refused_in_words() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let refusal =
        |name: &str, token: &str, skew: i64| Node::join(&dir, name, token, skew).err().expect("refused").to_string();

    assert_eq!(refusal("x", "hello", 0), "this is not a ringway token: it does not start with rw1.");

    let used = first.token();
    let second = Node::join(&dir, "two", &used, 0).expect("joins");
    harness::settle(&[&first, &second]);
    assert_eq!(
        refusal("x", &used, 0),
        "the token was used by node two; each admits one node: make a new one with `ringway token`"
    );

    let expired = first.token_for(Duration::ZERO);
    assert_eq!(refusal("x", &expired, 0), "the token expired 0 minutes ago: make a new one with `ringway token`");

    let mut unknown = Token::parse(&first.token()).expect("a token");
    unknown.secret = Secret::new("guess");
    assert_eq!(
        refusal("x", &unknown.to_text(), 0),
        "the token is not one of this cluster's: make a new one with `ringway token`"
    );

    let mut elsewhere = Token::parse(&first.token()).expect("a token");
    elsewhere.fingerprint[0] ^= 1;
    assert_eq!(
        refusal("x", &elsewhere.to_text(), 0),
        format!(
            "{} answers with another certificate than the one that the token names: is the address right, and is nobody in between?",
            first.address()
        )
    );

    let mut nobody = Token::parse(&first.token()).expect("a token");
    let closed = harness::closed_address();
    nobody.addresses = vec![closed];
    assert_eq!(
        refusal("x", &nobody.to_text(), 0),
        format!("nobody answers at {closed}: is that node running and reachable from here?")
    );

    let token = first.token();
    assert_eq!(
        refusal("x", &token, -60_500),
        "the clock of this machine is 60 s behind the cluster's: set it (for example `timedatectl set-ntp true`) and join again"
    );
    assert!(refusal("x", &token, 10 * 86_400_000).contains("ahead of the cluster's"));
    let namesake = Node::join_as(&dir, "elsewhere", "two", harness::any_address(), &token, 0).err().expect("refused");
    assert_eq!(namesake.to_string(), "there is a node named two already: give this one another with --name");
    let address_taken = Node::join_saying(&dir, "three", first.address(), &token).err().expect("refused");
    assert_eq!(
        address_taken.to_string(),
        format!("node one listens on {} already: start this one with other addresses", first.address())
    );
    let in_use = Node::try_open(&dir, "two", harness::any_address()).err().expect("two runs");
    assert!(
        in_use.to_string().ends_with("is in use: is another ringway running with this data directory?"),
        "{in_use}"
    );
    assert_eq!(first.catalog().nodes.len(), 2);
}

#[test]
fn a_join_whose_answer_was_lost_can_be_repeated() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let token = first.token();
    let second = Node::join(&dir, "two", &token, 0).expect("joins");
    let (id, address) = (second.id(), second.address());
    second.kill();
    harness::lose_answer(&dir, "two");
    let second = Node::join_at(&dir, "two", address, &token, 0).expect("joins again");
    assert_eq!(second.id(), id);
    assert_eq!(first.catalog().nodes.len(), 2);
}

#[test]
fn a_stranger_cannot_speak_to_members() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let other_cluster = Node::found(&dir, "other");
    assert!(!harness::can_speak(&first, None), "without a certificate");
    assert!(!harness::can_speak(&first, Some(&other_cluster.identity())), "with another cluster's certificate");
    assert!(
        !harness::can_speak(&first, Some(&harness::forge(&first.identity()))),
        "with our authority's key, but in no catalog"
    );
    assert!(harness::can_speak(&first, Some(&first.identity())), "the test's client itself works");
}

#[test]
fn with_one_of_three_killed_the_others_agree_and_it_finds_its_place_again() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let leader = nodes[1].cluster().control_log.leader().expect("there is one");
    let place = nodes.iter().position(|node| node.id() == leader).expect("one of ours");
    let killed = nodes.remove(place);
    let (id, name, address) = (killed.id(), killed.name(), killed.address());
    killed.kill();

    let started = std::time::Instant::now();
    eventually("down", || nodes[0].cluster().membership.watch().borrow().get(&id) == Some(&Reach::Down));
    assert!(started.elapsed() < Duration::from_secs(5), "down after {:?}", started.elapsed());
    assert!(!nodes[0].cluster().membership.is_reachable(id));
    assert_eq!(nodes[1].propose(make_bucket("meanwhile")), Ok(Outcome::Done));

    let back = Node::open(&dir, &name, address);
    assert_eq!(back.id(), id);
    eventually("up again", || nodes.iter().all(|node| reach(&back, node) == Some(Reach::Up)));
    eventually("caught up", || back.catalog().buckets.contains_key("meanwhile"));
    assert_eq!(back.propose(make_bucket("after")), Ok(Outcome::Done));
}

#[test]
fn a_node_that_comes_back_with_another_address_is_found_there() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let moved = nodes.remove(2);
    let (id, name) = (moved.id(), moved.name());
    moved.kill();
    let moved = Node::open(&dir, &name, harness::any_address());
    let address = moved.address();
    eventually("the new address", || nodes[0].catalog().nodes[&id].addresses.peer == address);
    eventually("up", || nodes.iter().all(|node| reach(&moved, node) == Some(Reach::Up)));
}

#[test]
fn a_member_whose_log_is_gone_does_not_start_as_if_it_had_agreed_to_nothing() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let third = nodes.pop().unwrap();
    let at = third.address();
    third.stop();
    std::fs::remove_file(dir.node("three").join("cluster/log.redb")).unwrap();
    let refused = Node::try_open(&dir, "three", at).err().expect("refused").to_string();
    assert!(refused.contains("log.redb is gone") && refused.contains("ringway leave --dead"), "{refused}");
}

#[test]
fn a_member_that_comes_back_with_an_old_disk_harms_nobody_and_is_brought_up_to_date() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let third = nodes.pop().unwrap();
    let (at, log) = (third.address(), dir.node("three").join("cluster/log.redb"));
    third.stop();
    std::fs::copy(&log, log.with_extension("old")).unwrap();
    let third = Node::open(&dir, "three", at);
    for number in 0..5 {
        assert_eq!(nodes[0].propose(make_bucket(&format!("b{number}"))), Ok(Outcome::Done));
    }
    eventually("it has them", || third.catalog().buckets.len() == 5);
    third.stop();
    std::fs::copy(log.with_extension("old"), &log).unwrap();
    let third = Node::open(&dir, "three", at);
    eventually("it has them again", || third.catalog().buckets.len() == 5);
    assert_eq!(nodes[0].propose(make_bucket("more")), Ok(Outcome::Done));
    assert_eq!(nodes[1].propose(make_bucket("most")), Ok(Outcome::Done));
    eventually("all have all", || nodes.iter().chain([&third]).all(|node| node.catalog().buckets.len() == 7));
}

#[test]
fn after_a_second_process_with_its_identity_is_gone_a_node_is_found_where_it_is() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let third = nodes.pop().unwrap();
    let (at, id) = (third.address(), third.id());
    third.stop();
    let (original, copy) = (dir.node("three").join("cluster"), dir.node("twin").join("cluster"));
    std::fs::create_dir_all(&copy).unwrap();
    for file in std::fs::read_dir(&original).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let _third = Node::open(&dir, "three", at);
    let twin = Node::open(&dir, "twin", harness::any_address());
    let known = || nodes[0].catalog().nodes[&id].addresses.peer;
    eventually("the copy says that it is elsewhere", || known() == twin.address());
    twin.kill();
    eventually("it is where it was", || known() == at);
}

#[test]
fn after_all_three_were_killed_it_is_the_same_cluster() {
    let dir = Dir::new();
    let nodes = three(&dir);
    assert_eq!(nodes[0].propose(make_bucket("kept")), Ok(Outcome::Done));
    let before = (nodes[0].cluster().cluster_id().to_owned(), nodes[0].catalog().nodes.clone());
    let places: Vec<_> = nodes.iter().map(|node| (node.name(), node.address())).collect();
    nodes.into_iter().for_each(Node::kill);

    let nodes: Vec<Node> = places.iter().map(|(name, address)| Node::open(&dir, name, *address)).collect();
    assert!(nodes[0].catalog().buckets.contains_key("kept"), "known before anybody leads");
    assert_eq!(nodes[2].propose(make_bucket("new")), Ok(Outcome::Done));
    assert_eq!((nodes[0].cluster().cluster_id().to_owned(), nodes[0].catalog().nodes.clone()), before);
}

#[test]
fn a_group_of_one_leads_at_once_after_a_restart() {
    let dir = Dir::new();
    let only = Node::found(&dir, "one");
    let address = only.address();
    only.stop();
    let only = Node::open(&dir, "one", address);
    let started = std::time::Instant::now();
    assert_eq!(only.propose(make_bucket("b")), Ok(Outcome::Done));
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "as if it had waited for an election: {:?}",
        started.elapsed()
    );
}

#[test]
fn a_node_that_leaves_is_out_and_knows_it() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let leader = nodes[1].cluster().control_log.leader().expect("there is one");
    let place = nodes.iter().position(|node| node.id() == leader).expect("one of ours");
    let leaving = nodes.remove(place);
    let removed = leaving.cluster().removed();
    leaving.leave();
    eventually("known to leave", || !nodes[0].catalog().nodes[&leaving.id()].is_active());
    harness::settle(&nodes);
    eventually("out of the catalog", || nodes.iter().all(|node| node.catalog().nodes.len() == 2));
    eventually("it knows", || *removed.borrow());
    eventually("one voter of two", || nodes.iter().all(|node| node.cluster().voters().len() == 1));
    eventually("nobody speaks to it any more", || !harness::can_speak(&nodes[0], Some(&leaving.identity())));
    leaving.stop();
    assert_eq!(nodes[0].propose(make_bucket("b")), Ok(Outcome::Done));
}

#[test]
fn a_node_that_was_removed_while_it_was_down_is_told_when_it_comes_back() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let killed = nodes.remove(2);
    let (id, name, address) = (killed.id(), killed.name(), killed.address());
    killed.kill();
    assert!(matches!(nodes[0].propose(Command::Remove { node: id }), Ok(Outcome::LayoutChanged { .. })));
    eventually("out of the group", || nodes.iter().all(|node| node.cluster().voters().len() == 1));
    let back = Node::open(&dir, &name, address);
    let removed = back.cluster().removed();
    eventually("it knows", || *removed.borrow());
}

#[test]
fn a_node_that_stops_in_order_says_good_bye() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    let stopped = nodes.remove(1);
    let id = stopped.id();
    eventually("up", || nodes.iter().all(|node| reach(&stopped, node) == Some(Reach::Up)));
    stopped.stop();
    let started = std::time::Instant::now();
    eventually("down", || nodes[0].cluster().membership.watch().borrow().get(&id) == Some(&Reach::Down));
    assert!(started.elapsed() < Duration::from_millis(800), "as if it had been probed: {:?}", started.elapsed());
}

#[test]
fn without_most_of_its_nodes_the_cluster_says_so_and_still_knows_its_catalog() {
    let dir = Dir::new();
    let mut nodes = three(&dir);
    nodes.remove(2).kill();
    nodes.remove(1).kill();
    let error = nodes[0].propose(make_bucket("b")).unwrap_err().to_string();
    assert_eq!(error, "the cluster could not agree within 5s: are most of its nodes up? `ringway status` shows them");
    assert_eq!(nodes[0].catalog().nodes.len(), 3);
}

struct Echo;

impl PeerHandler for Echo {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let answer = match &body[..] {
            b"fail" => Err(format!("no, {}", from.short())),
            b"hang" => return std::future::pending().boxed(),
            _ => Ok(body),
        };
        std::future::ready(answer).boxed()
    }
}

#[test]
fn nodes_call_each_other() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    second.cluster().peers.serve(Service::Data, Arc::new(Echo));
    let call = |body: Bytes, within| {
        first.wait(first.cluster().peers.call(second.id(), Priority::Client, Service::Data, body, within))
    };
    let second_long = Duration::from_secs(5);

    assert_eq!(call(Bytes::from_static(b"hi"), second_long), Ok(Bytes::from_static(b"hi")));
    let large = Bytes::from(vec![7; 8 << 20]);
    assert_eq!(call(large.clone(), second_long), Ok(large.clone()));
    assert_eq!(call(Bytes::from(vec![7; (8 << 20) + 1]), second_long), Err(PeerError::TooLarge((8 << 20) + 1)));
    let refused = PeerError::Remote(second.id(), format!("no, {}", first.id().short()));
    assert_eq!(call(Bytes::from_static(b"fail"), second_long), Err(refused));
    let short = Duration::from_millis(50);
    assert_eq!(call(Bytes::from_static(b"hang"), short), Err(PeerError::TimedOut(second.id(), short)));

    let own = first.cluster().peers.call(first.id(), Priority::Client, Service::Data, Bytes::new(), short);
    assert_eq!(first.wait(own), Err(PeerError::Remote(first.id(), "nobody here serves that".into())));

    let id = second.id();
    second.kill();
    eventually("unreachable, and told so at once", || {
        let started = std::time::Instant::now();
        let told =
            first.wait(first.cluster().peers.call(id, Priority::Client, Service::Data, Bytes::new(), second_long));
        matches!(told, Err(PeerError::Unreachable(..))) && started.elapsed() < Duration::from_millis(50)
    });
    eventually("suspect or down", || !matches!(first.cluster().membership.watch().borrow().get(&id), Some(Reach::Up)));
}

#[test]
fn streams_reach_the_other_front_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    let echoed = first.wait({
        let opened = first.cluster().peers.open_http(second.id());
        async move {
            let mut stream = opened.await?;
            stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("writes");
            stream.flush().await.expect("flushes");
            let mut answer = [0; 16];
            stream.read_exact(&mut answer).await.expect("reads");
            Ok::<_, PeerError>(answer)
        }
    });
    assert_eq!(&echoed.expect("opens"), b"GET / HTTP/1.1\r\n");
}

#[test]
fn blobs_are_on_a_majority_and_fetched_by_the_rest() {
    let dir = Dir::new();
    let nodes = three(&dir);
    eventually("all up", || {
        nodes.iter().all(|a| nodes.iter().all(|b| a.id() == b.id() || reach(a, b) == Some(Reach::Up)))
    });
    let bytes: Vec<u8> = (0..3_500_000u32).map(|i| (i % 251) as u8).collect();
    let (id, len) = nodes[0].wait(nodes[0].cluster().blobs.put(dir.file("upload", &bytes))).expect("stored");
    assert_eq!(len, bytes.len() as u64);
    let copies = || nodes.iter().filter(|node| dir.blob(&node.name(), id).exists()).count();
    assert_eq!(copies(), 2);
    for node in &nodes {
        let path = node.wait(node.cluster().blobs.get(id)).expect("found");
        assert_eq!(std::fs::read(path).expect("readable"), bytes);
    }
    assert_eq!(copies(), 3);

    let missing = ringway_catalog::BlobId([9; 32]);
    let error = nodes[0].wait(nodes[0].cluster().blobs.get(missing)).unwrap_err().to_string();
    assert!(error.contains("is on none of the reachable nodes"), "{error}");
}

#[test]
fn a_damaged_blob_is_noticed_after_a_restart_and_replaced() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    eventually("up", || reach(&second, &first) == Some(Reach::Up));
    let (id, _) = first.wait(first.cluster().blobs.put(dir.file("upload", b"whole"))).expect("stored on both");
    let address = first.address();
    first.stop();
    std::fs::write(dir.blob("one", id), b"brken").expect("damaged");
    let first = Node::open(&dir, "one", address);
    eventually("up", || reach(&second, &first) == Some(Reach::Up));
    let path = first.wait(first.cluster().blobs.get(id)).expect("fetched anew");
    assert_eq!(std::fs::read(path).expect("readable"), b"whole");
}

#[test]
fn a_blob_without_a_majority_is_an_error_that_says_so() {
    let dir = Dir::new();
    let first = Node::found(&dir, "one");
    let second = Node::join(&dir, "two", &first.token(), 0).expect("joins");
    let id = second.id();
    second.kill();
    eventually("down", || first.cluster().membership.watch().borrow().get(&id) == Some(&Reach::Down));
    let error = first.wait(first.cluster().blobs.put(dir.file("upload", b"x"))).unwrap_err().to_string();
    assert!(error.starts_with("only 1 of 2 nodes could keep "), "{error}");
}

#[test]
fn a_data_directory_is_known_for_what_it_is() {
    let dir = Dir::new();
    assert!(!Cluster::exists(&dir.node("one")));
    let node = Node::found(&dir, "one");
    assert!(Cluster::exists(&dir.node("one")));
    node.stop();
    Cluster::forget(&dir.node("one")).expect("forgotten");
    assert!(!Cluster::exists(&dir.node("one")));
    let error: Error = Node::try_open(&dir, "one", harness::any_address()).err().expect("nobody there");
    assert!(error.to_string().contains("node.key"), "{error}");
}
