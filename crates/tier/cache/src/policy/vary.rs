//! Core: which variant of a resource a request asks for (RFC 9111, 4.1).
//!
//! Values are compared after what the standard allows: lines joined, white space around members gone; and for `Accept-Encoding`,
//! whose order means nothing, members sorted, since browsers differ there and mean the same.

use http::HeaderMap;
use http::header::{self, HeaderName};

/// More than any app needs; each is a comparison at each look-up.
const NAMES_MAX: usize = 16;

/// The request headers by which a response's variant is told, and their values then.
pub(crate) type Selecting = Vec<(HeaderName, Option<Box<str>>)>;

/// `Err`: it is good for no other request (`*`), or for hardly any.
pub(crate) fn names(response: &HeaderMap) -> Result<Vec<HeaderName>, &'static str> {
    let mut names = Vec::new();
    for line in response.get_all(header::VARY) {
        for name in line.to_str().map_err(|_| "vary")?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "vary")?;
            if name == "*" || names.len() >= NAMES_MAX {
                return Err("vary");
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}

pub(crate) fn selecting(names: &[HeaderName], request: &HeaderMap) -> Selecting {
    names.iter().map(|name| (name.clone(), value(name, request))).collect()
}

pub(crate) fn matches(selecting: &Selecting, request: &HeaderMap) -> bool {
    selecting.iter().all(|(name, then)| value(name, request).as_deref() == then.as_deref())
}

pub(crate) fn is_encoding_at_most(selecting: &Selecting) -> bool {
    selecting.iter().all(|(name, _)| name == header::ACCEPT_ENCODING)
}

fn value(name: &HeaderName, request: &HeaderMap) -> Option<Box<str>> {
    let mut members = Vec::new();
    let mut lines = request.get_all(name).iter().peekable();
    lines.peek()?;
    let texts: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    for text in &texts {
        members.extend(text.split(',').map(str::trim).filter(|member| !member.is_empty()));
    }
    if name != header::ACCEPT_ENCODING {
        return Some(members.join(",").into());
    }
    let mut members: Vec<String> =
        members.iter().map(|member| member.to_ascii_lowercase().replace([' ', '\t'], "")).collect();
    members.sort_unstable();
    members.dedup();
    Some(members.join(",").into())
}

#[cfg(test)]
mod tests;
