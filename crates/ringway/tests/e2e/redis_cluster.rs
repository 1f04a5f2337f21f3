//! Clients that route by themselves: redis-py's and ioredis' cluster clients, redis-cli -c, redis-benchmark --cluster.

use std::path::Path;
use std::process::{Command, Stdio};

use ringway_testkit::programs::finish;
use ringway_testkit::{Cluster, Node, run, wait_for};
use serde_json::Value;

use crate::data::redis_cli;
use crate::{binary, bucket, cluster, node_path, python_path, root};

const REDIRECT: (&str, &str) = ("RINGWAY_REDIS_REDIRECT", "true");

/// A line of INFO, as a number.
fn info(node: &Node, bucket: &(String, String), name: &str) -> u64 {
    let told = redis_cli(node, bucket, &["info"]);
    let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {told}"))
}

/// How many commands running nodes have passed on to others since they started.
fn forwarded(cluster: &Cluster, bucket: &(String, String)) -> u64 {
    let running = cluster.nodes.iter().filter(|node| node.is_running());
    running.map(|node| info(node, bucket, "total_commands_forwarded")).sum()
}

/// A client program that writes and reads until told to stop.
struct Load {
    language: &'static str,
    process: std::process::Child,
}

impl Load {
    fn python(node: &Node, bucket: &(String, String), place: &Path) -> Self {
        let mut command = Command::new("python3");
        command.arg(clients().join("redis_cluster.py")).env("PYTHONPATH", python_path());
        Self::start("py", command, node, bucket, place)
    }

    fn node_js(node: &Node, bucket: &(String, String), place: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(clients().join("ioredis_cluster.js")).env("NODE_PATH", node_path());
        Self::start("js", command, node, bucket, place)
    }

    fn start(
        language: &'static str,
        mut command: Command,
        node: &Node,
        bucket: &(String, String),
        place: &Path,
    ) -> Self {
        command.args([&bucket.0, &bucket.1, &node.ip.to_string()]).arg(place);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("scripts/setup installs it");
        Self { language, process }
    }

