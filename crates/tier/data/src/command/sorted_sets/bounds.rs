//! Core: the ends of ranges, as Redis reads them.

use ringway_values::{Bound, LexBound};

use crate::command::typed::lenient_float;
use crate::fail::{Fail, Ran};

const NOT_A_SCORE: Fail = Fail::new("ERR min or max is not a float");
const NOT_A_MEMBER: Fail = Fail::new("ERR min or max not valid string range item");

pub(super) fn score_bounds(low: &[u8], high: &[u8]) -> Ran<(Bound, Bound)> {
    Ok((score_bound(low)?, score_bound(high)?))
}

fn score_bound(word: &[u8]) -> Ran<Bound> {
    match word {
        [b'(', rest @ ..] => score(rest).map(Bound::Excluding),
        _ => score(word).map(Bound::Including),
    }
}

fn score(word: &[u8]) -> Ran<f64> {
    lenient_float(word).ok_or(NOT_A_SCORE)
}

pub(super) fn lex_bounds<'a>(low: &'a [u8], high: &'a [u8]) -> Ran<(LexBound<'a>, LexBound<'a>)> {
    Ok((lex_bound(low)?, lex_bound(high)?))
}

fn lex_bound(word: &[u8]) -> Ran<LexBound<'_>> {
    match word {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'[', member @ ..] => Ok(LexBound::Including(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluding(member)),
        _ => Err(NOT_A_MEMBER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_redis_reads_them() {
        assert_eq!(score_bounds(b"(1.5", b"+inf"), Ok((Bound::Excluding(1.5), Bound::Including(f64::INFINITY))));
        assert_eq!(score_bounds(b"", b"("), Ok((Bound::Including(0.0), Bound::Excluding(0.0))));
        for bad in [&b"a"[..], b"((1", b"1x", b"nan", b"[1"] {
            assert!(score_bounds(bad, b"1").is_err(), "{}", bad.escape_ascii());
        }
        assert_eq!(lex_bounds(b"-", b"(ab"), Ok((LexBound::Lowest, LexBound::Excluding(b"ab"))));
        assert_eq!(lex_bounds(b"[", b"+"), Ok((LexBound::Including(b""), LexBound::Highest)));
        assert!(lex_bounds(b"", b"+").is_err() && lex_bounds(b"-x", b"+").is_err());
    }
}
