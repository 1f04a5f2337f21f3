//! Core: `incr` and `decr`: 64 bits without a sign. Up it goes round, down it stops at 0.

use ringway_protocol::memcache::{Arithmetic, reply};

use super::BAD_NUMBER;
use crate::call::{Call, Item, Keys, Marks};
use crate::fail::Ran;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Summed {
    To(u64),
    NotFound,
    /// The item has another number than was asked for.
    Exists,
    NotANumber,
}

pub(super) fn arithmetic(call: &mut Call<'_, '_>, asked: &Arithmetic<'_>) -> Ran {
    match sum(call.keys, asked.key, asked.by, asked.is_decrement, None)? {
        Summed::To(sum) => reply::count(call.out, sum),
        Summed::NotANumber => reply::line(call.out, BAD_NUMBER),
        Summed::NotFound | Summed::Exists => reply::line(call.out, "NOT_FOUND"),
    }
    Ok(())
}

/// Adds or subtracts. A plain number becomes a counter, which counts what several nodes add at once; one that has flags, or that
/// goes round or stops, is written anew.
pub(super) fn sum(keys: &mut Keys<'_>, key: &[u8], by: u64, is_decrement: bool, cas: Option<u64>) -> Ran<Summed> {
    let Some(Item { text, expires_ms, cas: found, marks }) = keys.item(key)? else {
        // Of another kind: it is there, but it is no number.
        return Ok(if keys.exists(key)? { Summed::NotANumber } else { Summed::NotFound });
    };
    if cas.is_some_and(|cas| cas != found) {
        return Ok(Summed::Exists);
    }
    let Some(before) = number(&text) else { return Ok(Summed::NotANumber) };
    let is_plain = marks == Marks::default() && text.as_int().is_some();
    drop(text);
    let after = if is_decrement { before.saturating_sub(by) } else { before.wrapping_add(by) };
    let step = i128::from(after) - i128::from(before);
    let asked = if is_decrement { -i128::from(by) } else { i128::from(by) };
    match i64::try_from(step) {
        Ok(step) if is_plain && i128::from(step) == asked && i64::try_from(after).is_ok() => {
            keys.add(key, step)?;
        }
        _ => {
            keys.set_item(key, after.to_string().as_bytes(), expires_ms, marks)?;
        }
    }
    Ok(Summed::To(after))
}

/// memcached fills up with spaces what has become shorter.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    match digits.first()? {
        b'0'..=b'9' => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_spaces_around_them_and_no_sign() {
        for (text, read) in [
            ("10", Some(10)),
            (" 10", Some(10)),
            ("9 ", Some(9)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("", None),
            ("1x", None),
            ("++1", None),
        ] {
            assert_eq!(number(text.as_bytes()), read, "{text:?}");
        }
    }
}
