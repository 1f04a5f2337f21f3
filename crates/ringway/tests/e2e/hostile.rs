//! What a door is sent on a bad day: each is answered as Redis or memcached would, memory stays bounded, nobody else is slowed.

mod memory;
mod slow_readers;
mod storms;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use ringway_testkit::resp::{frame, quoted};
use ringway_testkit::{Client, Reply, Server};

use crate::door::{Door, is_stood_in_for};
use crate::redis_oracle::random::Random;

const PATIENCE: Duration = Duration::from_secs(10);
const SEED: u64 = 20_261_123;

/// Sends these bytes, says that no more come, and gives all that comes back.
pub fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the door is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    // A server that refuses early may have closed before it has read all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            // It closed with something of ours unread.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("{address} neither answers nor closes after {} ({error})", shown(bytes)),
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = quoted(bytes);
    if text.len() < 400 {
        text
    } else {
        format!("{}... ({} bytes)", text.chars().take(300).collect::<String>(), bytes.len())
    }
}

/// Compares what both say to each. What each begins with is answered by `greeting`, which may get lost when a server closes at once.
fn are_answered_alike(redis: SocketAddr, door: SocketAddr, greeting: &str, cases: impl Iterator<Item = Vec<u8>>) {
    let mut told = Vec::new();
    let answer = |address: SocketAddr, bytes: &[u8]| {
        let answer = answer_to(address, bytes);
        answer.strip_prefix(greeting.as_bytes()).unwrap_or(&answer).to_vec()
    };
    for bytes in cases {
        let (expected, saw) = (answer(redis, &bytes), answer(door, &bytes));
        if expected != saw && told.len() < 10 {
            told.push(format!("{}\n  expected: {}\n  saw:      {}\n", shown(&bytes), shown(&expected), shown(&saw)));
        }
    }
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
}

const NO_FRAMES: &[&str] = &[
    "*-1\r\n*1\r\n$4\r\nPING\r\n",
    "*0\r\n*1\r\n$4\r\nPING\r\n",
    "*abc\r\n",
    "*\r\n",
    "*1\r\n:1\r\n",
    "*1\r\n+PING\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n$4\r\nPING\r\n",
    "*1\r\n$-1\r\n",
    "*1\r\n$abc\r\n",
    "*1\r\n$\r\n",
    "*1\r\n$ 4\r\nPING\r\n",
    "*1\r\n$04\r\nPING\r\n",
    "*1\r\n$+4\r\nPING\r\n",
    "*01\r\n$4\r\nPING\r\n",
    "*+1\r\n$4\r\nPING\r\n",
    "*1\r\n$536870913\r\n",
    "*1\r\n$99999999999999999999\r\n",
    "*2147483648\r\n",
    "*99999999999999999999\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n",
    "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
    "$4\r\nPING\r\n",
    "%1\r\n$4\r\nPING\r\n",
    "PING\r\n",
    "PING\n",
    "   PING   \r\n",
    "\r\n\r\nPING\r\n",
    "ECHO 'single quotes'\r\n",
    "ECHO \"\\x41\\n\\\"\"\r\n",
    "ECHO \"unbalanced\r\n",
    "ECHO 'unbalanced\r\n",
    "ECHO \"a\"b\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "Host: x\r\n",
];

#[test]
fn what_is_no_frame_is_refused_as_redis_refuses_it() {
    let door = Door::open(1, &[]);
    let redis = Server::redis(&door.name, &door.token, &[]);
    let auth = frame(&["AUTH", &door.name, &door.token]);
    let before = ["*11\r\n", "*10\r\n$16385\r\n", "*1\r\n$16385\r\n", "*1\r\n$3\r\nGET\r\n"]
        .map(|text| text.as_bytes().to_vec());
    let inside = NO_FRAMES.iter().map(|text| [&auth, text.as_bytes()].concat());
    let long = |head: &str| [&auth, head.as_bytes(), &vec![b'1'; 70_000][..]].concat();
    let long = ["ECHO ", "*", "*1\r\n$"].into_iter().map(long);
    are_answered_alike(redis.address, door.addresses[0], "+OK\r\n", before.into_iter().chain(inside).chain(long));
}

#[test]
fn damaged_pipelines_are_answered_as_redis_answers_them() {
    let door = Door::open(1, &[]);
    let redis = Server::redis(&door.name, &door.token, &[]);
    let auth = frame(&["AUTH", &door.name, &door.token]);
    let mut random = Random::new(SEED);
    let cases = (0..400).map(|_| {
        let mut bytes: Vec<u8> = (0..1 + random.below(4)).flat_map(|_| harmless(&mut random)).collect();
        for _ in 0..1 + random.below(3) {
            damage(&mut random, &mut bytes);
        }
        [&auth[..], &bytes].concat()
    });
    let cases: Vec<Vec<u8>> = cases.collect();
    are_answered_alike(redis.address, door.addresses[0], "+OK\r\n", cases.into_iter());
}

