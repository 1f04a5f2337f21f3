//! Core: the head of a request, read strictly (RFC 9112, 2 to 6).

use std::ops::Range;

use thiserror::Error;

use super::BodyLength;
use super::text::{is_field_value, is_token, members, number};

/// A method and a version, and the spaces between.
const METHOD_AND_VERSION: usize = 64;

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Request line and fields together, in bytes.
    pub len_max: usize,
    /// The request target, in bytes.
    pub target_len_max: usize,
    /// Field lines.
    pub fields_max: usize,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadHead {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the head is larger than the limit")]
    TooLarge,
    #[error("the target is longer than the limit")]
    TargetTooLong,
    #[error("the version is not spoken")]
    Version,
}

/// Finds where a head ends while it arrives, and looks at each byte once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadEnd {
    line_start: usize,
}

impl HeadEnd {
    /// Whether a line of the head has come.
    pub fn is_begun(&self) -> bool {
        self.line_start > 0
    }

    /// The length of the head at the beginning of `raw`, its empty line included, once that has come. `raw` only grows between calls.
    pub fn find(&mut self, raw: &[u8], limits: &HeadLimits) -> Result<Option<usize>, BadHead> {
        while let Some(at) = memchr::memchr(b'\n', &raw[self.line_start..]) {
            let end = self.line_start + at;
            if at == 0 || raw[end - 1] != b'\r' {
                return Err(BadHead::Malformed("a line ends without a carriage return"));
            }
            if end >= limits.len_max {
                return Err(BadHead::TooLarge);
            }
            let is_last = at == 1 && self.line_start > 0;
            self.line_start = end + 1;
            if is_last {
                return Ok(Some(self.line_start));
            }
        }
        if self.line_start == 0 && raw.len() > limits.target_len_max + METHOD_AND_VERSION {
            return Err(BadHead::TargetTooLong);
        }
        if raw.len() > limits.len_max { Err(BadHead::TooLarge) } else { Ok(None) }
    }
}

/// Where a field is in its head. Heads are shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpan {
    name: (u32, u32),
    value: (u32, u32),
}

impl FieldSpan {
    pub fn name(&self) -> Range<usize> {
        self.name.0 as usize..self.name.1 as usize
    }

    pub fn value(&self) -> Range<usize> {
        self.value.0 as usize..self.value.1 as usize
    }
}

/// What a server must know of a request before anything else. The fields are spans of the same bytes.
#[derive(Debug)]
pub struct RequestHead<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    /// HTTP/1.0 if not.
    pub is_1_1: bool,
    pub body: BodyLength,
    /// The one `Host`.
    pub host: Option<&'a [u8]>,
    pub accept_encoding: Option<&'a [u8]>,
    /// Whether the client will send another request on this connection.
    pub keeps_alive: bool,
    /// It asks for another protocol: what follows may be in that.
    pub upgrades: bool,
    /// It waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// It is a `GET` of HTTP/1.1 on a connection that stays, without a body, and nothing in it but its host, its target and
    /// `Accept-Encoding` can make a difference to an answer that is the same for everybody.
    pub is_plain: bool,
}

impl<'a> RequestHead<'a> {
    /// Reads a whole head, as [`HeadEnd`] has found it. `fields` is emptied and filled.
    pub fn parse(head: &'a [u8], limits: &HeadLimits, fields: &mut Vec<FieldSpan>) -> Result<Self, BadHead> {
        fields.clear();
        let line_end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
        let mut read = Self::request_line(trimmed(&head[..line_end]), limits)?;
        let (mut at, mut named) = (line_end, Named::default());
        while at < head.len() {
            let end = memchr::memchr(b'\n', &head[at..]).map_or(head.len(), |len| at + len + 1);
            let line = trimmed(&head[at..end]);
            if line.is_empty() {
                break;
            }
            if fields.len() == limits.fields_max {
                return Err(BadHead::TooLarge);
            }
            let span = field_of(line, at)?;
            named.note(&mut read, &head[span.name()], &head[span.value()])?;
            fields.push(span);
            at = end;
        }
        named.check(&read)?;
        read.body = match (named.chunked, named.length) {
            (true, _) => BodyLength::Chunked,
            (false, Some(length)) if length > 0 => BodyLength::Known(length),
            _ => BodyLength::None,
        };
        read.is_plain &= read.is_1_1 && read.keeps_alive && !named.chunked && named.length.is_none();
        read.upgrades &= read.is_1_1;
        Ok(read)
    }

