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
    let summed = sum(call.keys, asked.key, asked.by, asked.is_decrement, None)?;
    call.keys.memcache_uses().note_summed(summed, asked.is_decrement);
    match summed {
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
    // In memcached's order: nothing at all is no number whatever the item's is; and 0 asks for none.
    if text.is_empty() {
        return Ok(Summed::NotANumber);
    }
    if cas.is_some_and(|cas| cas != 0 && cas != found) {
        return Ok(Summed::Exists);
    }
    let Some(before) = number(&text) else { return Ok(Summed::NotANumber) };
    let is_plain = marks == Marks::default() && text.as_int().is_some();
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

/// As `strtoull` reads it, and memcached after it: spaces, a sign, digits; then the end, a NUL or a space, and whatever follows (`ms`
/// may have put it there). What has a minus is taken from 2^64, and is a number if that has its highest bit unset.
fn number(text: &[u8]) -> Option<u64> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| is_space(byte)).count()..];
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (digits, rest) = text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count());
    if !rest.first().is_none_or(|byte| *byte == 0 || is_space(byte)) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match is_negative {
        false => Some(number),
        true => Some(number.wrapping_neg()).filter(|number| i64::try_from(*number).is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_up_to_a_space_as_memcached_reads_them() {
        for (text, read) in [
            ("10", Some(10)),
            (" 10", Some(10)),
            ("9 ", Some(9)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("18446744073709551615 7", Some(u64::MAX)),
            ("1 x", Some(1)),
            ("7\0x", Some(7)),
            ("\x0b7", Some(7)),
            ("+7", Some(7)),
            ("-0", Some(0)),
            ("-18446744073709551615", Some(1)),
            (" -1", None),
            (" ", None),
            ("\0", None),
            ("", None),
            ("1x", None),
            ("0x7", None),
            ("++1", None),
        ] {
            assert_eq!(number(text.as_bytes()), read, "{text:?}");
        }
    }
}
