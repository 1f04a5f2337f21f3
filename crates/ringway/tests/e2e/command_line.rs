//! What a person types: help, completions, init, errors that say what to do.

use ringway_testkit::{Scratch, run, run_in};

use crate::{binary, cluster, deploy, served};

#[test]
fn init_writes_an_app_that_deploys_as_it_is() {
    let cluster = cluster(1);
    let said = run_in(&cluster.scratch, binary(), &["init", "mysite"]).ok();
    assert!(said.contains("ringway dev mysite"), "{said}");
    deploy(&cluster.nodes[0], &cluster.scratch.join("mysite"));
    assert!(served(&cluster.nodes[0], "mysite.localhost", "/").text().contains("mysite"));
    assert!(run_in(&cluster.scratch, binary(), &["init", "mysite"]).fails().contains("nothing was changed"));
}

#[test]
fn plan_tells_what_deploy_would_change_and_changes_nothing() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write("site/public/index.html", "one");
    let first = node.json(&["plan", "site"]);
    assert_eq!((first["current"].is_null(), first["app"].as_str()), (true, Some("site")));
    deploy(node, &cluster.scratch.join("site"));
    let same = node.json(&["plan", "site"]);
    assert_eq!((same["current"].as_u64(), same["files_changed"].as_bool()), (Some(1), Some(false)));
    cluster.scratch.write("site/public/index.html", "two");
    assert_eq!(node.json(&["plan", "site"])["files_changed"], true);
    assert_eq!(served(node, "site.localhost", "/").text(), "one");
}

#[test]
fn without_a_node_the_error_says_how_to_start_one() {
    let scratch = Scratch::new("nowhere");
    let error = run_in(&scratch, binary(), &["status"]).fails();
    assert!(error.contains("ringway node") && error.contains("--admin"), "{error}");
}

#[test]
fn completions_are_there_for_the_shells() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(binary(), &["completions", shell]).ok().contains("rollback"), "{shell}");
    }
}

#[test]
fn keys_and_buckets_can_be_handled_by_hand() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    node.cli(&["bucket", "create", "notes", "--ttl", "1h"]).ok();
    node.cli(&["kv", "set", "notes", "a/b c?", "ünï"]).ok();
    assert_eq!(node.cli(&["kv", "get", "notes", "a/b c?"]).ok(), "ünï");
    assert_eq!(node.json(&["kv", "keys", "notes", "--match", "a*"])["keys"], serde_json::json!(["a/b c?"]));
    assert_eq!(node.json(&["kv", "del", "notes", "a/b c?", "none"])["deleted"], 1);
    assert!(node.cli(&["kv", "get", "notes", "a/b c?"]).fails().contains("no key"));
    assert!(node.cli(&["kv", "get", "nots", "x"]).fails().contains("no bucket nots"));
    assert!(node.cli(&["bucket", "rm", "notes"]).fails().contains("--yes"));
    node.cli(&["bucket", "rm", "notes", "--yes"]).ok();
    assert_eq!(node.json(&["bucket", "ls"]), serde_json::json!([]));
}

#[test]
fn dev_serves_a_directory_and_reloads_it_on_change() {
    use ringway_testkit::{Cluster, get, wait_for};
    let cluster = Cluster::empty(binary());
    cluster.scratch.write("site/public/index.html", "before");
    let mut node = cluster.node(1);
    let dir = cluster.scratch.join("site").display().to_string();
    node.spawn(&["dev", &dir], &[]);
    let shows = |text: &str| {
        wait_for(&format!("the page to say {text}"), || {
            let answer = get(node.http(), "site.localhost", "/")?;
            if answer.text() == text { Ok(()) } else { Err(answer.text()) }
        })
    };
    shows("before");
    cluster.scratch.write("site/public/index.html", "after");
    shows("after");
    // A fault leaves what ran before.
    cluster.scratch.write("site/ringway.toml", "name = 7");
    wait_for("the fault to be told", || {
        if node.read_log().contains("what ran before goes on") { Ok(()) } else { Err("not yet".to_owned()) }
    });
    shows("after");
    assert_eq!(node.stop(), Some(0));
}
