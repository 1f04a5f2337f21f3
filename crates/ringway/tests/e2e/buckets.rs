//! Buckets and their keys by hand: settings, what is promised, what goes out and comes in again, what happens to keys.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ringway_testkit::resp::{Client, Reply};
use ringway_testkit::{Node, wait_for};
use serde_json::{Value, json};

use crate::{binary, bucket, cluster};

fn client(node: &Node, bucket: &(String, String)) -> Client {
    Client::log_in(node.redis(), &bucket.0, &bucket.1).expect("the door is open")
}

fn call(client: &mut Client, line: &str) -> Reply {
    client.call(&line.split(' ').collect::<Vec<_>>()).expect("the door answers")
}

#[test]
fn settings_are_made_shown_and_changed_and_what_is_fixed_stays() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    let flags = ["--storage", "disk", "--durability", "sync", "--together", "--limit", "8MB", "--ttl", "1h"];
    node.cli(
        &[&["bucket", "create", "jobs"], &flags[..], &["--ops-per-second", "500", "--connections", "20"]].concat(),
    )
    .ok();
    let info = node.json(&["bucket", "info", "jobs"]);
    for (key, value) in [
        ("storage", json!("Disk")),
        ("durability", json!("Sync")),
        ("together", json!(true)),
        ("limit_bytes", json!(8_000_000)),
        ("ttl_ms", json!(3_600_000)),
        ("ops_per_second", json!(500)),
        ("connections", json!(20)),
    ] {
        assert_eq!(info[key], value, "{key}");
    }
    let shown = node.cli(&["bucket", "info", "jobs"]).ok();
    for said in
        ["bucket jobs  eventual, 3 copies, disk (sync), together", "on disk before it is answered (fsync)", "may lose"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let changed = node.json(&["bucket", "set", "jobs", "--ttl", "none", "--connections", "0", "--limit", "16MB"]);
    assert_eq!((&changed["ttl_ms"], &changed["connections"]), (&Value::Null, &Value::Null));
    assert_eq!((&changed["limit_bytes"], &changed["ops_per_second"]), (&json!(16_000_000), &json!(500)));
    assert!(
        node.cli(&["bucket", "set", "jobs", "--storage", "memory"])
            .fails()
            .contains("cannot change from disk to memory")
    );
    assert!(node.cli(&["bucket", "set", "jobs"]).fails().contains("say what is to change"));
    assert!(node.cli(&["bucket", "info", "job"]).fails().contains("`ringway bucket ls` shows those there are"));
    let refused = node.cli(&["bucket", "create", "x", "--durability", "sync"]).fails();
    assert!(refused.contains("add `storage = \"disk\"`"), "{refused}");
    assert!(node.cli(&["bucket", "rm", "jobs"]).fails().contains("ringway bucket rm jobs --yes"));
}

