//! Ringway beside a real redis-server: random sequences of commands to both, the same replies from both.
//!
//! A failure prints the shortest sequence that was found, as one would type it, with its seed. `RINGWAY_FUZZ_SEED=...` begins
//! with that one, `RINGWAY_FUZZ_SECONDS=600` goes on for longer (and then with a seed from the clock), `RINGWAY_FUZZ_ONLY=ZADD,ZREM`
//! draws only these commands, and `RINGWAY_TEST_DOOR=redis-server` puts a second redis-server in Ringway's place: then whatever is found is a fault of the test.

mod commands;
mod compare;
mod differences;
pub mod grammar;
mod play;
pub mod random;
mod scripts;
mod sequence;
mod shrink;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expect_test::expect_file;
use ringway_testkit::resp::quoted;
use ringway_testkit::{Cluster, Reply, Server};

use crate::{bucket, cluster};
use commands::GROUPS;
use play::{Found, Side, play};
use sequence::{Generator, Sequence};
use shrink::shrink;

const SEED: u64 = 20_261_123;
const SECONDS: u64 = 120;
/// Sequences, unless the time is given: the same on machines of any speed.
const SEQUENCES: u64 = 800;
/// Differences that are shrunk and told; more are not looked for. By hand, more.
const FOUND_MAX: usize = 12;
const FOUND_BY_HAND_MAX: usize = 60;
/// A command that differs this often is left out from then on, so that others come to be seen.
const OFTEN: usize = 6;

/// Both servers, for as long as the test needs them.
struct Stage {
    redis: Side,
    ringway: Side,
    /// Another bucket on the same nodes, where all keys are together.
    together: Option<Side>,
    /// Commands that Ringway's `COMMAND` does not name.
    missing: BTreeSet<String>,
    _server: Server,
    _other: Option<Server>,
    _cluster: Option<Cluster>,
}

impl Stage {
    fn set() -> Self {
        let (server, redis) = redis_server();
        if std::env::var("RINGWAY_TEST_DOOR").is_ok_and(|door| door == "redis-server") {
            let (other, ringway) = redis_server();
            let missing = BTreeSet::new();
            return Self {
                redis,
                ringway,
                together: None,
                missing,
                _server: server,
                _other: Some(other),
                _cluster: None,
            };
        }
        let cluster = cluster(3);
        let side = |(user, password): (String, String)| Side {
            addresses: cluster.nodes.iter().map(ringway_testkit::Node::redis).collect(),
            user,
            password,
        };
        let ringway = side(bucket(&cluster.nodes[0], &["fuzz"]));
        let together = cluster.nodes[0].cli(&["bucket", "create", "--help"]).out.contains("--together");
        let together = together.then(|| side(bucket(&cluster.nodes[0], &["together", "--together"])));
        let missing = missing(&redis, &ringway);
        Self { redis, ringway, together, missing, _server: server, _other: None, _cluster: Some(cluster) }
    }
}

fn redis_server() -> (Server, Side) {
    let (user, password) = ("fuzz".to_owned(), "secret".to_owned());
    // What blocks is let go by its timer, which ticks ten times a second unless told otherwise.
    let server = Server::redis(&user, &password, &["--hz", "500"]);
    let side = Side { addresses: vec![server.address], user, password };
    (server, side)
}

/// Commands of the fuzzer that Redis' COMMAND knows and this side's does not.
fn missing(redis: &Side, side: &Side) -> BTreeSet<String> {
    let (known, all) = (names(side), names(redis));
    let patterns = GROUPS.iter().flat_map(|group| group.patterns).filter_map(|pattern| pattern.split(' ').next());
    let used = patterns.chain(["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"]).map(str::to_owned);
    used.filter(|name| all.contains(name) && !known.contains(name)).collect()
}

