//! Core: conditional and partial requests for a file (RFC 9110, 13 and 14).

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderName};
use http::{HeaderMap, Method};

use crate::ranges::{self, Ranges};

/// What identifies one state of a file in one encoding.
#[derive(Clone, Debug)]
pub struct Validators {
    /// With its quotes, and `W/` in front if it is weak.
    pub etag: String,
    /// In whole seconds.
    pub modified: SystemTime,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Whole,
    /// 206: these bytes, at least one.
    Part(Range<u64>),
    /// 206: several of them.
    Parts(Vec<Range<u64>>),
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
    /// 416
    Unsatisfiable,
}

/// Decides for a GET or HEAD of a file of `len` bytes.
pub fn decide(method: &Method, headers: &HeaderMap, validators: &Validators, len: u64) -> Decision {
    if let Some(wanted) = text(headers, header::IF_MATCH) {
        if !lists(wanted, &validators.etag, Comparison::Strong) {
            return Decision::PreconditionFailed;
        }
    } else if date(headers, header::IF_UNMODIFIED_SINCE).is_some_and(|since| validators.modified > since) {
        return Decision::PreconditionFailed;
    }
    if let Some(known) = text(headers, header::IF_NONE_MATCH) {
        if lists(known, &validators.etag, Comparison::Weak) {
            return Decision::NotModified;
        }
    } else if date(headers, header::IF_MODIFIED_SINCE).is_some_and(|since| validators.modified <= since) {
        return Decision::NotModified;
    }
    // For any other method a range means nothing (RFC 9110, 14.2).
    if method == Method::GET { part(headers, validators, len) } else { Decision::Whole }
}

fn part(headers: &HeaderMap, validators: &Validators, len: u64) -> Decision {
    let Some(wanted) = text(headers, header::RANGE) else { return Decision::Whole };
    if !if_range_holds(headers, validators) {
        return Decision::Whole;
    }
    match ranges::parse(wanted, len) {
        Ranges::Ignored => Decision::Whole,
        Ranges::Outside => Decision::Unsatisfiable,
        Ranges::Parts(mut parts) if parts.len() == 1 => Decision::Part(parts.remove(0)),
        Ranges::Parts(parts) => Decision::Parts(parts),
    }
}

fn if_range_holds(headers: &HeaderMap, validators: &Validators) -> bool {
    if !headers.contains_key(header::IF_RANGE) {
        return true;
    }
    let Some(known) = text(headers, header::IF_RANGE) else { return false };
    if known.contains('"') {
        return lists(known, &validators.etag, Comparison::Strong);
    }
    date(headers, header::IF_RANGE) == Some(validators.modified)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn lists(list: &str, etag: &str, comparison: Comparison) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let is_same = |known: &str| match comparison {
        Comparison::Strong => !known.starts_with("W/") && !etag.starts_with("W/") && known == etag,
        Comparison::Weak => opaque(known) == opaque(etag),
    };
    list.split(',').map(str::trim).any(|known| known == "*" || is_same(known))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

/// Times in HTTP have whole seconds.
pub fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests;
