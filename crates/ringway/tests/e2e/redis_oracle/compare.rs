//! Core: whether two replies to one command are alike: equal, but for what is random, timed or in no order.

use ringway_testkit::Reply;

use super::differences::DIFFERENCES;
use super::grammar::Command;
use super::sequence::WRAP;

/// Seconds; what is in milliseconds may differ by as much.
const CLOCK_TOLERANCE: i64 = 2;

/// Follows one connection: the replies of EXEC belong to commands that were queued before.
#[derive(Default)]
pub struct Comparison {
    queued: Vec<Command>,
}

impl Comparison {
    pub fn alike(&mut self, command: &Command, redis: &Reply, ringway: &Reply) -> bool {
        let name = command.name();
        let queued = match name.as_str() {
            "EXEC" | "DISCARD" | "RESET" => std::mem::take(&mut self.queued),
            _ => Vec::new(),
        };
        if *redis == Reply::Simple("QUEUED".to_owned()) {
            self.queued.push(command.clone());
        }
        match (redis, ringway) {
            (Reply::Array(left), Reply::Array(right)) if name == "EXEC" => {
                left.len() == right.len()
                    && left.len() == queued.len()
                    && queued
                        .iter()
                        .zip(left.iter().zip(right))
                        .all(|(command, (left, right))| alike(command, left, right))
            }
            _ => alike(command, redis, ringway),
        }
    }
}

fn alike(command: &Command, redis: &Reply, ringway: &Reply) -> bool {
    if redis == ringway {
        return true;
    }
    let inner = wrapped(command);
    let command = inner.as_ref().unwrap_or(command);
    let name = command.name();
    let equal = match name.as_str() {
        "TTL" | "EXPIRETIME" => near(redis, ringway, CLOCK_TOLERANCE),
        "PTTL" | "PEXPIRETIME" => near(redis, ringway, CLOCK_TOLERANCE * 1000),
        "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "RANDOMKEY" | "TIME" | "CLIENT ID" => {
            shape(redis) == shape(ringway)
        }
        "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "KEYS" | "HKEYS" | "HVALS" => {
            sorted(redis, 1) == sorted(ringway, 1)
        }
        "HGETALL" => sorted(redis, 2) == sorted(ringway, 2),
        "SCAN" | "SSCAN" => scanned(redis, 1) == scanned(ringway, 1),
        "HSCAN" | "ZSCAN" => scanned(redis, 2) == scanned(ringway, 2),
        _ => false,
    };
    equal || DIFFERENCES.iter().any(|difference| (difference.allows)(command, redis, ringway))
}

/// The command that a script of [`WRAP`] runs.
fn wrapped(command: &Command) -> Option<Command> {
    let is_wrap = |script: &Vec<u8>| WRAP.iter().any(|wrap| wrap.as_bytes() == script);
    if command.name() != "EVAL" || !command.words.get(1).is_some_and(is_wrap) {
        return None;
    }
    let keys: usize = std::str::from_utf8(command.words.get(2)?).ok()?.parse().ok()?;
    Some(Command { words: command.words.get(3 + keys..)?.to_vec(), keys: Vec::new() })
}

fn near(left: &Reply, right: &Reply, tolerance: i64) -> bool {
    match (left, right) {
        (Reply::Integer(left), Reply::Integer(right)) => *left > 0 && *right > 0 && (left - right).abs() <= tolerance,
        _ => false,
    }
}

/// A reply with any words in it.
fn shape(reply: &Reply) -> Reply {
    match reply {
        Reply::Bulk(_) => Reply::Bulk(Vec::new()),
        Reply::Integer(_) => Reply::Integer(0),
        Reply::Double(_) => Reply::Double(String::new()),
        Reply::Array(items) => Reply::Array(items.iter().map(shape).collect()),
        Reply::Set(items) => Reply::Set(items.iter().map(shape).collect()),
        other => other.clone(),
    }
}

/// Items, or groups of items, in an order that both share.
fn sorted(reply: &Reply, group: usize) -> Reply {
    let sort = |items: &[Reply]| {
        let mut groups: Vec<&[Reply]> = items.chunks(group).collect();
        groups.sort();
        groups.concat()
    };
    match reply {
        Reply::Array(items) => Reply::Array(sort(items)),
        Reply::Set(items) => Reply::Set(sort(items)),
        Reply::Map(pairs) => {
            let mut pairs = pairs.clone();
            pairs.sort();
            Reply::Map(pairs)
        }
        other => other.clone(),
    }
}

fn scanned(reply: &Reply, group: usize) -> Reply {
    match reply {
        Reply::Array(parts) if parts.len() == 2 => Reply::Array(vec![parts[0].clone(), sorted(&parts[1], group)]),
        other => other.clone(),
    }
}
