//! Core: from bytes to commands. Nothing is copied and, once [`Words`] has its size, nothing is allocated.
//!
//! A command is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or one line of words ([`super::inline`]). The parser
//! looks at lengths only and steps over what is between them. It is as strict as Redis: of a line's end it looks at the CR, and not
//! at the CR LF behind an argument. What a length *promises* is never allocated before it arrives.

use memchr::memchr;

use super::inline;
use super::limits::{LINE_LEN_MAX, Limits, ProtocolError};
use super::number::parse_int;
use super::words::Words;

/// What the start of the input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A command of so many bytes; its words are in [`Words`].
    Complete { used: usize },
    /// So many bytes that ask for nothing (`*0`, an empty line).
    Empty { used: usize },
    /// To be tried again when the input has `needed` bytes, with the same [`Words`] or with cleared ones.
    Incomplete { needed: usize },
    /// Tell the client and close.
    Error(ProtocolError),
}

/// Takes one command off the front of `input`. If the last answer was [`Parsed::Incomplete`] and `words` was not cleared since,
/// `input` is the same with more behind it, and what was seen then is not looked at again.
#[inline]
pub fn parse(input: &[u8], limits: &Limits, words: &mut Words) -> Parsed {
    let outcome = if words.is_partial() { rest(input, limits, words) } else { whole(input, limits, words) };
    if !matches!(outcome, Parsed::Incomplete { .. }) {
        words.at = 0;
    }
    outcome
}

#[inline]
fn whole(input: &[u8], limits: &Limits, words: &mut Words) -> Parsed {
    words.clear();
    match input.first() {
        Some(b'*') => {}
        Some(_) => return inline::parse(input, words),
        None => return Parsed::Incomplete { needed: 1 },
    }
    let (count, next) = match short_number(input, 0) {
        Some(found) if found.0 <= limits.args_max => found,
        _ => match arg_count(input, limits) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        },
    };
    if count == 0 {
        return Parsed::Empty { used: next };
    }
    (words.at, words.missing) = (next, count);
    rest(input, limits, words)
}

/// The arguments that are not in `words` yet.
#[inline]
fn rest(input: &[u8], limits: &Limits, words: &mut Words) -> Parsed {
    let (mut at, mut missing) = (words.at, words.missing);
    while missing > 0 {
        let (len, from) = match bulk_len(input, at, limits) {
            Ok(found) => found,
            Err(outcome) => {
                (words.at, words.missing) = (at, missing);
                return outcome;
            }
        };
        let to = from + len;
        if to + 2 > input.len() {
            (words.at, words.missing) = (at, missing);
            return match to + 2 > limits.command_len_max {
                true => Parsed::Error(ProtocolError::LongCommand),
                false => Parsed::Incomplete { needed: to + 2 },
            };
        }
        words.push(from, to);
        at = to + 2;
        missing -= 1;
    }
    Parsed::Complete { used: at }
}

/// The length of the argument at `at`, and where it begins.
#[inline]
fn bulk_len(input: &[u8], at: usize, limits: &Limits) -> Result<(usize, usize), Parsed> {
    if input.get(at) == Some(&b'$')
        && let Some(found) = short_number(input, at)
        && found.0 <= limits.bulk_len_max
    {
        return Ok(found);
    }
    any_bulk_len(input, at, limits)
}

/// The number of up to four digits in the line at `at`, and where the next line begins; `None`: look closer. Six bytes follow the
/// start of every line in a complete command.
#[inline]
fn short_number(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let &[_, first, second, third, fourth, fifth] = input.get(at..)?.first_chunk::<6>()?;
    let digit = |byte: u8| Some(usize::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit <= 9);
    let number = digit(first)?;
    if second == b'\r' {
        return Some((number, at + 4));
    }
    if number == 0 {
        return None;
    }
    let number = number * 10 + digit(second)?;
    if third == b'\r' {
        return Some((number, at + 5));
    }
    let number = number * 10 + digit(third)?;
    if fourth == b'\r' {
        return Some((number, at + 6));
    }
    let number = number * 10 + digit(fourth)?;
    (fifth == b'\r').then_some((number, at + 7))
}

#[cold]
fn arg_count(input: &[u8], limits: &Limits) -> Result<(usize, usize), Parsed> {
    let (line, next) = line_at(input, 0, ProtocolError::LongArgCount)?;
    let count = parse_int(&line[1..]).ok_or(Parsed::Error(ProtocolError::ArgCount))?;
    if count > limits.args_max as i64 {
        return Err(Parsed::Error(match limits.authenticated || count > Limits::AUTHENTICATED.args_max as i64 {
            true => ProtocolError::ArgCount,
            false => ProtocolError::UnauthenticatedArgCount,
        }));
    }
    Ok((count.max(0) as usize, next))
}

#[cold]
fn any_bulk_len(input: &[u8], at: usize, limits: &Limits) -> Result<(usize, usize), Parsed> {
    let (line, next) = line_at(input, at, ProtocolError::LongBulkLen)?;
    match line.first() {
        Some(b'$') => {}
        other => return Err(Parsed::Error(ProtocolError::NotBulk(*other.unwrap_or(&b'\r')))),
    }
    let len = parse_int(&line[1..]).and_then(|len| usize::try_from(len).ok());
    let len = len.ok_or(Parsed::Error(ProtocolError::BulkLen))?;
    if len <= limits.bulk_len_max {
        return Ok((len, next));
    }
    Err(Parsed::Error(match limits.authenticated || len > Limits::AUTHENTICATED.bulk_len_max {
        true => ProtocolError::BulkLen,
        false => ProtocolError::UnauthenticatedBulkLen,
    }))
}

/// The line at `from` without its CR LF, and where the next begins.
fn line_at(input: &[u8], from: usize, too_long: ProtocolError) -> Result<(&[u8], usize), Parsed> {
    let rest = input.get(from..).unwrap_or_default();
    match memchr(b'\r', &rest[..rest.len().min(LINE_LEN_MAX)]) {
        None if rest.len() > LINE_LEN_MAX => Err(Parsed::Error(too_long)),
        Some(end) if end + 1 < rest.len() => Ok((&rest[..end], from + end + 2)),
        _ => Err(Parsed::Incomplete { needed: input.len().max(from) + 1 }),
    }
}

#[cfg(test)]
mod tests;
