//! Nodes join, are killed, come back, leave; what the cluster knows survives.

use ringway_testkit::{Cluster, get, wait, wait_for};

use crate::{binary, bucket, cluster, deploy, served};

#[test]
fn three_nodes_form_one_ring_and_each_holds_a_copy_of_everything() {
    let cluster = cluster(3);
    for node in &cluster.nodes {
        let ring = node.json(&["ring"]);
        assert_eq!(ring["members"].as_array().map(Vec::len), Some(3), "{}", node.name);
        for share in ring["shares"].as_array().expect("a ring has shares") {
            assert_eq!(share["held"], 4096);
            assert!((1365..=1366).contains(&share["primary"].as_u64().expect("a number")));
        }
    }
    let picture = cluster.nodes[1].cli(&["ring"]).ok();
    for name in ["n1", "n2", "n3", "settled"] {
        assert!(picture.contains(name), "{picture}");
    }
    let lookup = cluster.nodes[2].json(&["ring", "lookup", "foo"]);
    assert_eq!(lookup["slot"], 12182);
    assert_eq!(lookup["owners"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_killed_node_loses_nothing_and_finds_its_place_again() {
    let mut cluster = cluster(3);
    let (name, _) = bucket(&cluster.nodes[0], &["sessions"]);
    let site = cluster.scratch.write("site/public/index.html", "still here");
    deploy(&cluster.nodes[0], site.parent().and_then(|dir| dir.parent()).expect("the site has a directory"));
    for number in 0..200 {
        let node = &cluster.nodes[number % 3];
        node.cli(&["kv", "set", &name, &format!("key:{number}"), &format!("value {number}")]).ok();
        if number >= 30 {
            break;
        }
    }
    cluster.nodes[2].kill();
    for number in 0..=30 {
        let node = &cluster.nodes[number % 2];
        assert_eq!(node.cli(&["kv", "get", &name, &format!("key:{number}")]).ok(), format!("value {number}"));
    }
    assert_eq!(served(&cluster.nodes[1], "site.localhost", "/").text(), "still here");
    wait("the others to see it down", || {
        let status = cluster.nodes[0].status().expect("n1 runs");
        status["nodes"]
            .as_array()
            .is_some_and(|nodes| nodes.iter().any(|node| node["name"] == "n3" && node["reach"] == "down"))
    });
    cluster.nodes[0].cli(&["kv", "set", &name, "while-away", "yes"]).ok();
    cluster.nodes[2].restart();
    cluster.settled();
    assert_eq!(cluster.nodes[2].cli(&["kv", "get", &name, "while-away"]).ok(), "yes");
    assert_eq!(served(&cluster.nodes[2], "site.localhost", "/").text(), "still here");
}

#[test]
fn a_whole_cluster_that_stops_starts_again_as_the_same_one() {
    let mut cluster = cluster(3);
    let before = cluster.nodes[0].status().expect("n1 runs")["cluster_id"].clone();
    let (name, _) = bucket(&cluster.nodes[0], &["ledger", "--storage", "disk"]);
    cluster.nodes[1].cli(&["kv", "set", &name, "k", "kept"]).ok();
    for node in &mut cluster.nodes {
        assert_eq!(node.stop(), Some(0), "{}", node.name);
    }
    // All at once: none can be waited for alone, a majority is needed first.
    for node in &mut cluster.nodes {
        node.spawn(&["node"], &[]);
    }
    cluster.settled();
    for node in &cluster.nodes {
        assert_eq!(node.status().expect("it runs")["cluster_id"], before);
        assert_eq!(node.cli(&["kv", "get", &name, "k"]).ok(), "kept");
    }
}

#[test]
fn a_node_that_leaves_hands_its_data_over_and_ends() {
    let mut cluster = cluster(2);
    let (name, _) = bucket(&cluster.nodes[0], &["single", "--replicas", "1"]);
    for number in 0..40 {
        cluster.nodes[0].cli(&["kv", "set", &name, &format!("k{number}"), "v"]).ok();
    }
    cluster.nodes[1].cli(&["leave"]).ok();
    let (code, log) = cluster.nodes[1].ended();
    assert_eq!(code, Some(0), "{log}");
    cluster.settled();
    for number in 0..40 {
        assert_eq!(cluster.nodes[0].cli(&["kv", "get", &name, &format!("k{number}")]).ok(), "v");
    }
    assert_eq!(cluster.nodes[0].status().expect("it runs")["nodes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_used_a_wrong_and_a_garbled_token_are_refused_with_the_reason() {
    let mut cluster = Cluster::empty(binary());
    cluster.add();
    let token = cluster.nodes[0].cli(&["token", "--quiet"]).ok().trim().to_owned();
    let mut second = cluster.node(2);
    second.start(&["join", &token]);
    let refused = |number: u8, token: &str| {
        let mut node = cluster.node(number);
        node.spawn(&["join", token], &[]);
        let (code, log) = node.ended();
        assert_eq!(code, Some(1), "{log}");
        log
    };
    assert!(refused(3, &token).contains("the token was used by node n2"), "used");
    assert!(refused(4, "rw1.nonsense").contains("not a ringway token"), "garbled");
    let mut forged = token.clone();
    let last = forged.pop().expect("a token is not empty");
    forged.push(if last == 'A' { 'B' } else { 'A' });
    let log = refused(5, &forged);
    assert!(log.contains("token"), "forged: {log}");
    wait_for("n2 to be a member", || {
        let count = cluster.nodes[0].status()?["nodes"].as_array().map_or(0, Vec::len);
        if count == 2 { Ok(()) } else { Err(format!("{count} nodes")) }
    });
}

#[test]
fn a_stranger_gets_nothing_from_the_peer_port() {
    let cluster = cluster(1);
    let error = get(cluster.nodes[0].peer(), "x", "/").err();
    assert!(error.is_some(), "plain HTTP is not answered there");
    let own = cluster.scratch.join("own");
    std::fs::create_dir_all(&own).expect("the scratch directory is writable");
    let make = ringway_testkit::run_in(
        &own,
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/CN=stranger",
            "-days",
            "2",
        ],
    );
    make.ok();
    let address = cluster.nodes[0].peer().to_string();
    let attempt = ringway_testkit::run_in(
        &own,
        "sh",
        &[
            "-c",
            &format!(
                "echo hello | timeout 20 openssl s_client -ign_eof -connect {address} -alpn ringway-peer/1 -cert cert.pem -key key.pem 2>&1; true"
            ),
        ],
    );
    let said = attempt.ok();
    assert!(said.contains("alert"), "the handshake is refused: {said}");
    assert!(cluster.nodes[0].status().is_ok(), "and the node does not mind");
}

#[test]
fn a_node_that_hangs_for_five_seconds_is_used_again_when_it_goes_on() {
    use nix::sys::signal::{Signal, kill};
    use std::time::{Duration, Instant};
    let cluster = cluster(3);
    let (name, _) = bucket(&cluster.nodes[0], &["stall"]);
    let pid = nix::unistd::Pid::from_raw(cluster.nodes[2].pid() as i32);
    kill(pid, Signal::SIGSTOP).expect("the process is ours");
    // Longer than a connection may be silent: the others have given theirs up by then.
    let start = Instant::now();
    let mut written = 0;
    while start.elapsed() < Duration::from_secs(5) {
        cluster.nodes[written % 2].cli(&["kv", "set", &name, &format!("k{written}"), "kept"]).ok();
        written += 1;
    }
    kill(pid, Signal::SIGCONT).expect("the process is ours");
    cluster.settled();
    for node in &cluster.nodes {
        let start = Instant::now();
        node.cli(&["kv", "set", &name, &node.name, "after"]).ok();
        assert!(start.elapsed() < Duration::from_secs(5), "{} hangs: {:?}", node.name, start.elapsed());
    }
    for number in 0..written {
        assert_eq!(
            cluster.nodes[2].cli(&["kv", "get", &name, &format!("k{number}")]).ok(),
            "kept",
            "k{number} through n3"
        );
    }
}

#[test]
fn a_join_that_was_cut_off_is_taken_up_by_the_next_start() {
    let mut cluster = cluster(1);
    let token = cluster.nodes[0].cli(&["token", "--quiet"]).ok();
    let mut node = cluster.node(2);
    node.spawn(&["join", token.trim()], &[]);
    wait("the cluster to have taken it in", || {
        cluster.nodes[0].status().is_ok_and(|status| status["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2))
    });
    node.kill();
    // As if the answer had not arrived.
    let membership = node.data.join("cluster/membership.json");
    if membership.exists() {
        std::fs::remove_file(&membership).expect("the scratch directory is ours");
        std::fs::write(node.data.join("cluster/joining"), token.trim()).expect("the scratch directory is ours");
        std::fs::remove_file(node.data.join("cluster/log.redb")).expect("the scratch directory is ours");
    }
    node.restart();
    cluster.nodes.push(node);
    cluster.settled();
    let ids = cluster.nodes.iter().map(|node| node.status().expect("it runs")["cluster_id"].clone());
    assert_eq!(ids.map(|id| id.to_string()).collect::<std::collections::BTreeSet<_>>().len(), 1, "one cluster");
}