#[test]
fn keys_of_every_type_go_out_and_come_in_again_with_their_expiry() {
    let cluster = cluster(2);
    let [a, b] = [0, 1].map(|at| &cluster.nodes[at]);
    let (from, to) = (bucket(a, &["from"]), bucket(a, &["to"]));
    let mut source = client(a, &from);
    for line in [
        "SET text hello EX 1000",
        "SET number 41",
        "INCR number",
        "RPUSH list a b a",
        "HSET hash f v g w",
        "SADD set m n",
        "ZADD zset 0.1 low inf high",
    ] {
        assert!(!matches!(call(&mut source, line), Reply::Error(_)), "{line}");
    }
    let blob: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    source.call(&[&b"SET"[..], b"blob\xff", &blob]).expect("the door answers");
    (0..500).for_each(|number| drop(call(&mut source, &format!("SET many:{number} {number}"))));
    assert_eq!(a.cli(&["kv", "get", "from", "list"]).ok(), "1) a\n2) b\n3) a\n");
    assert_eq!(b.json(&["kv", "get", "from", "text"])["value"], "hello");

    let file = cluster.scratch.join("keys.ndjson");
    let path = file.display().to_string();
    assert_eq!(b.json(&["kv", "export", "from", "-o", &path])["keys"], 507);
    assert!(b.cli(&["kv", "export", "from", "-o", &path]).fails().contains("--force"));
    // Twice is as good as once.
    for _ in 0..2 {
        a.cli(&["kv", "import", "to", &path]).ok();
    }
    let mut target = client(b, &to);
    for (line, expected) in [
        ("GET number", "42"),
        ("TYPE number", "string"),
        ("LRANGE list 0 -1", "a b a"),
        ("HGET hash g", "w"),
        ("SCARD set", "2"),
        ("ZRANGE zset 0 -1 WITHSCORES", "low 0.10000000000000001 high inf"),
        ("DBSIZE", "507"),
    ] {
        assert_eq!(plain(&call(&mut target, line)), expected, "{line}");
    }
    assert_eq!(target.call(&[&b"GET"[..], b"blob\xff"]).expect("the door answers"), Reply::Bulk(blob));
    let ttl = plain(&call(&mut target, "TTL text")).parse::<u64>().expect("a number");
    assert!((900..=1000).contains(&ttl), "{ttl}");

    call(&mut target, "SET text changed");
    call(&mut target, "DEL number");
    let kept = a.json(&["kv", "import", "to", &path, "--keep"]);
    assert_eq!(kept["written"], 1, "only the one that was not there");
    assert_eq!(plain(&call(&mut target, "GET text")), "changed");
    assert_eq!(plain(&call(&mut target, "STRLEN blob")), "0", "only its own key has it");
}

#[test]
fn an_interrupted_export_goes_on_and_what_is_no_export_is_refused_with_the_line() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    let from = bucket(node, &["from"]);
    let mut source = client(node, &from);
    let value = "x".repeat(10_000);
    (0..400).for_each(|number| drop(call(&mut source, &format!("SET key:{number} {value}"))));
    let whole = cluster.scratch.join("whole.ndjson");
    node.cli(&["kv", "export", "from", "-o", &whole.display().to_string()]).ok();
    let text = std::fs::read_to_string(&whole).expect("the file is there");
    // As if it had been killed in the middle of the second page.
    let pages = text.match_indices("{\"cursor\":").count();
    assert!(pages >= 2, "{pages} pages");
    let second = text.match_indices("{\"cursor\":").nth(1).expect("there are two").0;
    let file = cluster.scratch.join("again.ndjson");
    let part = cluster.scratch.join("again.ndjson.part");
    std::fs::write(&part, &text[..second - 5000]).expect("the directory is ours");
    let path = file.display().to_string();
    assert!(node.cli(&["kv", "export", "from", "-o", &path]).fails().contains("--resume goes on with it"));
    assert_eq!(node.json(&["kv", "export", "from", "-o", &path, "--resume"])["keys"], 400);
    let keys = |path: &std::path::Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("the file is there");
        let mut keys: Vec<String> =
            text.lines().filter(|line| line.starts_with("{\"key\"")).map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&file), keys(&whole));
    assert!(!part.exists());

    let broken = cluster
        .scratch
        .write("broken.ndjson", format!("{}\n{{\"key\":\"a\"}}\n", text.lines().next().expect("a line")));
    let refused = node.cli(&["kv", "import", "from", &broken.display().to_string()]).fails();
    assert!(refused.contains("line 2: not a line of an export"), "{refused}");
    let rdb = cluster.scratch.write("dump.rdb", "REDIS0011\u{fa}");
    assert!(node.cli(&["kv", "import", "from", &rdb.display().to_string()]).fails().contains("Redis dump (RDB)"));
}

