//! The ring changes under load: nothing fails, nothing is lost, and what is interrupted goes on where it was.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ringway_testkit::{Node, wait, wait_for};

use crate::{bucket, cluster};

const COUNTERS: usize = 32;
const VALUE_LEN: usize = 32 << 10;
const VALUES: usize = 300;
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection to a bucket through one node.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(node: &Node, (name, token): &(String, String)) -> Self {
        let stream = TcpStream::connect(node.redis()).expect("the door is open");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        let mut client = Self(BufReader::new(stream));
        // The node may not have heard of the bucket yet.
        wait(&format!("{} to know the bucket", node.name), || client.ask(&format!("AUTH {name} {token}\r\n")) == "+OK");
        client
    }

    fn ask(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(command.as_bytes()).expect("the node takes commands");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a reply in time");
        line.trim_end().to_owned()
    }

    fn len_of(&mut self, key: &str) -> String {
        self.ask(&format!("STRLEN {key}\r\n"))
    }
}

/// Increments counters through one node until it is told to stop; how often it did.
fn count(node: &Node, bucket: &(String, String), stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let (mut client, stop) = (Client::connect(node, bucket), stop.clone());
    std::thread::spawn(move || {
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            let reply = client.ask(&format!("INCR counter:{}\r\n", done % COUNTERS));
            assert!(reply.starts_with(':'), "{reply}");
            done += 1;
        }
        done
    })
}

fn sum(node: &Node, bucket: &(String, String)) -> usize {
    let mut client = Client::connect(node, bucket);
    let counter = |number: usize| {
        // INCRBY 0 answers with a number.
        let reply = client.ask(&format!("INCRBY counter:{number} 0\r\n"));
        reply.trim_start_matches(':').parse::<usize>().unwrap_or_else(|_| panic!("{reply} is no number"))
    };
    (0..COUNTERS).map(counter).sum()
}

fn fill(node: &Node, bucket: &(String, String)) {
    let (mut client, value) = (Client::connect(node, bucket), "x".repeat(VALUE_LEN));
    for number in 0..VALUES {
        assert_eq!(
            client.ask(&format!("*3\r\n$3\r\nSET\r\n$9\r\nkey:{number:05}\r\n${VALUE_LEN}\r\n{value}\r\n")),
            "+OK"
        );
    }
}

fn assert_full(node: &Node, bucket: &(String, String)) {
    let mut client = Client::connect(node, bucket);
    for number in 0..VALUES {
        assert_eq!(
            client.len_of(&format!("key:{number:05}")),
            format!(":{VALUE_LEN}"),
            "key {number} at {}",
            node.name
        );
    }
}

/// Bytes that are on their way or have come, as the cluster shows them.
fn bytes_moved(node: &Node) -> u64 {
    let ring = node.json(&["ring"]);
    let transfers = ring["transfers"].as_array().cloned().unwrap_or_default();
    transfers.iter().filter_map(|transfer| transfer["bytes_done"].as_u64()).sum()
}

fn is_moving(node: &Node) -> bool {
    node.status().is_ok_and(|status| !status["ring"]["moving"].is_null())
}

#[test]
fn a_joiner_that_is_killed_in_the_middle_resumes_and_no_request_fails() {
    let mut cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["ledger", "--storage", "disk", "--replicas", "2"]);
    fill(&cluster.nodes[0], &bucket);
    cluster.nodes[0].cli(&["ring", "set", "--transfer-rate", "512KiB"]).ok();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<JoinHandle<usize>> = cluster.nodes.iter().map(|node| count(node, &bucket, &stop)).collect();

    cluster.add();
    let first = &cluster.nodes[0];
    wait_for("something to be on its way", || match bytes_moved(first) {
        bytes if bytes > 256 << 10 => Ok(()),
        bytes => Err(format!("{bytes} bytes")),
    });
    assert!(is_moving(first), "it is in the middle");
    cluster.nodes[3].kill();
    assert_full(&cluster.nodes[1], &bucket);
    cluster.nodes[0].cli(&["ring", "set", "--transfer-rate", "64MiB"]).ok();
    cluster.nodes[3].restart();
    cluster.settled();

    stop.store(true, Ordering::Relaxed);
    let counted: usize = clients.into_iter().map(|client| client.join().expect("no request fails")).sum();
    assert_eq!(sum(&cluster.nodes[3], &bucket), counted, "every increment counts once");
    for node in &cluster.nodes {
        assert_full(node, &bucket);
    }
}

#[test]
fn counters_are_exact_through_two_joins_and_a_leave() {
    let mut cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["ledger", "--replicas", "2"]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<JoinHandle<usize>> = cluster.nodes[..2].iter().map(|node| count(node, &bucket, &stop)).collect();
    // The second does not wait for the first one's data.
    for number in 4..=5 {
        let token = cluster.nodes[0].cli(&["token", "--quiet"]).ok();
        let mut node = cluster.node(number);
        node.start(&["join", token.trim()]);
        cluster.nodes.push(node);
    }
    cluster.settled();
    cluster.nodes[2].cli(&["leave"]).ok();
    wait("the node that leaves to be out", || {
        let ring = cluster.nodes[0].json(&["ring"]);
        ring["members"].as_array().is_some_and(|members| members.len() == 4)
    });
    wait("the ring to be settled", || !is_moving(&cluster.nodes[0]));
    stop.store(true, Ordering::Relaxed);
    let counted: usize = clients.into_iter().map(|client| client.join().expect("no request fails")).sum();
    assert!(counted > 100, "{counted}");
    assert_eq!(sum(&cluster.nodes[4], &bucket), counted, "every increment counts once");
}

#[test]
fn what_a_dead_node_held_is_copied_after_the_set_time_and_it_is_taken_back() {
    let mut cluster = cluster(4);
    let bucket = bucket(&cluster.nodes[0], &["ledger", "--replicas", "2"]);
    fill(&cluster.nodes[0], &bucket);
    cluster.nodes[0].cli(&["ring", "set", "--replace-after", "2s"]).ok();
    cluster.nodes[3].kill();
    let state_of_last = |node: &Node| -> String {
        let status = node.status().unwrap_or_default();
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().find(|node| node["name"] == "n4").map_or_else(String::new, |node| node["state"].to_string())
    };
    wait_for("it to be given up", || match state_of_last(&cluster.nodes[0]) {
        state if state.contains("away") => Ok(()),
        state => Err(state),
    });
    wait("the copies to be made", || !is_moving(&cluster.nodes[0]));
    assert_full(&cluster.nodes[0], &bucket);
    // There are two copies of everything again: another death loses nothing.
    cluster.nodes[2].kill();
    assert_full(&cluster.nodes[0], &bucket);
    cluster.nodes[2].restart();
    cluster.nodes[3].restart();
    wait("it to be taken back", || state_of_last(&cluster.nodes[0]).contains("active"));
    cluster.settled();
    assert_full(&cluster.nodes[3], &bucket);
}
