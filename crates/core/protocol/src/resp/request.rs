//! Core: from bytes to commands, however the bytes were cut into pieces.
//!
//! A command is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or one line of words. The parser notes where the
//! arguments are and cuts the command out of the buffer when it is complete: arguments are slices of what was read, nothing is
//! copied, and what a length *promises* is never allocated before it arrives.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::limits::{LINE_LEN_MAX, Limits, ProtocolError};
pub use super::number::parse_int;

/// One command: its name and arguments. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub args: Vec<Bytes>,
}

/// Where it is in the command at the start of the buffer.
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    at: usize,
    /// Arguments still to come; `None` before the command's first line.
    missing: Option<usize>,
    /// Length of the bulk string at `at`, once its first line is read.
    bulk_len: Option<usize>,
    args: Vec<Range<usize>>,
}

impl RequestParser {
    pub fn new(limits: Limits) -> Self {
        Self { limits, at: 0, missing: None, bulk_len: None, args: Vec::new() }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The next complete command in `buffer`, removed from it; `None` until more bytes are there. Bytes may only be appended to
    /// `buffer` between calls.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        loop {
            if self.missing.is_none() {
                match buffer.first() {
                    None => return Ok(None),
                    Some(b'*') => {}
                    Some(_) => match inline(buffer)? {
                        Inline::Incomplete => return Ok(None),
                        Inline::Empty => continue,
                        Inline::Words(args) => return Ok(Some(Request { args })),
                    },
                }
                if !self.read_arg_count(buffer)? {
                    return Ok(None);
                }
            }
            while self.missing.is_some_and(|missing| missing > 0) {
                if !self.read_arg(buffer)? {
                    return Ok(None);
                }
            }
            if let Some(request) = self.cut_out(buffer) {
                return Ok(Some(request));
            }
        }
    }

    /// How many more bytes are known to be needed at least.
    pub fn missing_bytes(&self, buffer: &BytesMut) -> usize {
        self.bulk_len.map_or(0, |len| (self.at + len + 2).saturating_sub(buffer.len()))
    }

    fn read_arg_count(&mut self, buffer: &BytesMut) -> Result<bool, ProtocolError> {
        let Some((line, next)) = line_at(buffer, 0, ProtocolError::LongArgCount)? else { return Ok(false) };
        let count = parse_int(&line[1..]).ok_or(ProtocolError::ArgCount)?;
        if count > self.limits.args_max as i64 {
            return Err(match self.limits.authenticated || count > Limits::AUTHENTICATED.args_max as i64 {
                true => ProtocolError::ArgCount,
                false => ProtocolError::UnauthenticatedArgCount,
            });
        }
        self.at = next;
        self.missing = Some(count.max(0) as usize);
        Ok(true)
    }

    fn read_arg(&mut self, buffer: &BytesMut) -> Result<bool, ProtocolError> {
        let len = match self.bulk_len {
            Some(len) => len,
            None => {
                let Some((line, next)) = line_at(buffer, self.at, ProtocolError::LongBulkLen)? else {
                    return Ok(false);
                };
                let len = self.bulk_len_in(line)?;
                self.at = next;
                self.bulk_len = Some(len);
                len
            }
        };
        if buffer.len() < self.at + len + 2 {
            return Ok(false);
        }
        self.args.push(self.at..self.at + len);
        self.at += len + 2;
        self.bulk_len = None;
        self.missing = self.missing.map(|missing| missing - 1);
        Ok(true)
    }

    fn bulk_len_in(&self, line: &[u8]) -> Result<usize, ProtocolError> {
        match line.first() {
            Some(b'$') => {}
            other => return Err(ProtocolError::NotBulk(*other.unwrap_or(&b'\r'))),
        }
        let len = parse_int(&line[1..]).filter(|len| *len >= 0).ok_or(ProtocolError::BulkLen)? as u64;
        if len <= self.limits.bulk_len_max as u64 {
            return Ok(len as usize);
        }
        Err(match self.limits.authenticated || len > Limits::AUTHENTICATED.bulk_len_max as u64 {
            true => ProtocolError::BulkLen,
            false => ProtocolError::UnauthenticatedBulkLen,
        })
    }

    /// Removes the complete command from the buffer. `None`: it had no arguments (`*0`, `*-1`), which Redis ignores.
    fn cut_out(&mut self, buffer: &mut BytesMut) -> Option<Request> {
        let whole = buffer.split_to(self.at).freeze();
        let args: Vec<Bytes> = self.args.drain(..).map(|range| whole.slice(range)).collect();
        (self.at, self.missing) = (0, None);
        (!args.is_empty()).then_some(Request { args })
    }
}

enum Inline {
    Incomplete,
    Empty,
    Words(Vec<Bytes>),
}

fn inline(buffer: &mut BytesMut) -> Result<Inline, ProtocolError> {
    let Some(end) = memchr(b'\n', buffer) else {
        return if buffer.len() > LINE_LEN_MAX { Err(ProtocolError::LongLine) } else { Ok(Inline::Incomplete) };
    };
    if end > LINE_LEN_MAX {
        return Err(ProtocolError::LongLine);
    }
    let line = buffer.split_to(end).freeze();
    buffer.advance(1);
    let words = words(line.strip_suffix(b"\r").unwrap_or(&line))?;
    Ok(if words.is_empty() { Inline::Empty } else { Inline::Words(words) })
}

/// The words of a line, with the quoting of Redis' `sdssplitargs`.
fn words(line: &[u8]) -> Result<Vec<Bytes>, ProtocolError> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Ok(words)
}

fn word(line: &[u8]) -> Result<(Bytes, &[u8]), ProtocolError> {
    let mut word = BytesMut::new();
    let mut at = 0;
    let mut quote = None;
    while let Some(byte) = line.get(at).copied() {
        match quote {
            None if byte.is_ascii_whitespace() => break,
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            Some(b'"') if byte == b'\\' => {
                let (escaped, len) = escape(&line[at + 1..]).ok_or(ProtocolError::Quotes)?;
                word.extend_from_slice(&[escaped]);
                at += len;
            }
            Some(b'\'') if byte == b'\\' && line.get(at + 1) == Some(&b'\'') => {
                word.extend_from_slice(b"'");
                at += 1;
            }
            Some(open) if byte == open => {
                if line.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace()) {
                    return Err(ProtocolError::Quotes);
                }
                quote = None;
            }
            _ => word.extend_from_slice(&[byte]),
        }
        at += 1;
    }
    if quote.is_some() {
        return Err(ProtocolError::Quotes);
    }
    Ok((word.freeze(), &line[at..]))
}

/// What follows a backslash: the byte it means, and how many bytes were used.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16);
    if let [b'x', high, low, ..] = rest
        && let (Some(high), Some(low)) = (hex(high), hex(low))
    {
        return Some(((high * 16 + low) as u8, 3));
    }
    let byte = match *rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    };
    Some((byte, 1))
}

type Line<'a> = (&'a [u8], usize);

/// The line at `from` without its CR LF, and where the next begins.
fn line_at(buffer: &BytesMut, from: usize, too_long: ProtocolError) -> Result<Option<Line<'_>>, ProtocolError> {
    let rest = &buffer[from..];
    match memchr(b'\r', &rest[..rest.len().min(LINE_LEN_MAX)]) {
        None if rest.len() >= LINE_LEN_MAX => Err(too_long),
        None => Ok(None),
        Some(end) if end + 1 >= rest.len() => Ok(None),
        Some(end) => Ok(Some((&rest[..end], from + end + 2))),
    }
}

#[cfg(test)]
mod tests;
