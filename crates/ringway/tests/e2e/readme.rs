//! The README's commands, run as they stand there.

use std::path::PathBuf;
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
    let cluster = Cluster::start(binary(), 3);
    let commands = tour();
    assert!(commands.len() >= 8, "the tour has commands: {commands:?}");
    let path = format!(
        "{}:{}",
        binary().parent().map(PathBuf::from).unwrap_or_default().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for command in commands {
        // The tour's demo cluster is on 127.0.0.1 to 3; this test's nodes have addresses of their own.
        let mut here = command.clone();
        for (number, node) in cluster.nodes.iter().enumerate() {
            here = here.replace(&format!("127.0.0.{}", number + 1), &node.ip.to_string());
        }
        let mut shell = Command::new("bash");
        shell
            .args(["-o", "pipefail", "-c", &here])
            .current_dir(root())
            .env("PATH", &path)
            .env("RINGWAY_ADMIN", &cluster.nodes[0].data);
        let finished = finish(&mut shell);
        assert!(finished.success, "`{command}` failed:\n{}\n{}", finished.out, finished.err);
    }
}
