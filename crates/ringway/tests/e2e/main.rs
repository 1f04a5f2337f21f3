//! End-to-end: real nodes, real clients. One binary for all of them; one file a subject.

mod apps;
mod bad_input;
mod buckets;
mod cache;
mod chord_ring;
mod cluster;
mod command_line;
mod console;
mod data;
mod disk;
mod door;
mod front;
mod git;
mod hostile;
mod lambda_clients;
mod long_connections;
mod memcached_clients;
mod memcached_oracle;
mod observe;
mod readme;
mod rebalance;
mod redis_clients;
mod redis_cluster;
mod redis_oracle;
mod ring;
mod routes;
mod shop;
mod sim;

use std::path::{Path, PathBuf};

use ringway_testkit::{Answer, Cluster, Node, get, wait_for};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ringway"))
}

/// The checkout's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is two levels down").to_owned()
}

/// Python packages that `scripts/setup test` has put into the checkout.
fn python_path() -> PathBuf {
    root().join("target/python")
}

/// npm packages that `scripts/setup test` has put into the checkout.
fn node_path() -> PathBuf {
    root().join("target/node/node_modules")
}

fn cluster(size: usize) -> Cluster {
    Cluster::start(binary(), size)
}

/// Deploys a directory through a node and waits until it is healthy.
fn deploy(node: &Node, dir: &Path) {
    node.cli(&["deploy", &dir.display().to_string()]).ok();
}

/// Waits until a node answers a path with 200.
fn served(node: &Node, host: &str, path: &str) -> Answer {
    wait_for(&format!("{path} from {}", node.name), || {
        let answer = get(node.http(), host, path)?;
        if answer.status == 200 { Ok(answer) } else { Err(format!("{} {}", answer.status, answer.text())) }
    })
}

/// `redis://BUCKET:TOKEN@...` of a fresh bucket, as (bucket, token).
fn bucket(node: &Node, arguments: &[&str]) -> (String, String) {
    let created = node.json(&[&["bucket", "create"], arguments].concat());
    let text = |key: &str| created[key].as_str().expect("the answer has it").to_owned();
    (text("name"), text("token"))
}
