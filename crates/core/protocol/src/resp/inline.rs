//! Core: a command typed as one line, with the quoting of Redis' `sdssplitargs`.

use memchr::memchr;

use super::Parsed;
use super::limits::{LINE_LEN_MAX, ProtocolError};
use super::words::Words;

pub(super) fn parse(input: &[u8], words: &mut Words) -> Parsed {
    let Some(end) = memchr(b'\n', &input[..input.len().min(LINE_LEN_MAX + 1)]) else {
        return match input.len() > LINE_LEN_MAX {
            true => Parsed::Error(ProtocolError::LongLine),
            false => Parsed::Incomplete { needed: input.len() + 1 },
        };
    };
    let line = &input[..end];
    if let Err(error) = split(line.strip_suffix(b"\r").unwrap_or(line), words) {
        return Parsed::Error(error);
    }
    match words.is_empty() {
        true => Parsed::Empty { used: end + 1 },
        false => Parsed::Complete { used: end + 1 },
    }
}

fn split(line: &[u8], words: &mut Words) -> Result<(), ProtocolError> {
    words.start_own();
    let mut rest = skip_spaces(line);
    while !rest.is_empty() {
        rest = skip_spaces(word(rest, words)?);
    }
    Ok(())
}

/// Takes one word off the line.
fn word<'a>(line: &'a [u8], words: &mut Words) -> Result<&'a [u8], ProtocolError> {
    let mut at = 0;
    loop {
        match line.get(at) {
            None | Some(b' ' | b'\n' | b'\r' | b'\t') => break,
            Some(quote @ (b'"' | b'\'')) => {
                at += 1 + quoted(&line[at + 1..], *quote, words)?;
                break;
            }
            Some(byte) => words.push_own_byte(*byte),
        }
        at += 1;
    }
    words.end_own_word();
    Ok(&line[at..])
}

/// What is between quotes; how long it is with the closing one. That one ends the word.
fn quoted(rest: &[u8], quote: u8, words: &mut Words) -> Result<usize, ProtocolError> {
    let mut at = 0;
    loop {
        match *rest.get(at).ok_or(ProtocolError::Quotes)? {
            b'\\' if quote == b'"' && at + 1 < rest.len() => {
                let (byte, len) = escaped(&rest[at + 1..]);
                words.push_own_byte(byte);
                at += len;
            }
            b'\\' if quote == b'\'' && rest.get(at + 1) == Some(&b'\'') => {
                words.push_own_byte(b'\'');
                at += 1;
            }
            byte if byte == quote => {
                let is_last = rest.get(at + 1).is_none_or(|next| is_space(*next));
                return if is_last { Ok(at + 1) } else { Err(ProtocolError::Quotes) };
            }
            byte => words.push_own_byte(byte),
        }
        at += 1;
    }
}

/// What a backslash and what follows it mean, and how many bytes follow.
fn escaped(rest: &[u8]) -> (u8, usize) {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    if let [b'x', high, low, ..] = *rest
        && let (Some(high), Some(low)) = (hex(high), hex(low))
    {
        return ((high * 16 + low) as u8, 3);
    }
    let byte = match rest[0] {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    };
    (byte, 1)
}

/// C's `isspace`, which knows a vertical tab and Rust's does not.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn skip_spaces(line: &[u8]) -> &[u8] {
    let spaces = line.iter().take_while(|byte| is_space(**byte)).count();
    &line[spaces..]
}
