//! Records what a real Redis answers to the scripts in `tests/oracle/cases.txt`, for `tests/oracle.rs` to compare with.
//!
//! `record_oracle ADDRESS FILE`, with a `redis-server` 7.0 at the address that has nothing to lose. Each script runs twice: in Redis,
//! for its answer, and here with its commands sent to the same Redis, for their replies. Says where both differ.

#[path = "../tests/oracle/case.rs"]
mod case;

use std::io::{Read, Write};
use std::net::TcpStream;

use case::{Call, Case, Recorded};
use ringway_protocol::resp::{Out, RespVersion, reply_len};
use ringway_script::{Caller, Input, Limits, Script, ScriptHost};

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(file)) = (args.next(), args.next()) else { panic!("record_oracle ADDRESS FILE") };
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/cases.txt")).expect("the cases");
    let mut redis = Redis::connect(&address);
    let mut host = ScriptHost::new(Limits::default());
    let mut recorded = Vec::new();
    let mut different = 0;
    for case in case::parse_cases(&text) {
        let reply = redis.eval(&case);
        redis.prepare(&case);
        let mut recorder = Recorder { redis: &mut redis, calls: Vec::new() };
        let ours = run(&mut host, &case, &mut recorder);
        let calls = recorder.calls;
        if ours != reply {
            different += 1;
            println!("{}\n{}\nredis: {:?}\nours:  {:?}\n", case.name, show(&case.script), show(&reply), show(&ours));
        }
        recorded.push(Recorded { case, calls, reply });
    }
    println!("{} cases, {different} differ", recorded.len());
    std::fs::write(&file, case::write_recorded(&recorded)).expect("the file can be written");
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(host: &mut ScriptHost, case: &Case, caller: &mut dyn Caller) -> Vec<u8> {
    let mut out = Out::new(RespVersion::from_number(case.version));
    let keys: Vec<&[u8]> = case.keys.iter().map(Vec::as_slice).collect();
    let args: Vec<&[u8]> = case.args.iter().map(Vec::as_slice).collect();
    match Script::new(case.script.clone().into()) {
        Ok(script) => host.run(&script, Input { keys: &keys, args: &args }, caller, &mut out),
        Err(error) => out.error(&error.to_string()),
    }
    out.into_bytes().to_vec()
}

struct Redis {
    stream: TcpStream,
}

impl Redis {
    fn connect(address: &str) -> Self {
        Self { stream: TcpStream::connect(address).expect("a Redis listens") }
    }

    fn prepare(&mut self, case: &Case) {
        self.hello(2);
        self.send(&[b"FLUSHALL".to_vec()]);
        // A new interpreter: in Redis settings of cjson outlive the script.
        self.send(&[b"SCRIPT".to_vec(), b"FLUSH".to_vec()]);
        for command in &case.setup {
            self.send(command);
        }
    }

    fn hello(&mut self, version: u8) {
        self.send(&[b"HELLO".to_vec(), version.to_string().into_bytes()]);
    }

    fn eval(&mut self, case: &Case) -> Vec<u8> {
        self.prepare(case);
        self.hello(case.version);
        let mut words = vec![b"EVAL".to_vec(), case.script.clone(), case.keys.len().to_string().into_bytes()];
        words.extend(case.keys.iter().chain(&case.args).cloned());
        self.send(&words)
    }

    fn send(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(word);
            request.extend(b"\r\n");
        }
        self.stream.write_all(&request).expect("Redis reads");
        let mut reply = Vec::new();
        let mut piece = [0; 4096];
        while reply_len(&reply).expect("a reply").is_none() {
            let len = self.stream.read(&mut piece).expect("Redis answers");
            assert!(len > 0, "Redis is gone after {}", show(&request));
            reply.extend_from_slice(&piece[..len]);
        }
        reply
    }
}

struct Recorder<'a> {
    redis: &'a mut Redis,
    calls: Vec<Call>,
}

impl Caller for Recorder<'_> {
    fn call(&mut self, words: &[&[u8]], reply: &mut Out) {
        let version = reply.version().number();
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        let answer = if is_for_clients_only(&words[0]) {
            format!("-{}\r\n", <dyn Caller>::NOT_FROM_SCRIPTS).into_bytes()
        } else {
            self.redis.hello(version);
            as_from_script(self.redis.send(&words))
        };
        reply.raw(&answer);
        self.calls.push(Call { version, words, reply: answer });
    }

    fn has_command(&mut self, words: &[&[u8]]) -> bool {
        let info = self.redis.send(&[b"COMMAND".to_vec(), b"INFO".to_vec(), words[0].to_vec()]);
        info.len() > 20
    }
}

fn is_for_clients_only(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [b"multi", b"blpop", b"eval", b"subscribe", b"watch", b"auth", b"client", b"config"];
    NAMES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Redis says some things in other words to scripts than to clients.
fn as_from_script(reply: Vec<u8>) -> Vec<u8> {
    let text = if reply.starts_with(b"-ERR unknown command") {
        <dyn Caller>::UNKNOWN_COMMAND
    } else if reply.starts_with(b"-ERR wrong number of arguments") {
        <dyn Caller>::WRONG_ARITY
    } else {
        return reply;
    };
    format!("-{text}\r\n").into_bytes()
}