fn names(side: &Side) -> BTreeSet<String> {
    let Ok(Reply::Array(commands)) = side.client(0).call(&["COMMAND"]) else { panic!("COMMAND answers with an array") };
    let name = |command: &Reply| match command {
        Reply::Array(parts) => match parts.first() {
            Some(Reply::Bulk(name)) => String::from_utf8_lossy(name).to_uppercase(),
            other => panic!("a command has a name, not {other:?}"),
        },
        other => panic!("a command is an array, not {other}"),
    };
    commands.iter().map(name).collect()
}

#[test]
fn random_commands_are_answered_as_redis_answers_them() {
    let stage = Stage::set();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let only = std::env::var("RINGWAY_FUZZ_ONLY").ok();
    let seconds = number("RINGWAY_FUZZ_SECONDS");
    let clock =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() << 20);
    let first = number("RINGWAY_FUZZ_SEED").unwrap_or_else(|| if seconds.is_some() { clock() } else { SEED });
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(SECONDS));
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut often: BTreeMap<String, usize> = BTreeMap::new();
    let (mut seed, mut commands) = (first, 0);
    let found_max = if seconds.is_some() { FOUND_BY_HAND_MAX } else { FOUND_MAX };
    let sequences = if seconds.is_some() { u64::MAX } else { SEQUENCES };
    while Instant::now() < until && seed - first < sequences && told.len() < found_max {
        let without = |name: &str| {
            let listed = |only: &String| only.split(',').any(|one| one.eq_ignore_ascii_case(name));
            stage.missing.contains(name.split(' ').next().unwrap_or(name))
                || often.get(name).is_some_and(|times| *times >= OFTEN)
                || only.as_ref().is_some_and(|only| !listed(only))
        };
        let together = stage.together.as_ref().filter(|_| seed % 4 == 3);
        let sequence = Generator::new(seed, &without).sequence(together.is_some());
        let ringway = together.unwrap_or(&stage.ringway);
        commands += sequence.steps.len();
        if let Some(found) = play(&stage.redis, ringway, &sequence) {
            *often.entry(found.command.name()).or_default() += 1;
            told.entry(found.signature()).or_insert_with(|| tell(&stage.redis, ringway, seed, sequence, &found));
        }
        seed += 1;
    }
    println!("{} sequences, {commands} steps; not there yet: {:?}", seed - first, stage.missing);
    let all: Vec<String> = told.into_values().collect();
    assert!(all.is_empty(), "{} differences from redis-server:\n\n{}", all.len(), all.join("\n"));
}

/// Shrinks and describes.
fn tell(redis: &Side, ringway: &Side, seed: u64, sequence: Sequence, found: &Found) -> String {
    let signature = found.signature();
    let mut last = found.clone();
    let small = shrink(sequence, |candidate| {
        let again = play(redis, ringway, candidate).filter(|again| again.signature() == signature);
        last = again.clone().unwrap_or_else(|| last.clone());
        again.is_some()
    });
    let mut text = format!(
        "seed {seed}, {:?} keys, RESP{}{}:\n",
        small.keys,
        small.resp,
        if small.pipelined { ", pipelined" } else { "" }
    );
    for step in &small.steps {
        for command in &step.commands {
            let words: Vec<String> = command.words.iter().map(|word| quoted(word)).collect();
            let _ = writeln!(text, "    {}> {}", step.connection + 1, words.join(" "));
        }
    }
    if last.after {
        let words: Vec<String> = last.command.words.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(text, "    then> {}", words.join(" "));
    }
    let _ = writeln!(text, "  redis:   {}\n  ringway: {}", last.redis, last.ringway);
    let _ = writeln!(
        text,
        "  again: RINGWAY_FUZZ_SEED={seed} RINGWAY_FUZZ_SECONDS=1 cargo nextest run --locked --workspace -E 'test(random_commands)'"
    );
    text
}

#[test]
fn the_page_about_differences_is_the_list_that_the_fuzzer_lets_pass() {
    expect_file!["../../../../docs/redis-differences.md"].assert_eq(&differences::page());
}

