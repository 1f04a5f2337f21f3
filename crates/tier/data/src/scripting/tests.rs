//! Scripts with the commands of this node, and what redis-server 7.0.15 answered to them: the recordings of `base/script`.

use bytes::Bytes;
use ringway_protocol::resp::RespVersion;
use serde_json::Value;

use crate::command::transcript::Desk;

/// The version is that of INFO, and a script has one partition of the bucket, not all keys.
const DIFFERENT: [&str; 3] = ["redis.REDIS_VERSION", "'scan'", "'object'"];

fn words(value: &Value) -> Vec<Vec<u8>> {
    let bytes = |word: &Value| word.as_str().unwrap().chars().map(|c| u8::try_from(c as u32).unwrap()).collect();
    value.as_array().unwrap().iter().map(bytes).collect()
}

fn run(desk: &mut Desk, words: &[Vec<u8>]) -> Bytes {
    let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    desk.run(&slices)
}

fn eval(case: &Value) -> Vec<Vec<u8>> {
    let (keys, args) = (words(&case["keys"]), words(&case["args"]));
    let script: Vec<u8> = case["script"].as_str().unwrap().chars().map(|c| c as u32 as u8).collect();
    let mut all = vec![b"EVAL".to_vec(), script, keys.len().to_string().into_bytes()];
    all.extend(keys.into_iter().chain(args));
    all
}

#[test]
fn scripts_answer_as_redis_does() {
    let recorded = include_str!("../../../../base/script/tests/oracle/recorded.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let (mut faults, mut count) = (Vec::new(), 0);
    for case in recorded.as_array().unwrap() {
        let script = case["script"].as_str().unwrap();
        if DIFFERENT.iter().any(|what| script.contains(what)) {
            continue;
        }
        count += 1;
        let mut desk = Desk::new();
        for command in case["setup"].as_array().unwrap() {
            run(&mut desk, &words(command));
        }
        desk.version = if case["version"] == 3 { RespVersion::Three } else { RespVersion::Two };
        let reply: String = run(&mut desk, &eval(case)).iter().map(|byte| char::from(*byte)).collect();
        if case["reply"] != reply.as_str() {
            faults.push(format!("{}: {script}\nhere  {reply:?}\nRedis {:?}", case["name"], case["reply"].as_str()));
        }
        desk.check_replica();
    }
    assert!(count > 800, "{count}");
    assert!(faults.is_empty(), "{} of {count}\n{}", faults.len(), faults.join("\n"));
}

fn check(desk: &mut Desk, words: &[&str], expected: &str) {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let reply = desk.run(&words);
    assert_eq!(String::from_utf8_lossy(&reply), expected, "{}", String::from_utf8_lossy(words[1]));
}

#[test]
fn a_script_is_known_by_its_sha_once_it_has_run() {
    let mut desk = Desk::new();
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let unknown = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
    check(&mut desk, &["EVALSHA", sha, "0"], unknown);
    check(&mut desk, &["EVALSHA", "short", "0"], unknown);
    check(&mut desk, &["EVAL", "return 1", "0"], ":1\r\n");
    check(&mut desk, &["EVALSHA", sha, "0"], ":1\r\n");
    check(&mut desk, &["EVALSHA_RO", &sha.to_uppercase(), "0"], ":1\r\n");
}

#[test]
fn the_number_of_keys_is_checked() {
    let mut desk = Desk::new();
    check(&mut desk, &["EVAL", "return 1", "x"], "-ERR value is not an integer or out of range\r\n");
    check(&mut desk, &["EVAL", "return 1", "-1"], "-ERR Number of keys can't be negative\r\n");
    check(&mut desk, &["EVAL", "return 1", "2", "k"], "-ERR Number of keys can't be greater than number of args\r\n");
    check(&mut desk, &["EVAL", "return {#KEYS, #ARGV}", "1", "k", "a", "b"], "*2\r\n:1\r\n:2\r\n");
}

#[test]
fn a_script_that_promised_to_read_does_not_write() {
    let mut desk = Desk::new();
    let refusal = "-ERR Write commands are not allowed from read-only scripts. script: ";
    for words in [
        ["EVAL_RO", "return redis.call('set', KEYS[1], 1)", "1", "k"],
        ["EVAL", "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)", "1", "k"],
    ] {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let reply = desk.run(&words);
        assert!(String::from_utf8_lossy(&reply).starts_with(refusal), "{reply:?}");
    }
    check(&mut desk, &["EVAL_RO", "return redis.call('get', KEYS[1])", "1", "k"], "$-1\r\n");
    let declared = "-ERR Can not execute a script with write flag using *_ro command.\r\n";
    check(&mut desk, &["EVAL_RO", "#!lua\nreturn 1", "0"], declared);
}

#[test]
fn what_a_script_wrote_before_it_failed_stays() {
    let mut desk = Desk::new();
    let script = "redis.call('set', KEYS[1], 'written') error('then')";
    desk.run(&[b"EVAL", script.as_bytes(), b"1", b"k"]);
    check(&mut desk, &["GET", "k"], "$7\r\nwritten\r\n");
    desk.check_replica();
}
