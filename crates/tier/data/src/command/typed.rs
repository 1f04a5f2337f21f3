//! Core: what commands on lists, hashes, sets and sorted sets have in common: looking at them, scanning them, picking some.

use std::collections::HashSet;

use ringway_protocol::resp::Out;
use ringway_rt::random;
use ringway_values::{Collection, Hash, Kind, List, Set, SortedSet};

use super::args::{float, int, is, text};
use crate::call::{Args, Keys};
use crate::fail::{Fail, Ran};
use ringway_protocol::glob;

/// Elements that one command picks at random, with repetition, at most.
const PICKS_MAX: usize = 1 << 20;
/// As Redis'.
const SCAN_COUNT: usize = 10;
const SCAN_COUNT_MAX: usize = 100_000;

const NOT_POSITIVE: Fail = Fail::new("ERR value is out of range, must be positive");
const PICKS_OUT_OF_RANGE: Fail =
    Fail::new("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");

/// Nothing there is `None`; something else is [`Fail::WRONG_TYPE`].
impl Keys<'_> {
    pub(crate) fn list(&mut self, key: &[u8]) -> Ran<Option<&List>> {
        Ok(self.collection(key, Kind::List)?.and_then(Collection::list))
    }

    pub(crate) fn hash(&mut self, key: &[u8]) -> Ran<Option<&Hash>> {
        Ok(self.collection(key, Kind::Hash)?.and_then(Collection::hash))
    }

    pub(crate) fn set_of(&mut self, key: &[u8]) -> Ran<Option<&Set>> {
        Ok(self.collection(key, Kind::Set)?.and_then(Collection::set))
    }

    pub(crate) fn sorted_set(&mut self, key: &[u8]) -> Ran<Option<&SortedSet>> {
        Ok(self.collection(key, Kind::SortedSet)?.and_then(Collection::sorted_set))
    }
}

/// A count that may be 0.
pub(super) fn positive(word: &[u8]) -> Ran<usize> {
    int(word).ok().and_then(|number| usize::try_from(number).ok()).ok_or(NOT_POSITIVE)
}

/// The keys behind their number, and at least one word more.
pub(super) fn counted(words: Args<'_>) -> Ran<(Args<'_>, Args<'_>)> {
    let count = int(words[0]).ok().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let count = count.ok_or(Fail::new("ERR numkeys should be greater than 0"))?;
    words[1..].split_at_checked(count).filter(|(_, rest)| !rest.is_empty()).ok_or(Fail::SYNTAX)
}

/// COUNT and a number; 1 if nothing is said.
pub(super) fn pop_count(words: Args<'_>) -> Ran<usize> {
    match words {
        [] => Ok(1),
        [word, number, rest @ ..] if is(word, "COUNT") => {
            let count = int(number).ok().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
            let count = count.ok_or(Fail::new("ERR count should be greater than 0"))?;
            if rest.is_empty() { Ok(count) } else { Err(Fail::SYNTAX) }
        }
        _ => Err(Fail::SYNTAX),
    }
}

/// A number as `strtod` takes it: blanks before it are passed over, nothing at all is 0.
pub(super) fn lenient_float(word: &[u8]) -> Option<f64> {
    match word.trim_ascii_start() {
        [] => Some(0.0),
        digits => float(digits).ok(),
    }
}

/// Which elements of how many: `count` different ones, or `-count` that may be the same.
pub(super) fn picks(count: i64, len: usize) -> Ran<Vec<usize>> {
    if count >= 0 {
        return Ok(different(usize::try_from(count).unwrap_or(usize::MAX), len));
    }
    let count = usize::try_from(count.unsigned_abs()).ok().filter(|count| *count <= PICKS_MAX);
    let count = count.ok_or(Fail::new("ERR value is out of range"))?;
    Ok(if len == 0 { Vec::new() } else { (0..count).map(|_| below(len)).collect() })
}

/// How many to pick, as `SRANDMEMBER` and its like are told.
pub(super) fn pick_count(word: &[u8]) -> Ran<i64> {
    let count = int(word)?;
    if count == i64::MIN { Err(PICKS_OUT_OF_RANGE) } else { Ok(count) }
}

/// Different numbers below `len` in a random order, `count` of them if there are as many.
pub(super) fn different(count: usize, len: usize) -> Vec<usize> {
    let mut all: Vec<usize> = if count.saturating_mul(4) < len { few(count, len) } else { (0..len).collect() };
    let count = count.min(all.len());
    for at in 0..count {
        let other = at + below(all.len() - at);
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

fn few(count: usize, len: usize) -> Vec<usize> {
    let mut found = HashSet::with_capacity(count);
    while found.len() < count {
        found.insert(below(len));
    }
    found.into_iter().collect()
}

pub(super) fn below(len: usize) -> usize {
    (random::number() % len.max(1) as u64) as usize
}

/// What HSCAN, SSCAN and ZSCAN are told behind the key.
pub(super) struct MemberScan<'a> {
    pub cursor: u64,
    pattern: Option<&'a [u8]>,
    pub count: usize,
}

impl<'a> MemberScan<'a> {
    pub(super) fn cursor(word: &[u8]) -> Ran<u64> {
        text(word).parse().map_err(|_| Fail::new("ERR invalid cursor"))
    }

    /// Redis does not look at the options if the key is not there.
    pub(super) fn parse(args: Args<'a>) -> Ran<Self> {
        let mut scan = Self { cursor: Self::cursor(args[2])?, pattern: None, count: SCAN_COUNT };
        let mut words = args[3..].iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or(Fail::SYNTAX)?;
            if is(word, "MATCH") {
                scan.pattern = Some(value);
            } else if is(word, "COUNT") {
                let count = usize::try_from(int(value)?).ok().filter(|count| *count > 0).ok_or(Fail::SYNTAX)?;
                scan.count = count.min(SCAN_COUNT_MAX);
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        Ok(scan)
    }

    pub(super) fn wants(&self, member: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, member))
    }
}

pub(super) fn write_or_null(out: &mut Out, value: Option<&[u8]>) {
    match value {
        Some(value) => out.bulk(value),
        None => out.null(),
    }
}

/// The reply to a scan's step: `step` writes members and says how many replies these are, and the next cursor.
pub(super) fn write_scan(out: &mut Out, step: impl FnOnce(&mut Out) -> (usize, u64)) {
    // The cursor comes first and is known last.
    let mut members = Out::new(out.version());
    let (len, cursor) = step(&mut members);
    out.array(2);
    out.bulk(cursor.to_string().as_bytes());
    out.array(len);
    out.raw(&members.into_bytes());
}

#[cfg(test)]
mod tests;
