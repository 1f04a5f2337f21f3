//! The Redis door, held against redis-cli, redis-benchmark and a client of another language.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use ringway_testkit::programs::finish;
use ringway_testkit::{Node, run};

use crate::{bucket, cluster, python_path};

pub fn redis_cli(node: &Node, bucket: &(String, String), arguments: &[&str]) -> String {
    let (host, port) = (node.ip.to_string(), node.redis().port().to_string());
    let base = ["-h", &host, "-p", &port, "--user", &bucket.0, "--pass", &bucket.1, "--no-auth-warning"];
    run("redis-cli", &[&base[..], arguments].concat()).ok().trim_end().to_owned()
}

#[test]
fn redis_cli_reads_through_one_node_what_it_wrote_through_another() {
    let cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["cache"]);
    let [a, b, c] = [0, 1, 2].map(|at| &cluster.nodes[at]);
    assert_eq!(redis_cli(a, &bucket, &["ping"]), "PONG");
    assert_eq!(redis_cli(a, &bucket, &["set", "greeting", "hello"]), "OK");
    assert_eq!(redis_cli(b, &bucket, &["get", "greeting"]), "hello");
    assert_eq!(redis_cli(c, &bucket, &["set", "greeting", "no", "nx"]), "");
    assert_eq!(redis_cli(c, &bucket, &["set", "greeting", "bye", "xx", "ex", "100"]), "OK");
    assert!((98..=100).contains(&redis_cli(a, &bucket, &["ttl", "greeting"]).parse::<i64>().expect("a number")));
    assert_eq!(redis_cli(b, &bucket, &["mget", "greeting", "missing"]), "bye");
    for expected in 1..=6 {
        assert_eq!(redis_cli(&cluster.nodes[expected % 3], &bucket, &["incr", "counter"]), expected.to_string());
    }
    assert_eq!(redis_cli(a, &bucket, &["exists", "greeting", "counter", "missing"]), "2");
    assert_eq!(redis_cli(b, &bucket, &["del", "greeting", "missing"]), "1");
    assert_eq!(redis_cli(c, &bucket, &["get", "greeting"]), "");
    assert_eq!(redis_cli(c, &bucket, &["--scan"]), "counter");
    assert!(redis_cli(c, &bucket, &["info"]).contains("redis_version:"));
    assert!(redis_cli(c, &bucket, &["incr", "counter", "extra"]).contains("wrong number of arguments"));
    assert!(redis_cli(c, &bucket, &["frobnicate"]).contains("unknown command"));
    let slots = redis_cli(a, &bucket, &["cluster", "slots"]);
    for node in &cluster.nodes {
        assert!(slots.contains(&node.ip.to_string()), "{slots}");
    }
}

#[test]
fn without_or_with_a_wrong_password_nothing_is_told() {
    let cluster = cluster(1);
    let bucket = bucket(&cluster.nodes[0], &["vault"]);
    let node = &cluster.nodes[0];
    let (host, port) = (node.ip.to_string(), node.redis().port().to_string());
    assert!(run("redis-cli", &["-h", &host, "-p", &port, "get", "x"]).out.contains("NOAUTH"));
    let wrong = (bucket.0.clone(), "guess".to_owned());
    let base = ["-h", &host, "-p", &port, "--user", &wrong.0, "--pass", &wrong.1, "get", "x"];
    let said = run("redis-cli", &base);
    assert!(format!("{}{}", said.out, said.err).contains("WRONGPASS"), "{said:?}");
    assert_eq!(redis_cli(node, &bucket, &["set", "x", "1"]), "OK");
    assert!(!node.read_log().contains(&bucket.1), "the token is not in the log");
}

