//! The program against a server of a few lines that says what it saw.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Command,
    thread,
};

use serde_json::Value;

/// Answers every request of so many connections; the sum of the requests, once all connections are closed.
fn server(
    connections: usize,
    request_len: usize,
    answer: fn(usize) -> &'static str,
) -> (String, thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let all = thread::spawn(move || {
        let each = (0..connections).map(|_| {
            let (mut stream, _) = listener.accept().expect("the load connects");
            thread::spawn(move || {
                let (mut buffer, mut bytes, mut answered) = (vec![0; 1 << 16], 0, 0);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    bytes += read;
                    let now = bytes / request_len;
                    let answers: String = (answered..now).map(answer).collect();
                    answered = now;
                    if stream.write_all(answers.as_bytes()).is_err() {
                        break;
                    }
                }
                answered
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter().map(|one| one.join().expect("the server does not panic")).sum()
    });
    (address, all)
}

fn run(words: &[&str]) -> Value {
    let done =
        Command::new(env!("CARGO_BIN_EXE_ringway-loadgen")).args(words).arg("--json").output().expect("it starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("it prints JSON")
}

const SET_3: usize = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$3\r\nabc\r\n".len();
const GET: usize = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n".len();

#[test]
fn a_fill_sends_each_key_once_and_counts_each_answer() {
    let (address, all) = server(4, SET_3, |_| "+OK\r\n");
    let seen = run(&["--addr", &address, "--fill", "--keys", "1003", "--conns", "4", "--pipe", "10", "--val", "3"]);
    assert_eq!((seen["stored"].as_u64(), seen["errors"].as_u64()), (Some(1003), Some(0)));
    assert_eq!(all.join().expect("it ends"), 1003);
}

#[test]
fn refusals_are_counted_and_the_first_is_shown() {
    let (address, _) = server(1, SET_3, |nth| if nth.is_multiple_of(4) { "-OOM no room\r\n" } else { "+OK\r\n" });
    let seen = run(&["--addr", &address, "--fill", "--keys", "100", "--conns", "1", "--pipe", "7", "--val", "3"]);
    assert_eq!((seen["stored"].as_u64(), seen["errors"].as_u64()), (Some(75), Some(25)));
    assert_eq!(seen["error"], "-OOM no room");
}

#[test]
fn a_fixed_rate_is_kept_and_misses_are_not_hits() {
    let (address, _) = server(2, GET, |nth| if nth.is_multiple_of(2) { "$3\r\nabc\r\n" } else { "$-1\r\n" });
    let words = ["--conns", "2", "--pipe", "2", "--val", "3", "--rate", "2000", "--warmup", "0", "--secs", "0.5"];
    let seen = run(&[&["--addr", &address], words.as_slice()].concat());
    let (ops, hits, misses) = (seen["ops"].as_u64(), seen["hits"].as_u64(), seen["misses"].as_u64());
    assert_eq!(hits, misses, "half of them: {seen}");
    assert!(ops.is_some_and(|ops| (500..=1500).contains(&ops)), "1000 are due: {seen}");
}

#[test]
fn a_server_that_answers_something_else_fails_the_run() {
    let (address, _) = server(1, GET, |_| "+PONG\r\n");
    let words = ["--addr", &address, "--conns", "1", "--val", "3", "--secs", "5"];
    let done = Command::new(env!("CARGO_BIN_EXE_ringway-loadgen")).args(words).output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("unexpected reply: +PONG"), "{said}");
}