/// A command whose answer depends on nothing but itself.
fn harmless(random: &mut Random) -> Vec<u8> {
    let commands: &[&[&str]] = &[
        &["PING"],
        &["PING", "hullo"],
        &["ECHO", "a\r\nb"],
        &["ECHO", ""],
        &["GET", "none"],
        &["EXISTS", "none"],
        &["TTL", "none"],
        &["STRLEN", "none", "more"],
        &["TYPE", "none"],
    ];
    frame(commands[random.below(commands.len())])
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => drop(bytes.remove(at)),
        2 => bytes[at] = *random.pick::<u8>(&[&b'\r', &b'\n', &b'*', &b'$', &b'-', &b'9', &b'0', &b' ', &b'~']),
        3 => bytes.insert(at, *random.pick::<u8>(&[&b'\r', &b'\n', &b'*', &b'$', &b'1', &b'"'])),
        _ => bytes.extend_from_within(at..),
    }
}

#[test]
fn scripts_that_nest_deeply_end_with_redis_own_errors() {
    let door = Door::open(1, &[]);
    let redis = Server::redis(&door.name, &door.token, &[]);
    let mut redis =
        Client::log_in(redis.address, &door.name, &door.token).map(|client| (client, redis)).expect("it is served");
    let mut ringway = door.client(0);
    for script in [
        "return cjson.decode(string.rep('[', 2000) .. string.rep(']', 2000))",
        "return cjson.decode(string.rep('{\"a\":', 2000) .. '1' .. string.rep('}', 2000))",
        "local t = {}; for i = 1, 2000 do t = {t} end; return cjson.encode(t)",
        "local t = {}; for i = 1, 2000 do t = {t} end; return #cmsgpack.pack(t)",
        "return cmsgpack.unpack(string.rep('\\145', 100000))",
        "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
        "local function f() return 1 + f() end; return f()",
        "return string.rep('x', 100, 5)",
        "return #string.rep('ab', 1000000)",
        "local t = {}; for i = 1, 10 do t = {t} end; return t",
        "return {unpack({1, 2, 3}, 1, 100000000)}",
        "return string.format('%99999d', 1)",
        "return struct.unpack('c999999999', 'x')",
        "return struct.pack('i99', 1)",
        "return redis.call('SET', 'k', string.rep('x', 10000)) and redis.call('STRLEN', 'k')",
    ] {
        let (expected, saw) = (redis.0.call(&["EVAL", script, "1", "k"]), ringway.call(&["EVAL", script, "1", "k"]));
        // Where the stack of C ends is another matter in each.
        let told = |reply: std::io::Result<Reply>| match reply
            .map_or_else(|error| error.to_string(), |reply| reply.to_string())
        {
            text if text.starts_with("-ERR user_script:1: stack overflow") => "stack overflow".to_owned(),
            text => text,
        };
        assert_eq!(told(saw), told(expected), "{script}");
    }
    assert_eq!(ringway.call(&["PING"]).expect("it is served on").to_string(), "+PONG");
}

#[test]
fn keys_of_any_bytes_are_kept_listed_and_removed() {
    let door = Door::open(2, &[]);
    let (mut one, mut two) = (door.client(0), door.client(1));
    let keys: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"a\0b".to_vec(),
        b"line\r\nend\n".to_vec(),
        vec![0xff, 0xfe, 0xc3, 0x28],
        b"{".to_vec(),
        b"{}x".to_vec(),
        b"a b\t\"'\\".to_vec(),
        "ключ/\u{202e}".as_bytes().to_vec(),
        vec![b'k'; 60_000],
    ];
    let word = |text: &str| text.as_bytes().to_vec();
    for (at, key) in keys.iter().enumerate() {
        let value = at.to_string();
        assert_eq!(
            one.call(&[word("SET"), key.clone(), word(&value)]).expect("an answer").to_string(),
            "+OK",
            "{}",
            shown(key)
        );
        assert_eq!(
            two.call(&[word("GET"), key.clone()]).expect("an answer"),
            Reply::Bulk(word(&value)),
            "{}",
            shown(key)
        );
        assert_eq!(two.call(&[word("TYPE"), key.clone()]).expect("an answer").to_string(), "+string");
    }
    let listed = |reply: Reply| -> Vec<Vec<u8>> {
        let Reply::Array(items) = reply else { panic!("{reply}") };
        let bytes = |item: Reply| if let Reply::Bulk(bytes) = item { bytes } else { panic!("{item}") };
        let mut all: Vec<Vec<u8>> = items.into_iter().map(bytes).collect();
        all.sort();
        all
    };
    let mut expected = keys.clone();
    expected.sort();
    assert_eq!(listed(two.call(&["KEYS", "*"]).expect("an answer")), expected);
    if let Some(cluster) = &door.cluster {
        let said = cluster.nodes[0].json(&["kv", "scan", &door.name]);
        assert!(said.to_string().contains("a\\u0000b"), "the command line shows them too: {said}");
    }
    let removal = [vec![word("DEL")], keys.clone()].concat();
    assert_eq!(one.call(&removal).expect("an answer"), Reply::Integer(keys.len() as i64));
    assert_eq!(two.call(&["DBSIZE"]).expect("an answer"), Reply::Integer(0));
}