#[test]
fn every_pattern_of_the_fuzzer_can_be_filled_in() {
    let mut random = random::Random::new(SEED);
    for pattern in GROUPS.iter().flat_map(|group| group.patterns) {
        for _ in 0..50 {
            let command = grammar::fill(&mut random, pattern, words::Keys::Tagged);
            assert!(!command.words.is_empty(), "{pattern}");
            assert!(command.keys.iter().all(|&at| command.words[at].starts_with(b"{t}")), "{pattern}: {command:?}");
        }
    }
}

#[test]
fn a_failing_sequence_is_shrunk_to_what_makes_it_fail() {
    let all = |_: &str| false;
    let mut generator = Generator::new(SEED, &all);
    let mut sequence = generator.sequence(true);
    while !sequence.steps.iter().any(|step| step.commands[0].name() == "GET") {
        sequence = generator.sequence(true);
    }
    let fails = |candidate: &Sequence| candidate.steps.iter().any(|step| step.commands[0].name() == "GET");
    let small = shrink(sequence, fails);
    assert_eq!(small.steps.len(), 1, "{small:?}");
    assert_eq!(small.steps[0].commands[0].words.len(), 1, "{small:?}");
}

/// The two tiers of commands that issue 4 asks for, as `COMMAND INFO` takes them.
const ASKED_FOR: &str = "ping echo hello auth select quit reset command info client config get set setex psetex setnx getset getdel
getex mget mset msetnx append strlen getrange setrange incr incrby decr decrby incrbyfloat del unlink exists type expire pexpire
expireat pexpireat ttl pttl expiretime persist touch rename scan keys randomkey dbsize flushdb flushall multi exec discard watch
unwatch time cluster readonly readwrite asking
lpush rpush lpushx rpushx lpop rpop llen lrange lindex lrem ltrim lset linsert lmove rpoplpush blpop brpop blmove brpoplpush
hset hget hmset hmget hdel hexists hlen hstrlen hkeys hvals hgetall hincrby hincrbyfloat hsetnx hscan
sadd srem sismember smismember scard smembers smove spop srandmember sinter sunion sdiff sinterstore sunionstore sdiffstore sscan
zadd zincrby zscore zcard zcount zrange zrangebyscore zrevrangebyscore zrevrange zrank zrevrank zrem zremrangebyscore
zremrangebyrank zpopmin zpopmax bzpopmin bzpopmax zscan
subscribe unsubscribe psubscribe punsubscribe publish spublish ssubscribe pubsub eval evalsha script";

#[test]
fn each_command_of_both_tiers_is_there_with_redis_arity_and_key_positions() {
    let stage = Stage::set();
    let names: Vec<&str> = ASKED_FOR.split_whitespace().collect();
    let ask = |side: &Side| {
        let words: Vec<&str> = ["COMMAND", "INFO"].into_iter().chain(names.iter().copied()).collect();
        match side.client(0).call(&words) {
            Ok(Reply::Array(told)) => told.iter().map(of_command).collect::<Vec<String>>(),
            other => panic!("COMMAND INFO answers with an array, not {other:?}"),
        }
    };
    let told: Vec<String> = std::iter::zip(ask(&stage.redis), ask(&stage.ringway))
        .filter(|(redis, ringway)| redis != ringway)
        .map(|(redis, ringway)| format!("redis:   {redis}\nringway: {ringway}\n"))
        .collect();
    assert!(told.is_empty(), "{} commands differ:\n{}", told.len(), told.join("\n"));
}

/// What clients read out of COMMAND: name, arity, some flags, first key, last key, step.
fn of_command(told: &Reply) -> String {
    let Reply::Array(parts) = told else { return format!("{told}") };
    let flags: Vec<String> = match parts.get(2) {
        Some(Reply::Array(flags) | Reply::Set(flags)) => flags.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let telling = ["+write", "+readonly", "+blocking", "+movablekeys", "+pubsub", "+noscript"];
    let flags: Vec<&str> = telling.into_iter().filter(|flag| flags.iter().any(|one| one == flag)).collect();
    let part = |at: usize| parts.get(at).map_or_else(String::new, ToString::to_string);
    format!("{} arity {} keys {} {} {} {flags:?}", part(0), part(1), part(3), part(4), part(5))
}
