//! The libraries and programs that people use with Redis, doing real work against nodes. The programs are in `tests/clients`;
//! each tells all that it saw otherwise than expected.

use std::process::Stdio;
use std::time::Duration;

use redis::Commands as _;
use ringway_testkit::{Cluster, run, wait_for};

use crate::binary;
use crate::door::{Door, is_stood_in_for};

#[test]
fn redis_py_does_all_that_applications_do_with_it() {
    Door::open(3, &[]).serves("redis_py.py", &[]);
}

#[test]
fn ioredis_does_all_that_applications_do_with_it() {
    let door = Door::open(3, &[]);
    door.serves("ioredis.js", if is_stood_in_for() { &[] } else { &["cluster"] });
}

#[test]
fn node_redis_does_all_that_applications_do_with_it() {
    let door = Door::open(3, &[]);
    door.serves("node_redis.js", if is_stood_in_for() { &[] } else { &["cluster"] });
}

#[test]
fn phps_redis_extension_does_all_that_applications_do_with_it() {
    let door = Door::open(3, &[]);
    door.serves("redis.php", if is_stood_in_for() { &[] } else { &["cluster"] });
}

#[test]
fn celery_runs_tasks_groups_chains_and_chords() {
    Door::open(3, &["--together"]).serves("celery_queue.py", &[]);
}

#[test]
fn bullmq_runs_jobs_delays_retries_repeats_and_flows() {
    let door = Door::open(3, &["--together"]);
    door.serves("bullmq.js", &[if is_stood_in_for() { "streams" } else { "without-streams" }]);
}

#[test]
fn djangos_cache_and_sessions_are_in_a_bucket() {
    // `cache.set_many` is a transaction over all its keys.
    let door = Door::open(3, &["--together"]);
    door.serves("django_site.py", &["redis"]);
}

#[test]
fn sessions_of_php_are_locked_while_a_request_has_them() {
    let door = Door::open(3, &[]);
    let path = |node: usize| {
        let address = door.addresses[node % door.addresses.len()];
        format!("session.save_path=\"tcp://{address}?auth[]={}&auth[]={}\"", door.name, door.token)
    };
    let locking =
        ["redis.session.locking_enabled=1", "redis.session.lock_retries=-1", "redis.session.lock_wait_time=5000"];
    visits_are_counted_one_by_one(&door, &path, "redis", &locking);
}

/// Five requests at the same time with the same session: each sees what the one before has left.
pub fn visits_are_counted_one_by_one(door: &Door, path: &dyn Fn(usize) -> String, handler: &str, locking: &[&str]) {
    let visit = |node: usize, more: &[&str]| {
        let mut command = door.program("session.php");
        let script = command.get_args().next().map(std::ffi::OsStr::to_owned).expect("a program has a path");
        command = std::process::Command::new(command.get_program());
        command.args(["-d", &format!("session.save_handler={handler}"), "-d", &path(node)]);
        locking.iter().for_each(|setting| {
            command.args(["-d", setting]);
        });
        command.arg(script).args(["abcdefghijklmnopqrstuvwxyz", "60"]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scripts/setup installs PHP")
    };
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().expect("the process is ours");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
            .trim()
            .to_owned()
    };
    let together: Vec<_> = (0..5).map(|node| visit(node, &[])).collect();
    let mut seen: Vec<String> = together.into_iter().map(said).collect();
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    assert_eq!(said(visit(1, &["leave"])), "6");
    assert_eq!(said(visit(2, &[])), "1", "a session that was destroyed begins anew");
}

#[test]
fn redis_pys_cluster_client_uses_all_kinds_of_values() {
    // A redis-server by itself is no cluster.
    if !is_stood_in_for() {
        Door::open(3, &[]).serves("redis_py_cluster.py", &[]);
    }
}

