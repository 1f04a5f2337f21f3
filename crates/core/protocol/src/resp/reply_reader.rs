//! Core: replies read back from their bytes, for scripts, for gathering what several nodes answered, and for tests.
//!
//! Both versions are one language here: version 3 only has more kinds. A reply is either measured ([`reply_len`]: no memory, any
//! depth) or built ([`read_reply`]: depth is bounded, and room is made for what is there, not for what a count promises).

use bytes::Bytes;
use memchr::memchr;
use thiserror::Error;

use super::limits::LINE_LEN_MAX;
use super::number::parse_int;
use super::reply::Reply;

/// How deep replies may be nested where they are built.
pub const REPLY_DEPTH_MAX: usize = 128;
const ITEMS_PREPARED_MAX: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReplyError {
    #[error("a reply begins with byte {0}")]
    Kind(u8),
    #[error("a number in a reply is none")]
    Number,
    #[error("a line in a reply is longer than {LINE_LEN_MAX} bytes")]
    LongLine,
    #[error("a reply is nested deeper than {REPLY_DEPTH_MAX} levels")]
    Depth,
}

/// How long the first reply in `input` is; `None`: it is not complete.
pub fn reply_len(input: &[u8]) -> Result<Option<usize>, ReplyError> {
    let (mut at, mut missing) = (0, 1u64);
    while missing > 0 {
        let Some(head) = head_at(input, at)? else { return Ok(None) };
        at = head.next;
        missing -= 1;
        match head.shape {
            Shape::Line => {}
            Shape::Blob(len) => at += len + 2,
            Shape::Items(items) => missing = missing.checked_add(items).ok_or(ReplyError::Number)?,
            // Whatever it says of the reply behind it, that one still has to come.
            Shape::Attribute(items) => missing = missing.checked_add(items + 1).ok_or(ReplyError::Number)?,
        }
        if at > input.len() {
            return Ok(None);
        }
    }
    Ok(Some(at))
}

/// The first reply in `input`, and how long it is; `None`: it is not complete.
pub fn read_reply(input: &[u8]) -> Result<Option<(Reply, usize)>, ReplyError> {
    read_at(input, 0, REPLY_DEPTH_MAX)
}

fn read_at(input: &[u8], at: usize, depth: usize) -> Result<Option<(Reply, usize)>, ReplyError> {
    let Some(head) = head_at(input, at)? else { return Ok(None) };
    match head.shape {
        Shape::Line => Ok(Some((line_reply(head.kind, head.line)?, head.next))),
        Shape::Blob(len) => {
            let Some(blob) = input.get(head.next..head.next.saturating_add(len)) else { return Ok(None) };
            let end = head.next + len + 2;
            Ok((end <= input.len()).then(|| (blob_reply(head.kind, blob), end)))
        }
        Shape::Attribute(items) => match read_items(input, head.next, items, depth)? {
            Some((_, next)) => read_at(input, next, depth.checked_sub(1).ok_or(ReplyError::Depth)?),
            None => Ok(None),
        },
        Shape::Items(items) => {
            let Some((items, next)) = read_items(input, head.next, items, depth)? else { return Ok(None) };
            Ok(Some((items_reply(head.kind, items), next)))
        }
    }
}

fn read_items(input: &[u8], from: usize, count: u64, depth: usize) -> Result<Option<(Vec<Reply>, usize)>, ReplyError> {
    let depth = depth.checked_sub(1).ok_or(ReplyError::Depth)?;
    let (mut items, mut at) = (Vec::with_capacity((count as usize).min(ITEMS_PREPARED_MAX)), from);
    for _ in 0..count {
        let Some((item, next)) = read_at(input, at, depth)? else { return Ok(None) };
        items.push(item);
        at = next;
    }
    Ok(Some((items, at)))
}

struct Head<'a> {
    kind: u8,
    line: &'a [u8],
    shape: Shape,
    next: usize,
}

/// What follows a reply's first line.
enum Shape {
    Line,
    Blob(usize),
    Items(u64),
    /// So many replies about the next one.
    Attribute(u64),
}

fn head_at(input: &[u8], at: usize) -> Result<Option<Head<'_>>, ReplyError> {
    let Some((kind, rest)) = input.get(at..).and_then(|rest| rest.split_first()) else { return Ok(None) };
    // Redis' errors may quote a script: longer than other lines, but never without an end.
    let Some(end) = memchr(b'\r', &rest[..rest.len().min(LINE_LEN_MAX)]) else {
        return if rest.len() >= LINE_LEN_MAX { Err(ReplyError::LongLine) } else { Ok(None) };
    };
    if end + 1 >= rest.len() {
        return Ok(None);
    }
    let line = &rest[..end];
    let shape = match kind {
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Shape::Line,
        b'$' | b'=' | b'!' => match count_in(line)? {
            Some(len) => Shape::Blob(len as usize),
            None => Shape::Line,
        },
        b'*' | b'~' | b'>' => count_in(line)?.map_or(Shape::Line, |items| Shape::Items(u64::from(items))),
        b'%' => Shape::Items(u64::from(count_in(line)?.ok_or(ReplyError::Number)?) * 2),
        b'|' => Shape::Attribute(u64::from(count_in(line)?.ok_or(ReplyError::Number)?) * 2),
        other => return Err(ReplyError::Kind(*other)),
    };
    Ok(Some(Head { kind: *kind, line, shape, next: at + 1 + end + 2 }))
}

/// `None`: -1, which is null.
fn count_in(line: &[u8]) -> Result<Option<u32>, ReplyError> {
    match parse_int(line).ok_or(ReplyError::Number)? {
        -1 => Ok(None),
        count => u32::try_from(count).map(Some).map_err(|_| ReplyError::Number),
    }
}

fn line_reply(kind: u8, line: &[u8]) -> Result<Reply, ReplyError> {
    let text = || String::from_utf8_lossy(line).into_owned();
    Ok(match kind {
        b'+' if line == b"OK" => Reply::OK,
        b'+' => Reply::Simple(text().into()),
        b'-' => Reply::Error(text().into()),
        b':' => Reply::Int(parse_int(line).ok_or(ReplyError::Number)?),
        b',' => Reply::Double(text().parse().map_err(|_| ReplyError::Number)?),
        b'(' => Reply::BigNumber(text()),
        b'#' => match line {
            b"t" => Reply::Bool(true),
            b"f" => Reply::Bool(false),
            _ => return Err(ReplyError::Number),
        },
        b'*' | b'~' | b'>' => Reply::NullArray,
        _ => Reply::Null,
    })
}

fn blob_reply(kind: u8, blob: &[u8]) -> Reply {
    match kind {
        b'!' => Reply::Error(String::from_utf8_lossy(blob).into_owned().into()),
        b'=' => Reply::Verbatim(String::from_utf8_lossy(blob.get(4..).unwrap_or_default()).into_owned()),
        _ => Reply::Bulk(Bytes::copy_from_slice(blob)),
    }
}

fn items_reply(kind: u8, items: Vec<Reply>) -> Reply {
    match kind {
        b'~' => Reply::Set(items),
        b'>' => Reply::Push(items),
        b'%' => {
            let mut items = items.into_iter();
            Reply::Map(std::iter::from_fn(|| items.next().zip(items.next())).collect())
        }
        _ => Reply::Array(items),
    }
}

#[cfg(test)]
mod tests;
