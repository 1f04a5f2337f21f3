//! Core: the head of a script's response (RFC 3875, section 6).

use http::StatusCode;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use memchr::memchr;
use thiserror::Error;

/// A script that prints more before the empty line has forgotten it.
pub const HEAD_LEN_MAX: usize = 64 * 1024;

/// What a script says before the body.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// What the script promised, if it did.
    pub content_length: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadError {
    #[error("the script printed {HEAD_LEN_MAX} bytes without an empty line after the header fields")]
    TooLong,
    #[error("the script printed {0:?} where a header field is expected")]
    NoField(String),
    #[error(
        "the script printed an HTTP status line: such (non-parsed-header) scripts are not supported, print `Status: 200 OK`"
    )]
    StatusLine,
    #[error("the script printed an invalid status {0:?}")]
    Status(String),
    #[error("the script printed no Content-Type, Location or Status")]
    NoCgiField,
    #[error("the script ended before the empty line after the header fields")]
    Ended,
}

/// Reads the head at the start of `bytes`: it and its length, or `None` if there is more to come. Lines end in LF or CRLF.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, HeadError> {
    let mut headers = HeaderMap::new();
    let mut status = None;
    let mut position = 0;
    while let Some(line_len) = memchr(b'\n', &bytes[position..]) {
        let line = &bytes[position..position + line_len];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        position += line_len + 1;
        if position > HEAD_LEN_MAX {
            return Err(HeadError::TooLong);
        }
        if line.is_empty() {
            return finish(status, headers).map(|head| Some((head, position)));
        }
        let (name, value) = parse_field(line)?;
        match name {
            None => status = Some(parse_status(value)?),
            Some(name) if is_the_servers(&name) => {}
            Some(name) => {
                headers.append(name, HeaderValue::from_bytes(value).map_err(|_| no_field(line))?);
            }
        }
    }
    // Garbage without any line end is told from a slow script early.
    let unfinished = &bytes[position..];
    if bytes.len() > HEAD_LEN_MAX {
        return Err(HeadError::TooLong);
    }
    if position == 0 && !unfinished.is_empty() && !could_be_a_field(unfinished) {
        return Err(if unfinished.starts_with(b"HTTP/") { HeadError::StatusLine } else { no_field(unfinished) });
    }
    Ok(None)
}

/// `None` as the name means `Status`.
fn parse_field(line: &[u8]) -> Result<(Option<HeaderName>, &[u8]), HeadError> {
    if line.starts_with(b"HTTP/") {
        return Err(HeadError::StatusLine);
    }
    let colon = memchr(b':', line).ok_or_else(|| no_field(line))?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| no_field(line))?;
    let value = line[colon + 1..].trim_ascii();
    Ok((if name == "status" { None } else { Some(name) }, value))
}

fn parse_status(value: &[u8]) -> Result<StatusCode, HeadError> {
    let invalid = || HeadError::Status(excerpt(value));
    let code = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let status = StatusCode::from_bytes(code).map_err(|_| invalid())?;
    // Below 200 come interim responses, which CGI does not have.
    if (200..600).contains(&status.as_u16()) { Ok(status) } else { Err(invalid()) }
}

fn finish(status: Option<StatusCode>, headers: HeaderMap) -> Result<ResponseHead, HeadError> {
    if status.is_none() && !headers.contains_key(CONTENT_TYPE) && !headers.contains_key(LOCATION) {
        return Err(HeadError::NoCgiField);
    }
    let default = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    let content_length = headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
    Ok(ResponseHead { status: status.unwrap_or(default), headers, content_length })
}

/// Fields about the connection, which is not the script's.
fn is_the_servers(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE, TRAILER, TE].contains(name)
        || name == "keep-alive"
        || name == "proxy-connection"
}

fn could_be_a_field(start: &[u8]) -> bool {
    let name = start.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = name.strip_suffix(b"\r").unwrap_or(name);
    name.is_empty() || HeaderName::from_bytes(name).is_ok()
}

fn no_field(line: &[u8]) -> HeadError {
    HeadError::NoField(excerpt(line))
}

fn excerpt(bytes: &[u8]) -> String {
    const EXCERPT_LEN: usize = 60;
    String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_LEN)]).into_owned()
}

#[cfg(test)]
mod tests;