const NO_MEMCACHED: &[&str] = &[
    "\r\n",
    "frobnicate\r\n",
    "get\r\n",
    "gets\r\n",
    "get  k \r\n",
    "get k\n",
    "set k 0 0\r\n",
    "set k 0 0 abc\r\n",
    "set k 0 0 -1\r\n",
    "set k abc 0 1\r\nx\r\n",
    "set k 4294967295 0 1\r\nx\r\nget k\r\n",
    "set k -1 0 1\r\nx\r\n",
    "set k 0 abc 1\r\nx\r\n",
    "set k 0 0 1\r\nxy\r\n",
    "set k 0 0 3\r\nx\r\n\r\nget k\r\n",
    "set k 0 0 5\r\nhel",
    "set k 0 0 2\r\nab\r\nget k\r\nget k",
    "set k 0 0 1 noreply\r\nx\r\nget k\r\n",
    "set k 0 0 1 frob\r\nx\r\nget k\r\n",
    "add k2 0 -1 1\r\nx\r\nget k2\r\n",
    "cas k 0 0 1\r\nx\r\n",
    "cas none 0 0 1 5\r\nx\r\n",
    "cas k 0 0 1 abc\r\nx\r\n",
    "incr k\r\n",
    "incr k abc\r\n",
    "incr k -1\r\n",
    "incr none 1\r\n",
    "decr none 99999999999999999999\r\n",
    "delete\r\n",
    "delete none\r\n",
    "delete none 0\r\n",
    "delete none 5\r\n",
    "delete none noreply\r\nget none\r\n",
    "touch none\r\n",
    "touch none 0\r\n",
    "touch none abc\r\n",
    "gat\r\n",
    "gat 0\r\n",
    "gat abc k\r\n",
    "gat 0 none\r\n",
    "flush_all abc\r\n",
    "flush_all 0\r\n",
    "flush_all noreply\r\nget k\r\n",
    "verbosity\r\n",
    "verbosity 1\r\n",
    "mn\r\n",
    "mn x\r\n",
    "mg\r\n",
    "mg none\r\n",
    "mg none v q\r\nmn\r\n",
    "mg none !\r\n",
    "mg k v v\r\n",
    "ms\r\n",
    "ms k\r\n",
    "ms k abc\r\n",
    "ms k 2 F1 T0\r\nhi\r\nmg k v f t\r\n",
    "ms k 2\r\nhix\r\nmn\r\n",
    "ms k 2 Mfrob\r\nhi\r\nmn\r\n",
    "ms k 2 q\r\nhi\r\nmn\r\n",
    "ma none\r\n",
    "ma none N0 J5 v\r\nma none v\r\n",
    "ma none Dabc\r\n",
    "md none\r\n",
    "md none q\r\nmn\r\n",
    "me none\r\n",
    "mg a2V5 b v\r\n",
    "mg !!! b v\r\n",
    "quit\r\nget k\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\0\0\0\0\r\n",
];

#[test]
fn what_is_no_memcached_command_is_refused_as_memcached_refuses_it() {
    let door = Door::open_with_memcached();
    let memcached = Server::memcached(&[]);
    let long_key = ["get", "gets", "delete", "touch", "mg", "incr"]
        .map(|name| format!("{name} {}\r\n", "k".repeat(251)).into_bytes());
    let set_long =
        [format!("set {} 0 0 1\r\nx\r\nmn\r\n", "k".repeat(251)).into_bytes(), "a".repeat(70_000).into_bytes()];
    let cases = NO_MEMCACHED.iter().map(|text| text.as_bytes().to_vec()).chain(long_key).chain(set_long);
    // Each case begins with nothing there.
    let cases = cases.map(|bytes| [b"flush_all\r\n", &bytes[..]].concat());
    are_answered_alike(memcached.address, door.memcached[0], "OK\r\n", cases);
}

/// Others are served: a thousand PINGs and GETs on a connection of their own, in time.
fn others_are_served(door: &Door) -> Duration {
    let began = std::time::Instant::now();
    let mut client = door.client(1);
    for number in 0..500 {
        assert_eq!(client.call(&["PING"]).expect("others are served").to_string(), "+PONG");
        let key = format!("others:{}", number % 50);
        client.call(&["SET", &key, "x"]).expect("others are served");
        assert_eq!(client.call(&["GET", &key]).expect("others are served").to_string(), "\"x\"");
    }
    let took = began.elapsed();
    assert!(is_stood_in_for() || took < Duration::from_secs(15), "1,500 commands took {took:?}");
    took
}
