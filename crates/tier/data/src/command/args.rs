//! Core: words as numbers, as Redis reads them.

use std::borrow::Cow;

use ringway_protocol::resp::request::parse_int;

use crate::fail::{Fail, Ran};

pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub(crate) fn int(word: &[u8]) -> Ran<i64> {
    parse_int(word).ok_or(Fail::NOT_AN_INTEGER)
}

/// A count that must not be negative.
pub(crate) fn count(word: &[u8], otherwise: Fail) -> Ran<usize> {
    parse_int(word).and_then(|number| usize::try_from(number).ok()).ok_or(otherwise)
}

/// A float as `strtold` takes it, but not a NaN: no spaces around it, hexadecimal and `inf` allowed.
pub(crate) fn float(word: &[u8]) -> Ran<f64> {
    let parsed = std::str::from_utf8(word).ok().and_then(parse_float);
    parsed.filter(|number| !number.is_nan()).ok_or(Fail::NOT_A_FLOAT)
}

fn parse_float(word: &str) -> Option<f64> {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    let is_word = digits.eq_ignore_ascii_case("inf") || digits.eq_ignore_ascii_case("infinity");
    if !is_word && !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let number = u64::from_str_radix(hexadecimal, 16).ok()? as f64;
        return Some(if word.starts_with('-') { -number } else { number });
    }
    word.parse().ok()
}

/// Whether two words are the same but for case.
pub(crate) fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}