#[test]
fn redis_benchmark_runs_through_with_pipelines() {
    let cluster = cluster(3);
    let bucket = bucket(&cluster.nodes[0], &["bench"]);
    let node = &cluster.nodes[1];
    let (host, port) = (node.ip.to_string(), node.redis().port().to_string());
    let arguments = [
        "-h",
        &host,
        "-p",
        &port,
        "--user",
        &bucket.0,
        "-a",
        &bucket.1,
        "-t",
        "set,get,incr",
        "-n",
        "6000",
        "-c",
        "20",
        "-P",
        "8",
        "-r",
        "500",
        "-q",
    ];
    let said = run("redis-benchmark", &arguments).ok();
    for test in ["SET", "GET", "INCR"] {
        assert!(said.contains(&format!("{test}: ")), "{said}");
    }
}

#[test]
fn redis_py_works_with_both_protocol_versions() {
    let cluster = cluster(2);
    let bucket = bucket(&cluster.nodes[0], &["py"]);
    let program = "
import redis, sys
name, token, host, other = sys.argv[1:5]
for protocol in (2, 3):
    one = redis.Redis(host=host, port=7379, username=name, password=token, protocol=protocol)
    two = redis.Redis(host=other, port=7379, username=name, password=token, protocol=protocol)
    assert one.set('k', b'\\x00\\xff\\r\\n', ex=60)
    assert two.get('k') == b'\\x00\\xff\\r\\n'
    assert two.set('k', 'x', nx=True) is None
    assert one.mget(['k', 'none'])[1] is None
    one.delete('n')
    pipe = two.pipeline(transaction=False)
    for i in range(100):
        pipe.incr('n')
    assert pipe.execute()[-1] == 100
    assert one.get('n') == b'100'
    assert one.expire('n', 100) and 0 < two.ttl('n') <= 100
    for i in range(300):
        one.set(f'many:{i}', i)
    assert len(list(two.scan_iter(match='many:*', count=50))) == 300
    big = bytes(5_000_000)
    one.set('big', big)
    assert two.get('big') == big
    try:
        one.get('k', 'too', 'many') if False else one.execute_command('GET')
        raise SystemExit('was to fail')
    except redis.ResponseError as e:
        assert 'wrong number' in str(e)
print('fine')
";
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_path()).args(["-c", program, &bucket.0, &bucket.1]);
    command.args([cluster.nodes[0].ip.to_string(), cluster.nodes[1].ip.to_string()]);
    assert_eq!(finish(&mut command).ok().trim(), "fine");
}

#[test]
fn a_frame_that_promises_four_gigabytes_is_refused_at_once() {
    let cluster = cluster(1);
    let bucket = bucket(&cluster.nodes[0], &["tiny"]);
    let node = &cluster.nodes[0];
    let mut stream = TcpStream::connect(node.redis()).expect("the door is open");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a timeout");
    let auth = format!("AUTH {} {}\r\n", bucket.0, bucket.1);
    stream.write_all(auth.as_bytes()).expect("the door reads");
    stream.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967296\r\nabc").expect("the door reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the door answers and closes");
    assert!(answer.starts_with("+OK\r\n-ERR Protocol error: invalid bulk length"), "{answer}");
    assert_eq!(redis_cli(node, &bucket, &["ping"]), "PONG", "others are served on");
    let rss = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("the node runs");
    let kib: u64 = rss
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse().ok())
        .expect("a number");
    assert!(kib < 512 << 10, "nothing was reserved for it: {kib} KiB");
}

#[test]
fn a_memory_bucket_stays_within_its_limit() {
    let cluster = cluster(1);
    let bucket = bucket(&cluster.nodes[0], &["small", "--limit", "2MB"]);
    let node = &cluster.nodes[0];
    let value = "x".repeat(20_000);
    for number in 0..300 {
        redis_cli(node, &bucket, &["set", &format!("k{number}"), &value]);
    }
    let buckets = node.json(&["bucket", "ls"]);
    let held = buckets[0]["bytes_held"].as_u64().expect("a number");
    assert!(held <= 2_000_000 && held > 1_000_000, "{held}");
    assert_eq!(redis_cli(node, &bucket, &["get", "k299"]), value, "the newest is there");
}
