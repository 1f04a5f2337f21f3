//! A peer-to-peer ring (`--ring chord`): no agreed layout, and keys survive joins, kills and leaves.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ringway_testkit::{Cluster, Node, wait, wait_for};

use crate::{binary, bucket};

const KEYS: usize = 1000;

/// A connection to the Redis door that is logged in to a bucket.
struct Redis {
    stream: BufReader<TcpStream>,
}

impl Redis {
    fn connect(node: &Node, bucket: &(String, String)) -> Self {
        let stream = TcpStream::connect(node.redis()).expect("the door is open");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket takes a timeout");
        let mut redis = Self { stream: BufReader::new(stream) };
        // The node may not have heard of the bucket yet.
        let login = [format!("AUTH {} {}", bucket.0, bucket.1)];
        wait(&format!("{} to know the bucket", node.name), || redis.all(&login) == ["+OK"]);
        redis
    }

    /// Sends all commands at once; one line of answer for each (the value, for those that have one).
    fn all(&mut self, commands: &[String]) -> Vec<String> {
        let text: String = commands.iter().map(|command| format!("{command}\r\n")).collect();
        self.stream.get_mut().write_all(text.as_bytes()).expect("the door reads");
        commands.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> String {
        let line = self.line();
        match line.strip_prefix('$') {
            Some("-1") => "nothing".to_owned(),
            Some(_) => self.line(),
            None => line,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the door answers");
        line.trim_end().to_owned()
    }
}

fn found(size: usize) -> Cluster {
    let mut cluster = Cluster::empty(binary());
    let mut first = cluster.node(1);
    first.start(&["node", "--ring", "chord"]);
    cluster.nodes.push(first);
    while cluster.nodes.len() < size {
        cluster.add();
    }
    cluster.settled();
    cluster
}

fn write_all(node: &Node, bucket: &(String, String)) {
    let commands: Vec<String> = (0..KEYS).map(|number| format!("SET key:{number} value:{number}")).collect();
    let answers = Redis::connect(node, bucket).all(&commands);
    assert_eq!(answers.iter().filter(|answer| *answer != "+OK").collect::<Vec<_>>(), [""; 0]);
}

fn read_all(node: &Node, bucket: &(String, String)) -> Result<(), String> {
    let commands: Vec<String> = (0..KEYS).map(|number| format!("GET key:{number}")).collect();
    let answers = Redis::connect(node, bucket).all(&commands);
    let wrong = answers.iter().enumerate().find(|(number, answer)| **answer != format!("value:{number}"));
    wrong.map_or(Ok(()), |(number, answer)| Err(format!("{} says of key:{number}: {answer}", node.name)))
}

fn held(node: &Node, bucket: &str) -> u64 {
    let listed = node.json(&["bucket", "ls"]);
    let entries = listed.as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["name"] == bucket).expect("the bucket is there");
    entry["keys_held"].as_u64().expect("a number")
}

#[test]
fn keys_of_a_peer_to_peer_ring_survive_a_kill_a_join_and_a_leave() {
    let mut cluster = found(3);
    let bucket = bucket(&cluster.nodes[0], &["cache"]);
    write_all(&cluster.nodes[1], &bucket);
    for node in &cluster.nodes {
        assert_eq!(read_all(node, &bucket), Ok(()));
    }

    cluster.nodes[2].kill();
    for node in &cluster.nodes[..2] {
        wait_for("all keys without n3", || read_all(node, &bucket));
    }

    let token = cluster.nodes[0].cli(&["token", "--quiet"]).ok();
    let mut fourth = cluster.node(4);
    fourth.start(&["join", token.trim()]);
    wait_for("all keys through n4", || read_all(&fourth, &bucket));
    wait("keys to move to n4", || held(&fourth, &bucket.0) > KEYS as u64 / 4);

    cluster.nodes[0].cli(&["leave"]).ok();
    let (code, log) = cluster.nodes[0].ended();
    assert_eq!(code, Some(0), "{log}");
    for node in [&cluster.nodes[1], &fourth] {
        wait_for("all keys without n1", || read_all(node, &bucket));
    }
    assert!(cluster.nodes[1].status().expect("n2 runs")["nodes"].as_array().is_some_and(|nodes| nodes.len() == 3));
}

#[test]
fn a_leaving_node_hands_over_what_only_it_has_and_disk_buckets_survive_a_power_cut() {
    let mut cluster = found(2);
    let single = bucket(&cluster.nodes[0], &["single", "--replicas", "1"]);
    let ledger = bucket(&cluster.nodes[0], &["ledger", "--storage", "disk"]);
    write_all(&cluster.nodes[0], &single);
    write_all(&cluster.nodes[1], &ledger);
    cluster.nodes[1].cli(&["leave"]).ok();
    assert_eq!(cluster.nodes[1].ended().0, Some(0));
    assert_eq!(read_all(&cluster.nodes[0], &single), Ok(()));

    let token = cluster.nodes[0].cli(&["token", "--quiet"]).ok();
    let mut third = cluster.node(3);
    third.start(&["join", token.trim()]);
    wait_for("all keys through n3", || read_all(&third, &single).and(read_all(&third, &ledger)));
    cluster.nodes[0].kill();
    third.kill();
    cluster.nodes[0].spawn(&["node"], &[]);
    third.spawn(&["node"], &[]);
    third.wait_until_it_answers();
    wait_for("the ledger through n3", || read_all(&third, &ledger));
}

#[test]
fn only_eventual_buckets_and_only_sensible_flags() {
    let mut cluster = Cluster::empty(binary());
    let mut node = cluster.node(1);
    node.spawn(&["node", "--vnodes", "3"], &[]);
    let (code, log) = node.ended();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("--vnodes is for --ring chord"), "{log}");
    node.start(&["node", "--ring", "chord", "--vnodes", "3"]);
    wait("places on the ring", || node.read_log().contains("places=3"));
    cluster.nodes.push(node);
}

