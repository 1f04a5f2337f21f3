//! Commands run on a bucket in memory, and what redis-server 7.0.15 answered to the same ones in the same order.
//!
//! In the recordings a line `> LPUSH l a` is a command, the line below it the reply; `>~` a reply whose elements have no order;
//! `# resp 3` changes the version of the protocol. A word `""` is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ringway_engine::BucketStore;
use ringway_manifest::Bucket as Spec;
use ringway_protocol::resp::{Out, RespVersion};
use ringway_ring::NodeId;
use ringway_values::{Applied, State, Update};

use super::Spec as Command;
use crate::bucket::{Bucket, Held};
use crate::call::{Scene, Written};
use crate::clock::Clock;
use crate::execute::run_alone;

/// A bucket whose keys are all together, and another replica of it.
pub(crate) struct Desk {
    bucket: Bucket,
    clock: Clock,
    pub(crate) now_ms: u64,
    pub(crate) version: RespVersion,
    replica: BTreeMap<Bytes, State>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let spec = Spec { together: true, ..Spec::default() };
        let held = Arc::new(Held::new(1, BucketStore::new(1 << 30)));
        Self {
            bucket: Bucket { name: "desk".into(), spec, held },
            clock: Clock::new(NodeId::from_bytes([1; 16])),
            now_ms: 1_000_000,
            version: RespVersion::Two,
            replica: BTreeMap::new(),
        }
    }

    pub(crate) fn run(&mut self, words: &[&[u8]]) -> Bytes {
        self.now_ms += 1;
        let scene = Scene {
            store: self.bucket.store(),
            clock: &self.clock,
            now_ms: self.now_ms,
            ttl_ms: None,
            source: None,
            place: &self.bucket,
        };
        let (mut written, mut out) = (Written::default(), Out::new(self.version));
        match Command::of(words) {
            Ok(spec) => run_alone(&scene, &mut written, self.bucket.partition_of(b""), (spec, words), &mut out),
            Err(fail) => out.error(&fail.0),
        }
        for (_, key, update) in written.updates {
            self.replicate(key, &update);
        }
        out.into_bytes()
    }

    fn replicate(&mut self, key: Bytes, update: &Update) {
        let mut bytes = Vec::new();
        update.encode(&mut bytes);
        let state = self.replica.entry(key).or_default();
        match Update::decode(&bytes).unwrap() {
            Update::State(other) => assert!(state.merge(other)),
            Update::Delta(delta) => assert_eq!(state.apply(&delta), Applied::Changed, "{delta:?}"),
        }
    }

    /// The other replica has heard of every change, and must hold the same.
    pub(crate) fn check_replica(&self) {
        let partition = self.bucket.partition_of(b"");
        for (key, state) in &self.replica {
            let own = self.bucket.store().lock(partition).state(key).unwrap().unwrap_or_default();
            assert_eq!(own.digest(key), state.digest(key), "{key:?}\n{own:#?}\n{state:#?}");
        }
    }
}

fn check(recording: &str) {
    let mut desk = Desk::new();
    let mut lines = recording.lines().enumerate().filter(|(_, line)| !line.is_empty());
    while let Some((at, line)) = lines.next() {
        if let Some(version) = line.strip_prefix("# resp ") {
            desk.version = if version == "3" { RespVersion::Three } else { RespVersion::Two };
            continue;
        }
        let (command, any_order) = match line.strip_prefix(">~ ") {
            Some(command) => (command, true),
            None => (line.strip_prefix("> ").expect("a line that is no reply is a command"), false),
        };
        let words: Vec<&[u8]> =
            command.split(' ').map(|word| if word == "\"\"" { b"" } else { word.as_bytes() }).collect();
        let reply = desk.run(&words);
        let (_, expected) = lines.next().expect("a command has a reply");
        assert_eq!(Told::whole(&reply, any_order), expected, "line {}: {command}", at + 1);
        desk.check_replica();
    }
}

/// A reply in one line.
struct Told<'a>(&'a [u8]);

impl Told<'_> {
    fn whole(reply: &[u8], any_order: bool) -> String {
        let mut told = Told(reply);
        let text = told.next(any_order);
        assert!(told.0.is_empty(), "bytes after the reply: {}", told.0.escape_ascii());
        text
    }

    fn line(&mut self) -> String {
        let end = self.0.windows(2).position(|two| two == b"\r\n").expect("a line ends");
        let line = String::from_utf8(self.0[..end].to_vec()).unwrap();
        self.0 = &self.0[end + 2..];
        line
    }

    fn next(&mut self, any_order: bool) -> String {
        let line = self.line();
        let (kind, rest) = line.split_at(1);
        match kind {
            "$" if rest == "-1" => "null".into(),
            "*" if rest == "-1" => "null[]".into(),
            "$" => {
                let (text, behind) = self.0.split_at(rest.parse().unwrap());
                self.0 = behind.strip_prefix(b"\r\n").unwrap();
                format!("\"{}\"", text.escape_ascii())
            }
            "*" | "~" | "%" => {
                let count: usize = rest.parse().unwrap();
                let count = if kind == "%" { count * 2 } else { count };
                let mut items: Vec<String> = (0..count).map(|_| self.next(false)).collect();
                if any_order {
                    items.sort();
                }
                format!("{}[{}]", kind.trim_start_matches('*'), items.join(", "))
            }
            ":" => rest.into(),
            _ => line,
        }
    }
}

#[test]
fn lists_answer_as_redis_does() {
    check(include_str!("transcript/lists.txt"));
}

#[test]
fn hashes_answer_as_redis_does() {
    check(include_str!("transcript/hashes.txt"));
}

#[test]
fn sets_answer_as_redis_does() {
    check(include_str!("transcript/sets.txt"));
}

#[test]
fn sorted_sets_answer_as_redis_does() {
    check(include_str!("transcript/sorted_sets.txt"));
}

#[test]
fn sort_answers_as_redis_does() {
    check(include_str!("transcript/sort.txt"));
}
