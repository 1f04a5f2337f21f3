//! core: what a route asks of one request header.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// One value of `match_headers`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HeaderMatch {
    /// `*`: it is there, whatever it says.
    Present,
    /// `abc*`
    Prefix(String),
    /// Byte for byte.
    Exact(String),
}

impl HeaderMatch {
    /// The text of the manifest.
    pub fn parse(text: &str) -> Result<HeaderMatch, Invalid> {
        if !text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
            return Err(Invalid::new("a header's value is printable ASCII on one line"));
        }
        let stem = text.strip_suffix('*');
        if stem.unwrap_or(text).contains('*') {
            return Err(Invalid::new(format!("`*` may only stand at the end, not as in `{text}`"))
                .help("write the whole value, its beginning as in `abc*`, or `*` for any value"));
        }
        match stem {
            Some("") => Ok(HeaderMatch::Present),
            Some(prefix) => Ok(HeaderMatch::Prefix(prefix.to_owned())),
            None if text.is_empty() => Err(Invalid::new("the value is empty").help("write `*` for any value")),
            None => Ok(HeaderMatch::Exact(text.to_owned())),
        }
    }

    /// Whether a header with this value will do.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            HeaderMatch::Present => true,
            HeaderMatch::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            HeaderMatch::Exact(exact) => value == exact.as_bytes(),
        }
    }
}

impl fmt::Display for HeaderMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderMatch::Present => f.write_str("*"),
            HeaderMatch::Prefix(prefix) => write!(f, "{prefix}*"),
            HeaderMatch::Exact(exact) => f.write_str(exact),
        }
    }
}

#[cfg(test)]
mod tests;