    fn done(&self, place: &Path) -> u64 {
        let text = std::fs::read_to_string(place.join(format!("{}.progress", self.language))).unwrap_or_default();
        // Caught in the middle of writing it: not complete without the end of its line.
        text.strip_suffix('\n').and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Waits until it has done `more` operations from now on.
    fn does(&self, more: u64, place: &Path) {
        let before = self.done(place);
        wait_for(&format!("{} more operations of the {} client", more, self.language), || {
            let done = self.done(place);
            if done >= before + more { Ok(()) } else { Err(format!("{done} done, {before} before")) }
        });
    }

    /// What it said at its end. The file `stop` is there.
    fn report(self) -> Value {
        let output = self.process.wait_with_output().expect("the process is ours");
        let said = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{} said ({error}): {said}", self.language))
    }
}

fn clients() -> std::path::PathBuf {
    root().join("crates/ringway/tests/clients")
}

/// Both clients at work, while a node joins and another one is killed.
fn clients_work_through_a_join_and_a_kill(environment: &[(&str, &str)]) -> (Cluster, (String, String)) {
    let mut cluster = Cluster::start_with(binary(), 3, environment);
    let bucket = bucket(&cluster.nodes[0], &["clients", "--replicas", "2"]);
    let place = cluster.scratch.join("load");
    std::fs::create_dir_all(&place).expect("the scratch directory is writable");
    let loads = [Load::python(&cluster.nodes[0], &bucket, &place), Load::node_js(&cluster.nodes[1], &bucket, &place)];
    loads.iter().for_each(|load| load.does(300, &place));
    assert_eq!(forwarded(&cluster, &bucket), 0, "everything was asked of its owner");
    cluster.add();
    cluster.settled();
    loads.iter().for_each(|load| load.does(300, &place));
    if !environment.is_empty() {
        let before = (forwarded(&cluster, &bucket), info(&cluster.nodes[3], &bucket, "total_commands_processed"));
        loads.iter().for_each(|load| load.does(300, &place));
        assert_eq!(forwarded(&cluster, &bucket), before.0, "the clients have learned of the fourth node");
        assert!(info(&cluster.nodes[3], &bucket, "total_commands_processed") > before.1 + 100, "and use it");
    }
    cluster.nodes[2].kill();
    loads.iter().for_each(|load| load.does(500, &place));
    std::fs::write(place.join("stop"), "").expect("the scratch directory is writable");
    for load in loads {
        let language = load.language;
        let report = load.report();
        assert_eq!(report["errors"], serde_json::json!([]), "{language}: {report}");
        assert_eq!(report["lost"], serde_json::json!([]), "{language}: {report}");
        println!("{language}: {} operations, the slowest took {} ms", report["done"], report["slowest_ms"]);
    }
    (cluster, bucket)
}

#[test]
fn clients_of_two_languages_route_by_themselves_and_bear_a_join_and_a_kill() {
    clients_work_through_a_join_and_a_kill(&[]);
}

#[test]
fn clients_of_two_languages_follow_moved_through_a_join_and_a_kill() {
    let (cluster, bucket) = clients_work_through_a_join_and_a_kill(&[REDIRECT]);
    let said: Vec<String> =
        (0..10).map(|n| redis_cli(&cluster.nodes[0], &bucket, &["get", &format!("k{n}")])).collect();
    assert!(said.iter().any(|reply| reply.starts_with("MOVED ")), "a plain client is told so: {said:?}");
}

#[test]
fn redis_cli_and_redis_benchmark_route_by_themselves() {
    for environment in [&[][..], &[REDIRECT]] {
        let cluster = Cluster::start_with(binary(), 3, environment);
        let bucket = bucket(&cluster.nodes[0], &["tools"]);
        let node = &cluster.nodes[1];
        for number in 0..20 {
            let (key, value) = (format!("k{number}"), number.to_string());
            assert_eq!(redis_cli(node, &bucket, &["-c", "set", &key, &value]), "OK");
            assert_eq!(redis_cli(&cluster.nodes[number % 3], &bucket, &["-c", "get", &key]), value);
        }
        let (host, port) = (node.ip.to_string(), node.redis().port().to_string());
        let before = forwarded(&cluster, &bucket);
        let base = ["--cluster", "-h", &host, "-p", &port, "--user", &bucket.0, "-a", &bucket.1, "-q"];
        let work = ["-t", "set,get", "-n", "6000", "-c", "9", "-P", "4", "-r", "500"];
        let said = run("redis-benchmark", &[&base[..], &work].concat()).ok();
        assert!(said.contains("SET: ") && said.contains("GET: ") && !said.contains("rror"), "{said}");
        assert_eq!(forwarded(&cluster, &bucket), before, "each command went to its owner");
        let base = ["--cluster", "check", &format!("{host}:{port}"), "--user", &bucket.0, "-a", &bucket.1];
        let said = run("redis-cli", &[&base[..], &["--no-auth-warning"]].concat()).ok();
        for line in ["[OK] All nodes agree about slots configuration", "[OK] All 16384 slots covered"] {
            assert!(said.contains(line), "{said}");
        }
    }
}

#[test]
fn redis_py_reads_from_replicas_and_sees_the_whole_cluster_in_both_protocol_versions() {
    let cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["py", "--replicas", "2"]);
    let program = "
import sys
from redis.cluster import RedisCluster
name, token, host = sys.argv[1:4]
for protocol in (2, 3):
    c = RedisCluster(host=host, port=7379, username=name, password=token, protocol=protocol, read_from_replicas=True)
    pipe = c.pipeline()
    for i in range(200):
        pipe.set(f'k{i}', i)
    assert pipe.execute() == [True] * 200
    for i in range(200):
        assert c.get(f'k{i}') == str(i).encode()
    assert c.mget(['{t}a', '{t}b']) == [None, None]
    assert c.mget_nonatomic(['k1', 'k2', 'none']) == [b'1', b'2', None]
    assert len(c.cluster_nodes()) == 3 and len(c.cluster_slots()) >= 3
    assert c.cluster_keyslot('foo') == 12182
    assert sorted(set(c.keys('k1?'))) == sorted(f'k1{i}'.encode() for i in range(10))
    assert {key for key in c.scan_iter(match='k*', count=50)} == {f'k{i}'.encode() for i in range(200)}
    assert len(c.cluster_shards()) == 3
    c.flushall()
    assert c.get('k1') is None
print('fine')
";
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_path()).args(["-c", program, &bucket.0, &bucket.1]);
    command.arg(cluster.nodes[2].ip.to_string());
    assert_eq!(finish(&mut command).ok().trim(), "fine");
}