#[test]
fn a_cluster_client_with_one_retry_sees_nothing_of_a_killed_node() {
    if is_stood_in_for() {
        return;
    }
    let mut door = Door::of(Cluster::start(binary(), 3), &["--replicas", "3"]);
    let cluster = door.cluster.take().expect("it has just been made");
    let stop = cluster.scratch.join("stop");
    let mut command = door.program("redis_py_cluster.py");
    let client = command.arg(&stop).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python runs");
    let progress = stop.with_extension("progress");
    let reaches = |count: u64| {
        wait_for(&format!("{count} operations"), || {
            let text = std::fs::read_to_string(&progress).unwrap_or_default();
            let done = text.strip_suffix('\n').and_then(|number| number.parse().ok()).unwrap_or(0);
            if done >= count { Ok(done) } else { Err(format!("{done} done")) }
        })
    };
    let before = reaches(200);
    let mut cluster = cluster;
    cluster.nodes[2].kill();
    reaches(before + 600);
    std::fs::write(&stop, "").expect("the scratch directory is writable");
    let output = client.wait_with_output().expect("the process is ours");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn redis_benchmark_runs_its_own_tests() {
    let door = Door::open(2, &[]);
    let (host, port) = (door.addresses[0].ip().to_string(), door.addresses[0].port().to_string());
    let base = [
        "-h",
        &host,
        "-p",
        &port,
        "--user",
        &door.name,
        "-a",
        &door.token,
        "-q",
        "-n",
        "4000",
        "-P",
        "16",
        "-r",
        "100",
    ];
    let tests = [
        "ping",
        "set",
        "get",
        "incr",
        "lpush",
        "rpush",
        "lpop",
        "rpop",
        "sadd",
        "hset",
        "spop",
        "zadd",
        "zpopmin",
        "lrange_100",
        "mset",
    ];
    let said = run("redis-benchmark", &[&base[..], &["-t", &tests.join(",")]].concat()).ok();
    // What it says of MSET is "MSET (10 keys)", of LRANGE_100 "LRANGE_100 (first 100 elements)".
    for test in tests {
        let name = test.to_uppercase();
        assert!(
            said.split(['\r', '\n']).any(|line| line.starts_with(&name) && line.contains("requests per second")),
            "{name}: {said}"
        );
    }
    assert!(!said.contains("rror"), "{said}");
}

#[test]
fn redis_cli_scans_and_shows_what_is_there() {
    let door = Door::open(2, &[]);
    let cli = |arguments: &[&str]| {
        let url = door.url(1);
        run("redis-cli", &[&["-u", &url, "--no-auth-warning"], arguments].concat()).ok().trim_end().to_owned()
    };
    assert_eq!(cli(&["rpush", "list", "a", "b"]), "2");
    assert_eq!(cli(&["hset", "hash", "f", "v"]), "1");
    assert_eq!(cli(&["zadd", "zset", "1.5", "m"]), "1");
    assert_eq!(cli(&["-3", "zscore", "zset", "m"]), "1.5");
    assert_eq!(cli(&["--json", "hgetall", "hash"]), "{\"f\":\"v\"}");
    let mut keys: Vec<String> = cli(&["--scan"]).lines().map(str::to_owned).collect();
    keys.sort();
    assert_eq!(keys, ["hash", "list", "zset"]);
    for (key, kind) in [("list", "list"), ("hash", "hash"), ("zset", "zset"), ("none", "none")] {
        assert_eq!(cli(&["type", key]), kind);
    }
    assert_eq!(cli(&["--eval", "/dev/null"]), "");
    assert_eq!(cli(&["eval", "return {1, KEYS[1], ARGV[1]}", "1", "k", "v"]), "1\nk\nv");
    assert_eq!(cli(&["-r", "3", "incr", "n"]), "1\n2\n3");
    assert!(cli(&["--bigkeys"]).contains("Biggest   list found"), "{}", cli(&["--bigkeys"]));
}

#[test]
fn the_redis_crate_does_all_that_applications_do_with_it() {
    let door = Door::open(3, &[]);
    for protocol in ["", "?protocol=resp3"] {
        let open = |node: usize| redis::Client::open(format!("{}/{protocol}", door.url(node))).expect("a URL");
        exercise(&open(0), &open(1)).unwrap_or_else(|error| panic!("{protocol}: {error}"));
    }
    if is_stood_in_for() {
        return;
    }
    let urls: Vec<String> = (0..3).map(|node| door.url(node)).collect();
    let mut cluster =
        redis::cluster::ClusterClient::new(urls).and_then(|client| client.get_connection()).expect("a cluster");
    for number in 0..100_i64 {
        let _: () = cluster.set(format!("cluster:{number}"), number).expect("it is set");
    }
    for number in 0..100_i64 {
        assert_eq!(cluster.get::<_, i64>(format!("cluster:{number}")), Ok(number));
    }
}

fn exercise(one: &redis::Client, two: &redis::Client) -> redis::RedisResult<()> {
    let (mut here, mut there) = (one.get_connection()?, two.get_connection()?);
    let _: () = redis::cmd("FLUSHDB").query(&mut here)?;
    let _: () = here.set_ex("k", b"\0\xff\r\n".to_vec(), 60)?;
    assert_eq!(there.get::<_, Vec<u8>>("k")?, b"\0\xff\r\n");
    assert_eq!(there.get::<_, Option<String>>("none")?, None);
    assert_eq!(here.hset_multiple::<_, _, _, ()>("h", &[("a", 1), ("b", 2)]), Ok(()));
    let all: std::collections::BTreeMap<String, i64> = there.hgetall("h")?;
    assert_eq!(all, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    assert_eq!(here.rpush::<_, _, i64>("l", &["a", "b", "c"])?, 3);
    assert_eq!(there.lrange::<_, Vec<String>>("l", 0, -1)?, ["a", "b", "c"]);
    assert_eq!(here.zadd_multiple::<_, _, _, i64>("z", &[(1.5, "a"), (2.0, "b")])?, 2);
    assert_eq!(
        there.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1)?,
        [("a".to_owned(), 1.5), ("b".to_owned(), 2.0)]
    );
    let (first, second): (String, i64) =
        redis::pipe().set("{p}a", "x").ignore().get("{p}a").incr("{p}n", 5).query(&mut here)?;
    assert_eq!((first.as_str(), second), ("x", 5));
    let (value,): (i64,) = redis::transaction(&mut here, &["{p}n"], |connection, pipe| {
        let before: i64 = connection.get("{p}n")?;
        pipe.set("{p}n", before + 1).ignore().get("{p}n").query(connection)
    })?;
    assert_eq!(value, 6);
    let script = redis::Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    assert_eq!(script.key("s").arg(3).invoke::<i64>(&mut here)?, 3);
    assert_eq!(script.key("s").arg(4).invoke::<i64>(&mut there)?, 7);
    let error = here.get::<_, String>("l").expect_err("a list is no string");
    assert_eq!(error.code(), Some("WRONGTYPE"), "{error}");
    for number in 0..100 {
        let _: () = here.set(format!("scan:{number}"), number)?;
    }
    let found: Result<std::collections::BTreeSet<String>, _> = there.scan_match("scan:*")?.collect();
    assert_eq!(found?.len(), 100);
    let mut listener = one.get_connection()?;
    listener.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut subscription = listener.as_pubsub();
    subscription.subscribe("news")?;
    let _: () = there.publish("news", "hello")?;
    let message = subscription.get_message()?;
    assert_eq!((message.get_channel_name(), message.get_payload::<String>()?), ("news", "hello".to_owned()));
    Ok(())
}
