//! The README's commands, run as they stand there.

use std::process::Command;

use ringway_testkit::Cluster;
use ringway_testkit::programs::finish;

use crate::{binary, root};

/// The lines after `$ ` in the README's ```console blocks of the tour.
fn tour() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
    let section = text
        .split("## Five minutes")
        .nth(1)
        .expect("the README has the tour")
        .split("\n## ")
        .next()
        .expect("a split has a first part");
    let mut commands = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if inside => commands.extend(line.strip_prefix("$ ").map(str::to_owned)),
            _ => {}
        }
    }
    commands
}

#[test]
fn the_tour_works_word_for_word() {
    let mut cluster = Cluster::start(binary(), 3);
    let shop = root().join("examples/shop").display().to_string();
    cluster.nodes[0].cli(&["deploy", &shop]).ok();
    // As in the checkout: the nodes' data under .ringway, the example in examples/.
    std::os::unix::fs::symlink(&*cluster.scratch, cluster.scratch.join(".ringway"))
        .expect("the scratch directory is ours");
    let commands = tour();
    assert!(commands.len() >= 8, "the tour has commands: {commands:?}");
    let dir = binary().parent().expect("the binary is in a directory");
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap_or_default());
    for command in commands {
        // The demo's nodes are on 127.0.0.1 to 3; this test's have addresses of their own.
        let mut here = command.clone();
        for (number, node) in cluster.nodes.iter().enumerate() {
            here = here.replace(&format!("127.0.0.{}", number + 1), &node.ip.to_string());
        }
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-c", &here]).current_dir(&*cluster.scratch).env("PATH", &path);
        let finished = finish(&mut shell);
        assert!(finished.success, "`{command}` failed:\n{}\n{}", finished.out, finished.err);
        if command.contains("kv get") {
            assert_eq!(finished.out.trim_end(), "hello from n1", "{command}");
        }
        if command.contains("http_code") {
            assert_eq!(finished.out.trim_end(), "200", "{command}");
        }
    }
    cluster.nodes[2].kill();
}
