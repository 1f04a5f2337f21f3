//! Core: commands about all keys of a bucket.

use bytes::Bytes;

use super::args::{count, int, is, text};
use super::{Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::Args;
use crate::fail::{Fail, Ran};
use crate::scan::SCAN_COUNT_MAX;

const G: Group = Group::Generic;
const NONE: KeyPlaces = KeyPlaces::None;
/// As Redis'.
const COUNT: usize = 10;

/// What is asked of the whole bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Scan(Scan),
    Keys(Bytes),
    KeyCount,
    RandomKey,
    Flush,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) cursor: u64,
    pub(crate) pattern: Option<Bytes>,
    pub(crate) count: usize,
    /// As TYPE says it.
    pub(crate) kind: Option<String>,
}

pub(super) const SPECS: &[Spec] = &[
    spec(
        "dbsize",
        1,
        READ | SHORT,
        NONE,
        Group::Server,
        "how many keys there are",
        Run::Whole(|_| Ok(Whole::KeyCount)),
    ),
    spec("flushall", -1, WRITE | SHORT, NONE, Group::Server, "deletes all keys of the bucket", Run::Whole(flush)),
    spec("flushdb", -1, WRITE | SHORT, NONE, Group::Server, "deletes all keys of the bucket", Run::Whole(flush)),
    spec("keys", 2, READ, NONE, G, "all keys that match a pattern", Run::Whole(keys)),
    spec("randomkey", 1, READ, NONE, G, "some key", Run::Whole(|_| Ok(Whole::RandomKey))),
    spec("scan", -2, READ, NONE, G, "walks over the keys", Run::Whole(scan)),
];

fn keys(args: Args<'_>) -> Ran<Whole> {
    Ok(Whole::Keys(Bytes::copy_from_slice(args[1])))
}

/// It is done before the answer, whatever was asked for.
fn flush(args: Args<'_>) -> Ran<Whole> {
    match &args[1..] {
        [] => Ok(Whole::Flush),
        [word] if is(word, "ASYNC") || is(word, "SYNC") => Ok(Whole::Flush),
        _ => Err(Fail::SYNTAX),
    }
}

fn scan(args: Args<'_>) -> Ran<Whole> {
    let cursor = text(args[1]).parse().map_err(|_| Fail::new("ERR invalid cursor"))?;
    let mut scan = Scan { cursor, pattern: None, count: COUNT, kind: None };
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or(Fail::SYNTAX)?;
        if is(word, "MATCH") {
            scan.pattern = Some(Bytes::copy_from_slice(value));
        } else if is(word, "TYPE") {
            scan.kind = Some(text(value).to_lowercase());
        } else if is(word, "COUNT") {
            int(value)?;
            scan.count =
                Some(count(value, Fail::SYNTAX)?).filter(|count| *count > 0).ok_or(Fail::SYNTAX)?.min(SCAN_COUNT_MAX);
        } else {
            return Err(Fail::SYNTAX);
        }
    }
    Ok(Whole::Scan(scan))
}
