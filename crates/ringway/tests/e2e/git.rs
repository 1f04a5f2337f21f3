//! `git http-backend`, the CGI program that comes with git: clone and push through Ringway.

use std::path::Path;

use ringway_testkit::{programs::Finished, run_in};

use crate::{cluster, deploy};

fn git(dir: &Path, arguments: &[&str]) -> Finished {
    let fixed = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "http.postBuffer=65536",
    ];
    run_in(dir, "git", &[&fixed[..], arguments].concat())
}

#[test]
fn git_clones_and_pushes_through_cgi() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    // The repositories are in the app's data directory, which is its own to write.
    cluster.scratch.write_program(
        "code/cgi-bin/git",
        "#!/bin/sh\nset -e\nexport GIT_PROJECT_ROOT=\"$RINGWAY_DATA_DIR\" GIT_HTTP_EXPORT_ALL=1 REMOTE_USER=someone\n[ -d \"$GIT_PROJECT_ROOT/one.git\" ] || { git init -q --bare \"$GIT_PROJECT_ROOT/one.git\" >&2; git -C \"$GIT_PROJECT_ROOT/one.git\" config http.receivepack true; }\nexec git http-backend\n",
    );
    cluster
        .scratch
        .write("code/ringway.toml", "name = \"code\"\n[[route]]\npath = \"/git/*\"\nto = \"cgi:cgi-bin/git\"\n");
    deploy(node, &cluster.scratch.join("code"));
    let url = format!("http://{}/git/one.git", node.http());
    let work = cluster.scratch.join("work");
    git(&cluster.scratch, &["clone", "-q", &url, "work"]).ok();
    std::fs::write(work.join("small.txt"), "hello").expect("the clone is ours");
    // Larger than git's post buffer, so that it is sent in chunks without a length; random, so that it stays large.
    let noise: Vec<u8> =
        (0..400_000_u64).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).to_le_bytes()).collect();
    std::fs::write(work.join("large.bin"), noise).expect("the clone is ours");
    git(&work, &["add", "."]).ok();
    git(&work, &["commit", "-qm", "first"]).ok();
    git(&work, &["push", "-q", "origin", "HEAD:main"]).ok();
    git(&cluster.scratch, &["clone", "-q", "-b", "main", &url, "again"]).ok();
    let again = cluster.scratch.join("again");
    assert_eq!(std::fs::read(again.join("large.bin")).ok(), std::fs::read(work.join("large.bin")).ok());
    assert_eq!(std::fs::read_to_string(again.join("small.txt")).expect("it was pushed"), "hello");
}
