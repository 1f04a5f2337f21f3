//! memcached's own tools and libraries of other languages at the memcached door.

use ringway_testkit::{run, run_in};

use crate::door::Door;
use crate::hostile::answer_to;
use crate::redis_clients::visits_are_counted_one_by_one;

#[test]
fn libmemcacheds_own_check_of_a_server_passes() {
    let door = Door::open_with_memcached();
    let (host, port) = (door.memcached[0].ip().to_string(), door.memcached[0].port().to_string());
    let said = run("memccapable", &["-h", &host, "-p", &port, "-a", "-t", "10", "-v"]);
    assert!(said.success && said.out.contains("All tests passed"), "{}\n{}", said.out, said.err);
    for name in ["get", "gets", "mget", "cas", "incr", "decr", "append", "prepend", "flush", "stat", "verbosity"] {
        let passed =
            said.out.lines().any(|line| line.starts_with(&format!("ascii {name} ")) && line.ends_with("[pass]"));
        assert!(passed, "{name}: {}", said.out);
    }
}

#[test]
fn libmemcacheds_tools_copy_show_and_remove_files() {
    let door = Door::open_with_memcached();
    let scratch = ringway_testkit::Scratch::new("memcached-tools");
    let text = "first line\nsecond line\n".repeat(5000);
    scratch.write("file", &text);
    let servers = format!("--servers={}", door.memcached[0]);
    let tool = |name: &str, more: &[&str]| run_in(&scratch, name, &[&[servers.as_str()], more].concat());
    tool("memcping", &[]).ok();
    tool("memccp", &["file"]).ok();
    assert_eq!(tool("memccat", &["file"]).ok().trim_end(), text.trim_end());
    tool("memcexist", &["file"]).ok();
    tool("memctouch", &["--expire", "100", "file"]).ok();
    let stats = tool("memcstat", &[]).ok();
    assert!(stats.contains("curr_items: 1"), "{stats}");
    for test in ["set", "get", "mget"] {
        let slap = ["--concurrency=4", "--execute-number=200", "--initial-load=200", &format!("--test={test}")];
        let said = tool("memcslap", &slap).ok();
        assert!(said.contains("Time to"), "{said}");
    }
    tool("memcrm", &["file"]).ok();
    tool("memcexist", &["file"]).fails();
    tool("memccp", &["file"]).ok();
    tool("memcflush", &[]).ok();
    tool("memcexist", &["file"]).fails();
}

#[test]
fn phps_memcached_extension_does_all_that_applications_do_with_it() {
    Door::open_with_memcached().serves("memcached.php", &[]);
}

#[test]
fn sessions_of_php_are_locked_in_the_memcached_door_too() {
    let door = Door::open_with_memcached();
    let path = |_: usize| format!("session.save_path=\"{}\"", door.memcached[0]);
    // The binary protocol is its default; there is no door for it.
    let locking = [
        "memcached.sess_binary_protocol=0",
        "memcached.sess_locking=1",
        "memcached.sess_lock_retries=200",
        "memcached.sess_lock_wait_min=20",
        "memcached.sess_lock_wait_max=50",
    ];
    visits_are_counted_one_by_one(&door, &path, "memcached", &locking);
}

#[test]
fn djangos_cache_and_sessions_are_in_a_bucket_through_pymemcache() {
    let door = Door::open_with_memcached();
    door.serves("pymemcache_all.py", &[]);
    door.serves("django_site.py", &["memcached"]);
}

#[test]
fn what_one_door_wrote_the_other_reads() {
    let door = Door::open_with_memcached();
    if crate::door::is_stood_in_for() {
        return;
    }
    let mut redis = door.client(0);
    let mut memcached = Text::connect(&door);
    assert_eq!(memcached.ask("set k 0 100 5\r\nhello\r\n"), "STORED\r\n");
    assert_eq!(redis.call(&["GET", "k"]).expect("an answer").to_string(), "\"hello\"");
    assert!(matches!(redis.call(&["TTL", "k"]), Ok(ringway_testkit::Reply::Integer(95..=100))));
    redis.call(&["SET", "n", "41"]).expect("an answer");
    assert_eq!(memcached.ask("incr n 1\r\n"), "42\r\n");
    assert_eq!(redis.call(&["INCR", "n"]).expect("an answer").to_string(), "(43)");
    assert_eq!(memcached.ask("get n\r\n"), "VALUE n 0 2\r\n43\r\nEND\r\n");
    redis.call(&["RPUSH", "list", "x"]).expect("an answer");
    assert_eq!(memcached.ask("get list\r\n"), "END\r\n", "a list is nothing to memcached");
}

#[test]
fn a_door_to_all_buckets_wants_a_bucket_and_its_token_first() {
    let door = Door::open_with_memcached_for(None);
    let refusal = "CLIENT_ERROR unauthenticated\r\n";
    let said = |text: String| String::from_utf8_lossy(&answer_to(door.memcached[0], text.as_bytes())).into_owned();
    let with = |credentials: &str| format!("set auth 0 0 {}\r\n{credentials}\r\n", credentials.len());
    let right = with(&format!("{} {}", door.name, door.token));
    assert_eq!(said("get k\r\n".to_owned()), refusal);
    assert!(
        said(with("clients guess")).starts_with("CLIENT_ERROR authentication failure"),
        "{}",
        said(with("clients guess"))
    );
    assert_eq!(said(format!("{}get k\r\n", with("nobody x"))).lines().last(), Some(refusal.trim_end()));
    assert_eq!(
        said(format!("{right}set k 0 0 1\r\nx\r\nget k\r\n")),
        "STORED\r\nSTORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n"
    );
}

/// A connection that sends text and reads what comes at once.
struct Text(std::net::TcpStream);

impl Text {
    fn connect(door: &Door) -> Self {
        let stream = std::net::TcpStream::connect(door.memcached[0]).expect("the door is open");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a socket takes a timeout");
        Self(stream)
    }

    /// The answer ends where a second command's begins.
    fn ask(&mut self, text: &str) -> String {
        use std::io::{Read as _, Write as _};
        self.0.write_all(format!("{text}version\r\n").as_bytes()).expect("the door reads");
        let mut said = String::new();
        while !said.ends_with("\r\n") || !said.contains("VERSION ") {
            let mut buffer = [0; 4096];
            let count = self.0.read(&mut buffer).expect("the door answers");
            assert!(count > 0, "it closed after {said:?}");
            said += &String::from_utf8_lossy(&buffer[..count]);
        }
        said[..said.find("VERSION ").expect("it is there")].to_owned()
    }
}
