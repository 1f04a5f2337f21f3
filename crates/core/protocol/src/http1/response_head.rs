//! Core: the head of an app's answer (RFC 9112, 4 to 6).
//!
//! Lines may end in a bare line feed, which has one meaning only; a length beside chunks, or two different lengths, have none and
//! are refused.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use thiserror::Error;

use super::BodyLength;
use super::text::{is_field_value, is_token, members, number};

const FIELDS_MAX: usize = 256;

/// Why an answer cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadAnswer {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("its head is larger than {0} bytes")]
    TooLarge(usize),
}

#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    /// HTTP/1.0 if not.
    pub is_1_1: bool,
    pub headers: HeaderMap,
    pub body: BodyLength,
    /// Whether the connection can be used again after the body.
    pub keeps_alive: bool,
}

impl ResponseHead {
    /// Where the head at the beginning of `raw` ends, once all of it has come. `from`: how far earlier calls have looked.
    pub fn find_end(raw: &[u8], from: &mut usize, len_max: usize) -> Result<Option<usize>, BadAnswer> {
        while let Some(at) = memchr::memchr(b'\n', &raw[*from..]) {
            let line = &raw[*from..*from + at];
            let is_last = *from > 0 && matches!(line, b"" | b"\r");
            *from += at + 1;
            if is_last {
                return Ok(Some(*from));
            }
        }
        if raw.len() > len_max { Err(BadAnswer::TooLarge(len_max)) } else { Ok(None) }
    }

    /// Reads a whole head, which answers a request of this method. Values are parts of `head`.
    pub fn parse(head: &Bytes, method: &Method) -> Result<Self, BadAnswer> {
        let line_end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
        let (is_1_1, status) = status_line(trimmed(&head[..line_end]))?;
        let mut headers = HeaderMap::with_capacity(16);
        let mut at = line_end;
        while at < head.len() {
            let end = memchr::memchr(b'\n', &head[at..]).map_or(head.len(), |len| at + len + 1);
            let line = trimmed(&head[at..end]);
            if line.is_empty() {
                break;
            }
            if headers.len() == FIELDS_MAX {
                return Err(BadAnswer::Malformed("it has too many headers"));
            }
            let (name, value) = field(line)?;
            headers.append(name, shared(head, value)?);
            at = end;
        }
        let body = body_length(&headers, method, status)?;
        let keeps_alive = keeps_alive(&headers, is_1_1) && body != BodyLength::UntilClose;
        Ok(Self { status, is_1_1, headers, body, keeps_alive })
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `HTTP/1.1 200 Whatever`, the reason being optional.
fn status_line(line: &[u8]) -> Result<(bool, StatusCode), BadAnswer> {
    let is_1_1 = match line.get(..9) {
        Some(b"HTTP/1.1 ") => true,
        Some(b"HTTP/1.0 ") => false,
        _ => return Err(BadAnswer::Malformed("it does not begin with a version of HTTP")),
    };
    let is_ended = line.get(12).is_none_or(|byte| *byte == b' ');
    let status = line.get(9..12).filter(|_| is_ended).and_then(|digits| StatusCode::from_bytes(digits).ok());
    Ok((is_1_1, status.ok_or(BadAnswer::Malformed("its status is not a number"))?))
}

fn field(line: &[u8]) -> Result<(HeaderName, &[u8]), BadAnswer> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(BadAnswer::Malformed("a header is folded over two lines"));
    }
    let colon = memchr::memchr(b':', line).ok_or(BadAnswer::Malformed("a header has no colon"))?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if !is_token(name) {
        return Err(BadAnswer::Malformed("a header's name is not a word"));
    }
    if !is_field_value(value) {
        return Err(BadAnswer::Malformed("a header has control characters"));
    }
    let name = HeaderName::from_bytes(name).map_err(|_| BadAnswer::Malformed("a header's name is too long"))?;
    Ok((name, value))
}

fn shared(head: &Bytes, value: &[u8]) -> Result<HeaderValue, BadAnswer> {
    let part = if value.is_empty() { Bytes::new() } else { head.slice_ref(value) };
    HeaderValue::from_maybe_shared(part).map_err(|_| BadAnswer::Malformed("a header has control characters"))
}

/// RFC 9112, 6.3.
fn body_length(headers: &HeaderMap, method: &Method, status: StatusCode) -> Result<BodyLength, BadAnswer> {
    let never = status.is_informational() || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if never || method == Method::HEAD {
        return Ok(BodyLength::None);
    }
    let length = content_length(headers)?;
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter().flat_map(|value| members(value.as_bytes()));
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(length.map_or(BodyLength::UntilClose, BodyLength::Known)),
        (Some(_), _) if length.is_some() => {
            Err(BadAnswer::Malformed("it has both Content-Length and Transfer-Encoding"))
        }
        (Some(one), None) if one.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
        _ => Err(BadAnswer::Malformed("its Transfer-Encoding is something else than chunked")),
    }
}

/// The same length twice is one length.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, BadAnswer> {
    const BAD: BadAnswer = BadAnswer::Malformed("its Content-Length is not a number");
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let this = number(value.as_bytes()).ok_or(BAD)?;
        if length.is_some_and(|length| length != this) {
            return Err(BadAnswer::Malformed("it has two different lengths"));
        }
        length = Some(this);
    }
    Ok(length)
}

fn keeps_alive(headers: &HeaderMap, is_1_1: bool) -> bool {
    let options = || headers.get_all(header::CONNECTION).iter().flat_map(|value| members(value.as_bytes()));
    let has = |option: &[u8]| options().any(|own| own.eq_ignore_ascii_case(option));
    !has(b"close") && (is_1_1 || has(b"keep-alive"))
}

#[cfg(test)]
mod tests;
