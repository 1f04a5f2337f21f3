//! The ring as it is looked at: lookups by every router, plans beside what then moves, the watch, the settings.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use ringway_testkit::{Cluster, Node, wait_for};
use serde_json::Value;

use crate::{binary, bucket, cluster};

fn fill(node: &Node, bucket: &str, count: usize) {
    for number in 0..count {
        node.cli(&["kv", "set", bucket, &format!("key:{number}"), "a value"]).ok();
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}

#[test]
fn all_four_routers_end_at_the_same_owner_from_every_node() {
    let cluster = cluster(3);
    let (name, _) = bucket(&cluster.nodes[0], &["notes"]);
    fill(&cluster.nodes[0], &name, 6);
    let mut hops = BTreeSet::new();
    for key in 0..6 {
        let key = format!("key:{key}");
        for from in ["n1", "n2", "n3"] {
            let found =
                cluster.nodes[1].json(&["ring", "lookup", &key, "--via", "all", "--bucket", &name, "--from", from]);
            let walks = found["walks"].as_array().expect("a walk for each router");
            assert_eq!(walks.len(), 4);
            for walk in walks {
                assert_eq!(walk["owner"]["name"], found["owners"][0]["name"], "{walk}");
                assert_eq!(walk["path"][0]["node"]["name"], from, "{walk}");
                hops.insert((walk["via"].as_str().expect("a router").to_owned(), number(&walk["hops"])));
                let remote = walk["path"].as_array().expect("a path").iter().filter(|hop| hop["is_local"] == false);
                for hop in remote {
                    assert!(number(&hop["round_trip_us"]) > 0, "{hop}");
                }
            }
        }
    }
    assert!(hops.contains(&("table".to_owned(), 1)) && !hops.contains(&("table".to_owned(), 2)), "{hops:?}");
    assert!(hops.contains(&("index".to_owned(), 2)) && !hops.contains(&("index".to_owned(), 3)), "{hops:?}");
    assert!(hops.contains(&("fingers".to_owned(), 1)), "{hops:?}");
    let text = cluster.nodes[2].cli(&["ring", "lookup", "key:1", "--via", "fingers", "--walk", "virtual"]).ok();
    assert!(text.contains("it is mine") && text.contains("answers for it"), "{text}");
}

#[test]
fn a_sample_sums_up_many_lookups() {
    let cluster = cluster(3);
    let rows = cluster.nodes[0].json(&["ring", "lookup", "--sample", "60", "--via", "all"]);
    let routers: Vec<&str> =
        rows.as_array().expect("a row a router").iter().filter_map(|row| row["router"].as_str()).collect();
    assert_eq!(routers, ["table", "neighbours", "fingers"]);
    for row in rows.as_array().expect("a row a router") {
        assert_eq!((number(&row["lookups"]), number(&row["wrong"]), number(&row["lost"])), (60, 0, 0), "{row}");
        assert!(row["hops_mean"].as_f64().is_some_and(|mean| mean > 0.0 && mean <= 2.0), "{row}");
    }
}

#[test]
fn a_plan_is_what_then_moves() {
    let mut cluster = cluster(3);
    let (name, _) = bucket(&cluster.nodes[0], &["notes"]);
    fill(&cluster.nodes[0], &name, 40);
    let plan = cluster.nodes[1].json(&["ring", "plan", "--join", "1"]);
    assert_eq!((number(&plan["moved"]["partitions"]), &plan["moved_over_ideal"]), (3072, &Value::from(1.0)));
    let planned: u64 = plan["nodes"].as_array().expect("nodes").iter().map(|node| number(&node["then"]["held"])).sum();
    let newcomer = plan["nodes"].as_array().expect("nodes").iter().find(|node| node["role"] == "joins");
    let newcomer = newcomer.expect("one joins").clone();
    cluster.add();
    cluster.settled();
    let ring = cluster.nodes[0].json(&["ring"]);
    let place = ring["members"].as_array().expect("members").iter().position(|member| member["name"] == "n4");
    let share = &ring["shares"][place.expect("n4 is in")];
    assert_eq!(share["held"], newcomer["then"]["held"]);
    assert_eq!(share["primary"], newcomer["then"]["primary"]);
    let held: u64 = ring["shares"].as_array().expect("shares").iter().map(|share| number(&share["held"])).sum();
    assert_eq!(held, planned);

    let kill = cluster.nodes[0].json(&["ring", "plan", "--kill", "n2"]);
    assert_eq!(kill["kill"]["copies_left"][0]["copies"], 2);
    assert!(number(&kill["kill"]["replace_after_ms"]) >= 1000);
    let refused = cluster.nodes[0].cli(&["ring", "plan", "--kill", "nobody"]);
    assert!(refused.err.contains("there is no node nobody"), "{}", refused.err);
}

#[test]
fn who_watches_reads_of_a_join_and_a_death() {
    let mut cluster = Cluster::start(binary(), 2);
    let log = cluster.scratch.join("watch.log");
    let out = std::fs::File::create(&log).expect("the scratch directory is ours");
    let mut watch = Command::new(binary())
        .arg("--admin")
        .arg(&cluster.nodes[0].data)
        .args(["ring", "--watch"])
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .expect("the binary is there");
    let says = |what: &str| {
        wait_for(&format!("the watch to say `{what}`"), || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains(what) { Ok(()) } else { Err(said) }
        });
    };
    says("settled: n1 up, n2 up");
    cluster.add();
    says("n3 joins");
    says("the ring is settled in epoch");
    cluster.settled();
    cluster.nodes[2].kill();
    says("n3 is down");
    watch.kill().expect("it runs until it is told to stop");
    watch.wait().expect("it was started here");
}

#[test]
fn settings_are_the_clusters_and_what_does_not_move_cannot_be_cancelled() {
    let cluster = cluster(2);
    cluster.nodes[0].cli(&["ring", "set", "--replace-after", "2m", "--transfer-rate", "32MiB"]).ok();
    let settings = cluster.nodes[1].json(&["ring", "set"]);
    assert_eq!((number(&settings["replace_after_ms"]), number(&settings["transfer_rate"])), (120_000, 32 << 20));
    let refused = cluster.nodes[1].cli(&["ring", "set", "--transfer-rate", "1B"]);
    assert!(refused.err.contains("out of range"), "{}", refused.err);
    let cancel = cluster.nodes[0].cli(&["ring", "cancel"]);
    assert!(!cancel.success && cancel.err.contains("nothing is moving"), "{}", cancel.err);
    cluster.nodes[0].cli(&["ring", "rebalance"]).ok();
}
