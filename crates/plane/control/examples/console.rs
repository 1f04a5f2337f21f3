//! The console with a cluster that is not there: `cargo run -p ringway-control --example console`. For working on the page.
//!
//! `calm` (default), `moving`, `missing` or `single` as the argument chooses what it shows.

#[path = "../tests/support/stand_ins.rs"]
mod stand_ins;

use std::time::Duration;

use ringway_catalog::{BlobId, Command, Secret};
use ringway_manifest::parse;
use ringway_ports::{InstanceState, InstanceView, Reach};
use stand_ins::{Node, TOKEN, World};

const SHOP: &str = r#"
name = "shop"
hosts = ["shop.example.org"]
route = [{ path = "/", to = "static:public" }, { path = "/api/*", to = "catalog" }, { path = "/price", to = "price" }]
[service.catalog]
run = "python3 catalog.py"
replicas = { min = 2, max = 6 }
[service.cart]
run = "python3 cart.py"
replicas = { min = 2, max = 2 }
[service.mailer]
run = "python3 mailer.py"
[function.price]
wasm = "price.wasm"
[function.receipt]
lambda = "python3 receipt.py"
[kv.cart]
"#;
const BLOG: &str = "name = \"blog\"\n[[route]]\npath = \"/\"\nto = \"static:public\"\n";

#[tokio::main]
async fn main() {
    let scene = std::env::args().nth(1).unwrap_or_default();
    let world = World::new();
    let mut nodes = Vec::new();
    let names: &[&str] = if scene == "single" { &["otter"] } else { &["otter", "heron", "lynx", "node-4"] };
    for (name, n) in names.iter().zip(1..) {
        let is_last = usize::from(n) == names.len();
        nodes.push(world.add_node(n, name));
        if !(is_last && scene == "moving") {
            world.settle();
        }
    }
    if scene != "single" {
        deploy(&world, SHOP);
        deploy(&world, BLOG);
    }
    if scene == "missing" {
        world.set_reach(3, Reach::Down);
        world.set_reach(4, Reach::Suspect);
    }
    if scene == "moving" {
        let fetch = |from: usize, partitions_done| ringway_control::Fetch {
            from: nodes[from].id,
            partitions_done,
            partitions_total: 1024,
            bytes_done: partitions_done * 81_000,
            bytes_total: Some(1024 * 81_000),
            eta_ms: Some((1024 - partitions_done) * 81_000 / 4_100),
            bytes_per_second: 4_100_000,
            state: "moving".to_owned(),
        };
        *nodes[3].fetches.lock().expect("not poisoned") = vec![fetch(0, 700), fetch(1, 380), fetch(2, 90)];
    }
    let controls: Vec<_> = nodes.iter().map(Node::control).collect();
    for (node, n) in nodes.iter().zip(0..) {
        instances(node, n);
        *node.memory.lock().expect("not poisoned") = 46_300_000 + 7_100_000 * n;
    }
    let listener = ringway_rt::net::listen("the console", "127.0.0.1:0".parse().expect("an address"), "nothing", false);
    let address = controls[0].serve(listener.expect("a free port")).expect("a listener");
    println!("http://{address}/#token={TOKEN}");
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        nodes.iter().zip(1..).for_each(|(node, n)| rates(node, n));
    }
}

fn deploy(world: &World, manifest: &str) {
    let manifest = parse("ringway.toml", manifest).unwrap_or_else(|faults| panic!("{faults}")).manifest;
    let command = Command::Deploy {
        manifest,
        files: BlobId([7; 32]),
        files_len: 9,
        bucket_tokens: vec![("cart".into(), Secret::new("t"))],
    };
    world.apply(command).expect("the manifest is fine");
}

fn rates(node: &Node, n: u64) {
    let now = ringway_rt::clock::wall_ms() / 1000;
    let wave = |second: u64| {
        let t = second as f64;
        let noise = (second.wrapping_mul(2_654_435_761 + n) >> 7) % 23;
        (90.0 * n as f64 * (1.3 + (t / 19.0 + n as f64).sin() * 0.5 + (t / 7.0).cos() * 0.15)) as u64 + noise
    };
    *node.rate.lock().expect("not poisoned") = (now, (now - 119..=now).map(wave).collect());
}

fn instances(node: &Node, n: u64) {
    use InstanceState::*;
    let view = |unit: &str, kind: &str, nth: u64, state: InstanceState, note: &str| InstanceView {
        app: "shop".to_owned(),
        release: 1,
        unit: unit.to_owned(),
        kind: kind.to_owned(),
        id: if state == Cold { String::new() } else { format!("shop/{unit}#{nth}") },
        state,
        pid: Some(4000 + nth as u32),
        port: Some(41_000 + nth as u16),
        in_flight: if state == Busy { 3 + nth as usize } else { 0 },
        requests: if state == Cold { 0 } else { 18_233 * (n + 1) },
        restarts: 0,
        started_ms: 1,
        note: note.to_owned(),
    };
    let running = match n {
        0 => vec![
            view("catalog", "service", 1, Busy, ""),
            view("price", "wasm", 1, Warm, ""),
            view("cart", "service", 1, Warm, ""),
        ],
        1 => vec![
            view("catalog", "service", 2, Busy, ""),
            view("catalog", "service", 3, Starting, ""),
            view("price", "wasm", 2, Idle, ""),
            view("mailer", "service", 1, BackingOff, "exited with status 1 (3 times), next start in 4s"),
        ],
        2 => vec![
            view("catalog", "service", 4, Warm, ""),
            view("cart", "service", 2, Idle, ""),
            view("receipt", "lambda", 1, Cold, ""),
        ],
        _ => vec![view("catalog", "service", 5, Stopping, ""), view("receipt", "lambda", 1, Cold, "")],
    };
    let has_apps = !node.world.catalog.lock().expect("not poisoned").apps.is_empty();
    *node.instances.lock().expect("not poisoned") = if has_apps { running } else { vec![] };
}