    fn request_line(line: &'a [u8], limits: &HeadLimits) -> Result<Self, BadHead> {
        const NOT_A_LINE: BadHead = BadHead::Malformed("the first line is not a method, an address and a version");
        let first = memchr::memchr(b' ', line).ok_or(NOT_A_LINE)?;
        let (method, rest) = (&line[..first], &line[first + 1..]);
        let second = memchr::memchr(b' ', rest).ok_or(NOT_A_LINE)?;
        let (target, version) = (&rest[..second], &rest[second + 1..]);
        if version.contains(&b' ') {
            return Err(NOT_A_LINE);
        }
        if !is_token(method) {
            return Err(BadHead::Malformed("the method is not a word"));
        }
        if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return Err(BadHead::Malformed("the address has bytes that must be percent-encoded"));
        }
        if target.len() > limits.target_len_max {
            return Err(BadHead::TargetTooLong);
        }
        let is_1_1 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            other if other.starts_with(b"HTTP/") => return Err(BadHead::Version),
            _ => return Err(BadHead::Malformed("the first line does not end in a version of HTTP")),
        };
        Ok(Self {
            method,
            target,
            is_1_1,
            body: BodyLength::None,
            host: None,
            accept_encoding: None,
            keeps_alive: is_1_1,
            upgrades: false,
            expects_continue: false,
            is_plain: method == b"GET",
        })
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").unwrap_or(line)
}

/// `at`: where the line begins in its head.
fn field_of(line: &[u8], at: usize) -> Result<FieldSpan, BadHead> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(BadHead::Malformed("a header is folded over two lines"));
    }
    let colon = memchr::memchr(b':', line).ok_or(BadHead::Malformed("a header has no colon"))?;
    if !is_token(&line[..colon]) {
        return Err(BadHead::Malformed("a header's name is not a word"));
    }
    let value = &line[colon + 1..];
    if !is_field_value(value) {
        return Err(BadHead::Malformed("a header has control characters"));
    }
    let start = colon + 1 + (value.len() - value.trim_ascii_start().len());
    let len = value.trim_ascii().len();
    let place = |offset: usize| (at + offset) as u32;
    Ok(FieldSpan { name: (place(0), place(colon)), value: (place(start), place(start + len)) })
}

/// Fields that decide about the framing, while they are read.
#[derive(Debug, Default)]
struct Named {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Named {
    fn note<'a>(&mut self, head: &mut RequestHead<'a>, name: &[u8], value: &'a [u8]) -> Result<(), BadHead> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is(b"te") => head.is_plain = false,
            4 if is(b"host") => {
                self.hosts += 1;
                head.host = Some(value);
            }
            5 if is(b"range") => head.is_plain = false,
            6 if is(b"expect") => {
                head.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
                head.is_plain = false;
            }
            6 if is(b"pragma") => head.is_plain = false,
            7 if is(b"upgrade") => {
                head.upgrades = true;
                head.is_plain = false;
            }
            8 if is(b"if-match") || is(b"if-range") => head.is_plain = false,
            10 if is(b"connection") => connection(head, value),
            11 if is(b"traceparent") => head.is_plain = false,
            12 if is(b"x-request-id") => head.is_plain = false,
            13 if is(b"authorization") || is(b"cache-control") || is(b"if-none-match") => head.is_plain = false,
            14 if is(b"content-length") => self.content_length(value)?,
            // Two such fields are one list; who sends them is not worth a second key.
            15 if is(b"accept-encoding") => {
                head.is_plain &= head.accept_encoding.is_none();
                head.accept_encoding = Some(value);
            }
            17 if is(b"transfer-encoding") => self.transfer_encoding(value)?,
            17 if is(b"if-modified-since") => head.is_plain = false,
            19 if is(b"if-unmodified-since") => head.is_plain = false,
            _ if is_own(name) => head.is_plain = false,
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), BadHead> {
        if self.length.is_some() {
            return Err(BadHead::Malformed("there are two Content-Length headers"));
        }
        self.length = Some(number(value).ok_or(BadHead::Malformed("Content-Length is not a number"))?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), BadHead> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(BadHead::Malformed("Transfer-Encoding is something else than chunked"));
        }
        self.chunked = true;
        Ok(())
    }

    fn check(&self, head: &RequestHead<'_>) -> Result<(), BadHead> {
        if self.chunked && self.length.is_some() {
            return Err(BadHead::Malformed("there are both Content-Length and Transfer-Encoding"));
        }
        if self.chunked && !head.is_1_1 {
            return Err(BadHead::Malformed("HTTP/1.0 has no Transfer-Encoding"));
        }
        if self.hosts > 1 || (head.is_1_1 && self.hosts == 0) {
            return Err(BadHead::Malformed("there must be one Host header"));
        }
        Ok(())
    }
}

/// Fields that nodes and proxies add for one another.
fn is_own(name: &[u8]) -> bool {
    let starts = |with: &[u8]| name.len() > with.len() && name[..with.len()].eq_ignore_ascii_case(with);
    starts(b"ringway-") || starts(b"x-forwarded-")
}

fn connection(head: &mut RequestHead<'_>, value: &[u8]) {
    for option in members(value) {
        if option.eq_ignore_ascii_case(b"close") {
            head.keeps_alive = false;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            // `close` wins, wherever it is.
            head.keeps_alive |= !head.is_1_1;
        } else {
            head.is_plain = false;
        }
    }
    if members(value).any(|option| option.eq_ignore_ascii_case(b"close")) {
        head.keeps_alive = false;
    }
}

#[cfg(test)]
mod tests;
