//! What Redis 7.0 does, step by step as its `processMultibulkBuffer`, `processInlineBuffer` and `sdssplitargs` do it, with no
//! thought of speed: what the parser is compared with.

use crate::resp::{Limits, ProtocolError};

const LINE_LEN_MAX: usize = 64 * 1024;

/// The commands of a whole stream, and what ended it.
pub(super) fn commands(bytes: &[u8], limits: Limits) -> super::Outcome {
    let (mut rest, mut commands) = (bytes, Vec::new());
    while !rest.is_empty() {
        let step = if rest[0] == b'*' { multibulk(rest, limits) } else { inline(rest) };
        match step {
            Ok(None) => break,
            Ok(Some((args, used))) => {
                rest = &rest[used..];
                if !args.is_empty() {
                    commands.push(args);
                }
            }
            Err(error) => return (commands, Some(error)),
        }
    }
    (commands, None)
}

type Step = Result<Option<(Vec<Vec<u8>>, usize)>, ProtocolError>;

fn multibulk(input: &[u8], limits: Limits) -> Step {
    let Some((head, mut at)) = line(input, 0, ProtocolError::LongArgCount)? else { return Ok(None) };
    let count = number(&head[1..]).filter(|count| *count <= i64::from(i32::MAX)).ok_or(ProtocolError::ArgCount)?;
    if count > 10 && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedArgCount);
    }
    let mut args = Vec::new();
    for _ in 0..count.max(0) {
        let Some((head, next)) = line(input, at, ProtocolError::LongBulkLen)? else { return Ok(None) };
        if input[at] != b'$' {
            return Err(ProtocolError::NotBulk(input[at]));
        }
        let len = number(&head[1..]).filter(|len| (0..=512 << 20).contains(len)).ok_or(ProtocolError::BulkLen)?;
        if len > 16384 && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLen);
        }
        let len = len as usize;
        if input.len() < next + len + 2 {
            return Ok(None);
        }
        args.push(input[next..next + len].to_vec());
        at = next + len + 2;
    }
    Ok(Some((args, at)))
}

fn line(input: &[u8], at: usize, too_long: ProtocolError) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let rest = input.get(at..).unwrap_or_default();
    match rest.iter().take(LINE_LEN_MAX).position(|byte| *byte == b'\r') {
        None if rest.len() > LINE_LEN_MAX => Err(too_long),
        Some(end) if rest.len() > end + 1 => Ok(Some((&rest[..end], at + end + 2))),
        _ => Ok(None),
    }
}

/// `string2ll`.
fn number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    if text == "0" {
        return Some(0);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let starts_well = digits.starts_with(|first| ('1'..='9').contains(&first));
    let is_number = starts_well && digits.chars().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn inline(input: &[u8]) -> Step {
    let Some(end) = input.iter().take(LINE_LEN_MAX + 1).position(|byte| *byte == b'\n') else {
        return if input.len() > LINE_LEN_MAX { Err(ProtocolError::LongLine) } else { Ok(None) };
    };
    let stop = if end > 0 && input[end - 1] == b'\r' { end - 1 } else { end };
    Ok(Some((split(&input[..stop]).ok_or(ProtocolError::Quotes)?, end + 1)))
}

/// `sdssplitargs`, but that a NUL is a byte like others.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let at = |index: usize| line.get(index).copied();
    let is_space = |byte: u8| b" \t\n\x0b\x0c\r".contains(&byte);
    let (mut words, mut p) = (Vec::new(), 0);
    loop {
        while at(p).is_some_and(is_space) {
            p += 1;
        }
        if at(p).is_none() {
            return Some(words);
        }
        let (mut word, mut inq, mut insq, mut done) = (Vec::new(), false, false, false);
        while !done {
            let byte = at(p);
            if inq {
                let hex = |index: usize| at(index).and_then(|digit| char::from(digit).to_digit(16));
                if let (Some(b'\\'), Some(b'x'), Some(high), Some(low)) = (byte, at(p + 1), hex(p + 2), hex(p + 3)) {
                    word.push((high * 16 + low) as u8);
                    p += 3;
                } else if let (Some(b'\\'), Some(escaped)) = (byte, at(p + 1)) {
                    p += 1;
                    word.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        other => other,
                    });
                } else if byte == Some(b'"') {
                    if at(p + 1).is_some_and(|next| !is_space(next)) {
                        return None;
                    }
                    done = true;
                } else {
                    word.push(byte?);
                }
            } else if insq {
                if byte == Some(b'\\') && at(p + 1) == Some(b'\'') {
                    p += 1;
                    word.push(b'\'');
                } else if byte == Some(b'\'') {
                    if at(p + 1).is_some_and(|next| !is_space(next)) {
                        return None;
                    }
                    done = true;
                } else {
                    word.push(byte?);
                }
            } else {
                match byte {
                    None | Some(b' ' | b'\n' | b'\r' | b'\t') => done = true,
                    Some(b'"') => inq = true,
                    Some(b'\'') => insq = true,
                    Some(other) => word.push(other),
                }
            }
            if byte.is_some() {
                p += 1;
            }
        }
        words.push(word);
    }
}
