//! Core: commands on strings that are numbers.
//!
//! Whole numbers become counters that add up on all replicas, whoever has counted ([`ringway_values::Counter`]); a float is a string
//! that is written anew.

use ringway_protocol::resp::LongDouble;

use super::args::{int, long_double};
use super::{Group, KeyPlaces, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};

const G: Group = Group::String;
const FIRST: KeyPlaces = KeyPlaces::First;

pub(super) const SPECS: &[Spec] = &[
    spec("decr", 2, WRITE | SHORT, FIRST, G, "subtracts one", Run::Keyed(|call, args| add(call, args[1], -1))),
    spec("decrby", 3, WRITE | SHORT, FIRST, G, "subtracts a number", Run::Keyed(decrby)),
    spec("incr", 2, WRITE | SHORT, FIRST, G, "adds one", Run::Keyed(|call, args| add(call, args[1], 1))),
    spec("incrby", 3, WRITE | SHORT, FIRST, G, "adds a number", Run::Keyed(incrby)),
    spec("incrbyfloat", 3, WRITE | SHORT, FIRST, G, "adds a number with a fraction", Run::Keyed(incrbyfloat)),
];

fn add(call: &mut Call<'_, '_>, key: &[u8], by: i64) -> Ran {
    let sum = call.keys.add(key, by)?;
    call.out.int(sum);
    Ok(())
}

fn incrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    add(call, args[1], int(args[2])?)
}

fn decrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let by = int(args[2])?.checked_neg().ok_or(Fail::new("ERR decrement would overflow"))?;
    add(call, args[1], by)
}

fn incrbyfloat(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let plus = |current| float_sum(current, long_double(args[2])?);
    let (text, expires_ms) = match call.keys.text(args[1])? {
        Some((text, expires_ms)) => (plus(long_double(&text)?)?, expires_ms),
        None => (plus(LongDouble::ZERO)?, call.keys.default_expiry()),
    };
    call.keys.set(args[1], text.as_bytes(), expires_ms)?;
    call.out.bulk(text.as_bytes());
    Ok(())
}

/// The text of their sum.
pub(super) fn float_sum(one: LongDouble, other: LongDouble) -> Ran<String> {
    let sum = one.plus(other).filter(|sum| sum.is_finite());
    Ok(sum.ok_or(Fail::new("ERR increment would produce NaN or Infinity"))?.text())
}
