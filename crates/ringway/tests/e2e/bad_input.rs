//! What a node is given on a bad day: each gets a clear error, nothing else is disturbed.

use std::net::TcpListener;

use ringway_testkit::{Cluster, run_in};

use crate::{binary, cluster, served};

#[test]
fn a_broken_manifest_has_all_its_faults_told_with_lines_and_suggestions() {
    let cluster = cluster(1);
    cluster.scratch.write(
        "bad/ringway.toml",
        "nmae = \"bad\"\n[[route]]\npath = \"/\"\nto = \"wbe\"\n[service.web]\nrun = \"./x\"\nreplica = 3\n[function.f]\nwasm = \"a.wasm\"\nlambda = \"./b\"\n[kv.c]\nconsistency = \"evntual\"\n",
    );
    for command in ["plan", "deploy"] {
        let error = cluster.nodes[0].cli(&[command, "bad"]).fails();
        for expected in [
            "ringway.toml:1:1",
            "did you mean `name`",
            "did you mean `web`",
            "did you mean `replicas`",
            "ringway.toml:10:10",
            "did you mean `eventual`",
        ] {
            assert!(error.contains(expected), "{expected} is missing in:\n{error}");
        }
    }
    assert_eq!(cluster.nodes[0].status().expect("it runs")["apps"], serde_json::json!([]));
}

#[test]
fn a_port_in_use_is_named_with_the_option_that_changes_it() {
    let cluster = Cluster::empty(binary());
    let mut node = cluster.node(1);
    let _taken = TcpListener::bind(node.http()).expect("the address is free");
    node.spawn(&["node"], &[]);
    let (code, log) = node.ended();
    assert_eq!(code, Some(1));
    assert!(
        log.contains(&format!("{}", node.http())) && log.contains("another process") && log.contains("--http"),
        "{log}"
    );
}

#[test]
fn two_nodes_do_not_share_a_data_directory() {
    let cluster = cluster(1);
    let mut twin = cluster.node(2);
    twin.data = cluster.nodes[0].data.clone();
    twin.log = cluster.scratch.join("twin.log");
    twin.spawn(&["node"], &[]);
    let (code, log) = twin.ended();
    assert_eq!(code, Some(1));
    assert!(log.contains("another node") && log.contains(&twin.data.display().to_string()), "{log}");
    assert!(cluster.nodes[0].status().is_ok());
}

#[test]
fn a_wrong_setting_stops_the_start_with_all_faults() {
    let cluster = Cluster::empty(binary());
    let file = cluster.scratch.write("node.toml", "nmae = \"x\"\nhttp = \"here\"\n");
    let error = run_in(&cluster.scratch, binary(), &["node", "--config", &file.display().to_string()]).fails();
    assert!(error.contains("node.toml:1: unknown key `nmae`: did you mean `name`?"), "{error}");
    assert!(error.contains("node.toml:2: `here` is no address"), "{error}");
}

#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let cluster = Cluster::empty(binary());
    let mount = cluster.scratch.join("full");
    std::fs::create_dir_all(&mount).expect("the scratch directory is writable");
    // A small file system of its own in a mount namespace that ends with the node.
    let mut node = cluster.node(1);
    node.data = mount.join("n1");
    node.log = cluster.scratch.join("n1.log");
    node.spawn_on_small_disk(&mount, 24 << 20);
    node.wait_until_it_answers();
    let created = node.json(&["bucket", "create", "ledger", "--storage", "disk", "--limit", "1GB"]);
    let name = created["name"].as_str().expect("a bucket has a name").to_owned();
    let value = cluster.scratch.write("value", pseudo_random(700_000));
    let mut acknowledged = Vec::new();
    let mut refusal = None;
    for number in 0..80 {
        let key = format!("k{number}");
        let set = node.cli_with_input(&["kv", "set", &name, &key], &value);
        if !set.success {
            refusal = Some(set.err);
            break;
        }
        acknowledged.push(key);
    }
    let refusal = refusal.expect("24 MiB do not hold 56 MB");
    assert!(refusal.contains("disk") || refusal.contains("space"), "{refusal}");
    assert!(acknowledged.len() > 3, "{}", acknowledged.len());
    let expected = pseudo_random(700_000);
    for key in &acknowledged {
        assert!(node.cli(&["kv", "get", &name, key]).out.as_bytes() == expected, "{key} is whole");
    }
}

/// Text that does not compress.
fn pseudo_random(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9ABC_DEF0_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'!' + (state % 90) as u8
        })
        .collect()
}

#[test]
fn a_directory_that_is_no_app_is_told_what_would_make_it_one() {
    let cluster = cluster(1);
    cluster.scratch.write("empty/readme.txt", "nothing to run");
    let error = cluster.nodes[0].cli(&["deploy", "empty"]).fails();
    assert!(error.contains("public/") && error.contains("ringway init"), "{error}");
    cluster.scratch.write("fine/public/index.html", "x");
    cluster.nodes[0].cli(&["deploy", "fine"]).ok();
    served(&cluster.nodes[0], "fine.localhost", "/");
}