#[test]
fn what_only_a_ring_with_a_layout_can_do_is_refused_with_what_can_be_done() {
    let cluster = found(1);
    let refused = [
        (&["ring", "rebalance"][..], "--vnodes"),
        (&["ring", "cancel"], "--vnodes"),
        (&["ring", "lookup", "key", "--via", "table"], "fingers, neighbours or index"),
    ];
    for (arguments, hint) in refused {
        let error = cluster.nodes[0].cli(arguments).fails();
        assert!(error.contains("peer-to-peer ring") && error.contains(hint), "{arguments:?}: {error}");
    }
}

#[test]
fn what_a_newcomer_fetches_is_seen_and_keeps_to_the_rate() {
    let mut cluster = found(2);
    cluster.nodes[0].cli(&["ring", "set", "--transfer-rate", "1MiB"]).ok();
    let bucket = bucket(&cluster.nodes[0], &["cache", "--replicas", "1"]);
    let value = "x".repeat(16 << 10);
    let commands: Vec<String> = (0..400).map(|number| format!("SET key:{number} {value}")).collect();
    assert!(Redis::connect(&cluster.nodes[0], &bucket).all(&commands).iter().all(|answer| answer == "+OK"));

    let began = Instant::now();
    cluster.add();
    let transfers = || cluster.nodes[0].json(&["ring"])["transfers"].as_array().expect("a list").clone();
    let mut fetched = BTreeMap::new();
    wait("a transfer to n3 to be seen", || {
        transfers().iter().any(|it| it["to"]["name"] == "n3" && it["partitions_total"].as_u64() > Some(0))
    });
    wait("the transfers to end", || {
        let now = transfers();
        for it in &now {
            fetched.insert(it["from"]["name"].to_string(), it["bytes_done"].as_u64().expect("a number"));
        }
        now.is_empty()
    });
    // Twice the rate, as what may come at once counts as well; it takes a tenth of this without any rate.
    let least = Duration::from_secs_f64(fetched.values().sum::<u64>() as f64 / f64::from(2 << 20));
    assert!(began.elapsed() >= least, "{:?} for {fetched:?}", began.elapsed());
    assert_eq!(Redis::connect(&cluster.nodes[2], &bucket).all(&["DBSIZE".to_owned()]), [":400"]);
}

#[test]
fn a_plan_of_a_leave_is_what_then_moves() {
    let mut cluster = found(4);
    let bucket = bucket(&cluster.nodes[0], &["cache"]);
    write_all(&cluster.nodes[0], &bucket);
    let plan = cluster.nodes[0].json(&["ring", "plan", "--leave", "n4"]);
    assert_eq!((&plan["replicas_now"], &plan["replicas_then"]), (&3.into(), &3.into()), "{plan}");
    assert!(plan["moved"]["keys"].as_u64() > Some(0), "{plan}");
    let join = cluster.nodes[0].json(&["ring", "plan", "--join", "1"]);
    assert!(join["moved"]["partitions"].as_u64() > Some(0), "{join}");

    cluster.nodes[3].cli(&["leave"]).ok();
    assert_eq!(cluster.nodes[3].ended().0, Some(0));
    cluster.nodes.pop();
    wait_for("the ring to be as planned", || {
        let ring = cluster.nodes[0].json(&["ring"]);
        let members = ring["members"].as_array().expect("a list");
        let is_as_planned = |name: &str| {
            let place = members.iter().position(|member| member["name"] == name)?;
            let planned = plan["nodes"].as_array()?.iter().find(|node| node["name"] == name)?;
            Some(ring["shares"][place]["primary"] == planned["then"]["primary"])
        };
        let right = members.len() == 3 && ["n1", "n2", "n3"].into_iter().all(|name| is_as_planned(name) == Some(true));
        if right { Ok(()) } else { Err(format!("{} instead of {plan}", ring["shares"])) }
    });
}
