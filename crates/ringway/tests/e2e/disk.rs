//! Buckets on disk survive what memory does not.

use ringway_testkit::Cluster;

use crate::{bucket, cluster};

fn set_and_kill(cluster: &mut Cluster, name: &str, round: usize) -> Vec<String> {
    let node = &mut cluster.nodes[0];
    let keys: Vec<String> = (0..5).map(|number| format!("r{round}k{number}")).collect();
    for key in &keys {
        node.cli(&["kv", "set", name, key, "kept"]).ok();
    }
    node.kill();
    node.restart();
    keys
}

#[test]
fn what_was_acknowledged_is_there_after_each_of_three_kills() {
    let mut cluster = cluster(1);
    let (name, _) = bucket(&cluster.nodes[0], &["ledger", "--storage", "disk"]);
    let mut all = Vec::new();
    for round in 0..3 {
        all.extend(set_and_kill(&mut cluster, &name, round));
        for key in &all {
            assert_eq!(cluster.nodes[0].cli(&["kv", "get", &name, key]).ok(), "kept", "{key} after kill {round}");
        }
    }
}
