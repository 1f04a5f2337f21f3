//! Core: words as numbers, as Redis reads them.

use std::borrow::Cow;

use ringway_protocol::resp::LongDouble;
use ringway_protocol::resp::number::parse_int;

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

/// The same as `strtod` takes it: what a double has no place for is no number.
pub(crate) fn double(word: &[u8]) -> Ran<f64> {
    let number = float(word)?;
    let is_sized = match LongDouble::parse(word) {
        Some(long) => (number.is_infinite(), number == 0.0) == (!long.is_finite(), long.is_zero()),
        // Hexadecimal, or too large or small even for that.
        None => number.is_finite() && number != 0.0 || word.contains(&b'x') || word.contains(&b'X'),
    };
    if is_sized { Ok(number) } else { Err(Fail::NOT_A_FLOAT) }
}

/// A float with the range and precision of C's `long double`.
pub(crate) fn long_double(word: &[u8]) -> Ran<LongDouble> {
    if let Some(number) = LongDouble::parse(word) {
        return Ok(number);
    }
    let number = float(word).ok().filter(|_| word.contains(&b'x') || word.contains(&b'X')).ok_or(Fail::NOT_A_FLOAT)?;
    LongDouble::parse(number.to_string().as_bytes()).ok_or(Fail::NOT_A_FLOAT)
}

/// For how long a command that waits does: seconds, 0 is for ever.
pub(crate) fn timeout(word: &[u8]) -> Ran<f64> {
    let number = long_double(word).map_err(|_| Fail::new("ERR timeout is not a float or out of range"))?;
    let seconds = float(word)?;
    // Redis counts in ms, and what these have no place for comes out negative.
    if seconds <= -0.001 || seconds * 1000.0 >= i64::MAX as f64 {
        return Err(Fail::new("ERR timeout is negative"));
    }
    Ok(if seconds == 0.0 && !number.is_zero() { f64::MIN_POSITIVE } else { seconds.max(0.0) })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 answers.
    #[test]
    fn numbers_too_large_or_small_are_none() {
        for good in [&b"1.5"[..], b"-0", b"inf", b"-Infinity", b"5e-324", b"1.7e308", b"0x10", b"0x0", b"0e999"] {
            assert!(double(good).is_ok(), "{}", good.escape_ascii());
        }
        for bad in [&b"1e400"[..], b"-1e400", b"1e-400", b"1e5000", b"1e-5000", b"", b" 1", b"nan", b"0x"] {
            assert!(double(bad).is_err(), "{}", bad.escape_ascii());
        }
        let long = |word: &str| long_double(word.as_bytes()).map(LongDouble::text).ok();
        assert_eq!(long("1e20").as_deref(), Some("100000000000000000000"));
        assert_eq!((long("5e-324").as_deref(), long("0x10").as_deref()), (Some("0"), Some("16")));
        assert!(long("1e400").is_some() && long("1e5000").is_none() && long("0x").is_none() && long("x").is_none());
    }

    #[test]
    fn time_limits_are_those_of_redis() {
        for (word, expected) in [("0", 0.0), ("0.02", 0.02), ("-0.0001", 0.0), ("9e15", 9e15)] {
            assert_eq!(timeout(word.as_bytes()), Ok(expected), "{word}");
        }
        for word in ["-1", "-0.5", "inf", "-inf", "1e400", "1e20", "9.3e15"] {
            assert_eq!(timeout(word.as_bytes()), Err(Fail::new("ERR timeout is negative")), "{word}");
        }
        for word in ["", "abc", "nan", "1e5000", " 1"] {
            assert!(timeout(word.as_bytes()).is_err_and(|fail| fail.0.contains("not a float")), "{word}");
        }
        assert!(timeout(b"1e-400").is_ok_and(|seconds| seconds > 0.0));
    }
}