#[test]
fn whoever_watches_sees_changes_at_every_node_as_they_happen() {
    let cluster = cluster(3);
    let (name, token) = bucket(&cluster.nodes[0], &["seen"]);
    let bucket = (name, token);
    let watch = Watch::start(&cluster.nodes[0], &bucket.0, "cart:*");
    assert_eq!(watch.next()["sees"], "every_change");
    let mut clients: Vec<Client> = cluster.nodes.iter().map(|node| client(node, &bucket)).collect();
    for number in 0..30 {
        let client = &mut clients[number % 3];
        assert_eq!(call(client, &format!("SET cart:{number} {number}")), Reply::Simple("OK".into()));
        call(client, &format!("SET other:{number} {number}"));
    }
    let mut told: Vec<String> = (0..30).map(|_| key_of(&watch.next())).collect();
    told.sort();
    let mut expected: Vec<String> = (0..30).map(|number| format!("cart:{number}")).collect();
    expected.sort();
    assert_eq!(told, expected, "each once, whichever node executed it");
    call(&mut clients[1], "DEL cart:7");
    let change = watch.next();
    assert_eq!(
        (key_of(&change), &change["event"], &change["value"]),
        ("cart:7".to_owned(), &json!("del"), &Value::Null)
    );
    call(&mut clients[2], "SET cart:8 short PX 300");
    let change = watch.next();
    assert_eq!((&change["event"], &change["value"]), (&json!("set"), &json!("short")));
    let change = watch.next();
    assert_eq!((key_of(&change), &change["event"]), ("cart:8".to_owned(), &json!("expired")));
}

#[test]
fn top_finds_the_hot_and_the_big_keys_and_info_counts_hits() {
    let cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["busy"]);
    let mut clients: Vec<Client> = cluster.nodes.iter().map(|node| client(node, &bucket)).collect();
    call(&mut clients[0], &format!("SET large {}", "x".repeat(200_000)));
    (0..200).for_each(|number| drop(call(&mut clients[1], &format!("SADD set member:{number}"))));
    for number in 0..3000 {
        let client = &mut clients[number % 3];
        call(client, "GET hot");
        call(client, &format!("SET cold:{number} x"));
        call(client, &format!("GET cold:{number}"));
    }
    let top = node_top(&cluster.nodes[2]);
    assert_eq!(top["hot"][0]["key"]["utf8"], "hot", "{top}");
    assert!(top["hot"][0]["ops_per_second"].as_f64().is_some_and(|rate| rate > 10.0), "{top}");
    wait_for("the largest key to be found", || {
        let top = node_top(&cluster.nodes[2]);
        let found = (top["big"][0]["key"]["utf8"].clone(), top["big"][1]["kind"].clone());
        if found == (json!("large"), json!("set")) { Ok(()) } else { Err(top["big"].to_string()) }
    });
    let shown = cluster.nodes[0].cli(&["kv", "top", "busy"]).ok();
    assert!(shown.contains("HOT KEY") && shown.contains("one in 64 is looked at"), "{shown}");

    let info = cluster.nodes[1].json(&["bucket", "info", "busy"]);
    assert_eq!(info["keys"], 3002);
    let ratio = info["hit_ratio"].as_f64().expect("there were reads");
    assert!((0.4..0.6).contains(&ratio), "each second read found something: {ratio}");
    assert_eq!(info["words"]["is_well"], true, "{}", info["words"]);
}

fn node_top(node: &Node) -> Value {
    node.json(&["kv", "top", "busy", "--once"])
}

fn key_of(change: &Value) -> String {
    change["key"].as_str().expect("keys here are text").to_owned()
}

/// A reply as words.
fn plain(reply: &Reply) -> String {
    match reply {
        Reply::Array(replies) => replies.iter().map(plain).collect::<Vec<_>>().join(" "),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Simple(text) => text.clone(),
        Reply::Integer(number) => number.to_string(),
        other => other.to_string(),
    }
}

/// `ringway kv watch --json` in the background.
struct Watch {
    process: Child,
    lines: mpsc::Receiver<Value>,
}

impl Watch {
    fn start(node: &Node, bucket: &str, what: &str) -> Self {
        let mut command = Command::new(binary());
        command.arg("--admin").arg(&node.data).args(["kv", "watch", bucket, what, "--json"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let out = process.stdout.take().expect("it was asked for");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str(&line) else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(15)).expect("a line comes in time")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
