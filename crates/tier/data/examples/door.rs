//! One data tier with stand-ins for everything around it, to measure its doors alone: `cargo run --release --example door`.
//! Prints the addresses of the Redis and the memcached door; the bucket is `b`, its token `token-of-the-bucket`. Ends with its standard input.

#![allow(clippy::unwrap_used, dead_code, reason = "a tool for developers, with the parts of the tests that it needs")]

#[path = "../../../ringway/src/allocator.rs"]
mod allocator;
#[path = "../tests/cluster/network.rs"]
mod network;
#[path = "../tests/cluster/world.rs"]
mod world;

use std::io::Read;

#[tokio::main]
async fn main() {
    let nodes = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1);
    let world = world::World::new(nodes).await;
    world.bucket("b", |spec| {
        spec.limit = ringway_manifest::Bytes::mb(4096);
        spec.replicas = nodes;
    });
    for node in 1..=nodes {
        println!("{}\n{}", world.at(node).redis, world.at(node).memcache);
    }
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    drop(closed);
}
