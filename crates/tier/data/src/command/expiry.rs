//! Core: when keys expire. Times are seconds or milliseconds, from now or since 1970.

use super::args::{int, is, text};
use super::{AGAIN, Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};

const G: Group = Group::Generic;
const FIRST: KeyPlaces = KeyPlaces::First;
const W: u16 = WRITE | SHORT | AGAIN;

pub(super) const SPECS: &[Spec] = &[
    spec("expire", -3, W, FIRST, G, "when a key expires, in seconds", Run::Keyed(|c, a| expire(c, a, Unit::Seconds))),
    spec(
        "expireat",
        -3,
        W,
        FIRST,
        G,
        "the same, seconds since 1970",
        Run::Keyed(|c, a| expire(c, a, Unit::UnixSeconds)),
    ),
    spec("expiretime", 2, READ | SHORT, FIRST, G, "when it expires", Run::Keyed(|c, a| ttl(c, a, Unit::UnixSeconds))),
    spec("persist", 2, W, FIRST, G, "a key does not expire any more", Run::Keyed(persist)),
    spec("pexpire", -3, W, FIRST, G, "when a key expires, in ms", Run::Keyed(|c, a| expire(c, a, Unit::Millis))),
    spec("pexpireat", -3, W, FIRST, G, "the same, ms since 1970", Run::Keyed(|c, a| expire(c, a, Unit::UnixMillis))),
    spec("pexpiretime", 2, READ | SHORT, FIRST, G, "when it expires", Run::Keyed(|c, a| ttl(c, a, Unit::UnixMillis))),
    spec("pttl", 2, READ | SHORT, FIRST, G, "how many ms it has left", Run::Keyed(|c, a| ttl(c, a, Unit::Millis))),
    spec("ttl", 2, READ | SHORT, FIRST, G, "how many seconds it has left", Run::Keyed(|c, a| ttl(c, a, Unit::Seconds))),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    UnixSeconds,
    UnixMillis,
}

impl Unit {
    /// EX, PX, EXAT, PXAT.
    pub(super) fn option(word: &[u8]) -> Option<Self> {
        [("EX", Unit::Seconds), ("PX", Unit::Millis), ("EXAT", Unit::UnixSeconds), ("PXAT", Unit::UnixMillis)]
            .into_iter()
            .find(|(option, _)| is(word, option))
            .map(|(_, unit)| unit)
    }

    fn is_seconds(self) -> bool {
        matches!(self, Unit::Seconds | Unit::UnixSeconds)
    }

    fn is_from_now(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Millis)
    }
}

/// Milliseconds since 1970; `None` if it is out of range.
fn time_ms(now_ms: u64, number: i64, unit: Unit) -> Option<i64> {
    let ms = if unit.is_seconds() { number.checked_mul(1000)? } else { number };
    if unit.is_from_now() { ms.checked_add(now_ms as i64) } else { Some(ms) }
}

fn invalid(command: &str) -> Fail {
    Fail::of(format!("ERR invalid expire time in '{command}' command"))
}

/// The time of an option of SET or GETEX, or of SETEX: it must be positive.
pub(super) fn expiry_option(now_ms: u64, command: &str, unit: Unit, number: &[u8]) -> Ran<u64> {
    let at = Some(int(number)?).filter(|number| *number > 0).and_then(|number| time_ms(now_ms, number, unit));
    at.map(|at_ms| at_ms as u64).ok_or_else(|| invalid(command))
}

/// Under which condition a time is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Always,
    WithoutExpiry,
    WithExpiry,
    Later,
    Sooner,
    SoonerWithExpiry,
}

/// Each word may come again; those that contradict one another may not come together.
fn only(words: Args<'_>) -> Ran<Only> {
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    for word in words {
        match word.to_ascii_uppercase().as_slice() {
            b"NX" => nx = true,
            b"XX" => xx = true,
            b"GT" => gt = true,
            b"LT" => lt = true,
            _ => return Err(Fail::of(format!("ERR Unsupported option {}", text(word)))),
        }
    }
    match (nx, xx, gt, lt) {
        (true, false, false, false) => Ok(Only::WithoutExpiry),
        (true, ..) => Err(Fail::new("ERR NX and XX, GT or LT options at the same time are not compatible")),
        (_, _, true, true) => Err(Fail::new("ERR GT and LT options at the same time are not compatible")),
        // A key without an expiry counts as never, and nothing is later than that: XX adds nothing.
        (_, _, true, _) => Ok(Only::Later),
        (_, true, _, true) => Ok(Only::SoonerWithExpiry),
        (_, false, _, true) => Ok(Only::Sooner),
        (_, true, ..) => Ok(Only::WithExpiry),
        _ => Ok(Only::Always),
    }
}

/// EXPIRE and its relatives. A time in the past deletes.
fn expire(call: &mut Call<'_, '_>, args: Args<'_>, unit: Unit) -> Ran {
    let only = only(&args[3..])?;
    let number = int(args[2])?;
    let name = || text(args[0]).to_lowercase();
    let at_ms = time_ms(call.keys.now_ms(), number, unit).ok_or_else(|| invalid(&name()))?.max(0) as u64;
    let Some((_, current)) = call.keys.live(args[1])? else {
        call.out.int(0);
        return Ok(());
    };
    let allowed = match only {
        Only::Always => true,
        Only::WithoutExpiry => current.is_none(),
        Only::WithExpiry => current.is_some(),
        Only::Later => current.is_some_and(|current| at_ms > current),
        Only::Sooner => current.is_none_or(|current| at_ms < current),
        Only::SoonerWithExpiry => current.is_some_and(|current| at_ms < current),
    };
    match allowed {
        false => {}
        true if at_ms <= call.keys.now_ms() => drop(call.keys.delete(args[1])?),
        true => call.keys.set_expiry(args[1], Some(at_ms))?,
    }
    call.out.int(i64::from(allowed));
    Ok(())
}

fn persist(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let expires = call.keys.live(args[1])?.is_some_and(|(_, expires_ms)| expires_ms.is_some());
    if expires {
        call.keys.set_expiry(args[1], None)?;
    }
    call.out.int(i64::from(expires));
    Ok(())
}

fn ttl(call: &mut Call<'_, '_>, args: Args<'_>, unit: Unit) -> Ran {
    let found = call.keys.live(args[1])?.map(|(_, expires_ms)| expires_ms);
    let number = match found {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => left(at_ms, call.keys.now_ms(), unit),
    };
    call.out.int(number);
    Ok(())
}

fn left(at_ms: u64, now_ms: u64, unit: Unit) -> i64 {
    let ms = if unit.is_from_now() { at_ms.saturating_sub(now_ms) } else { at_ms };
    let number = if unit.is_seconds() { ms.saturating_add(500) / 1000 } else { ms };
    i64::try_from(number).unwrap_or(i64::MAX)
}
