//! Core: what `Cache-Control` says, in a request (RFC 9111, 5.2.1) and in a response (5.2.2; RFC 5861; RFC 8246).
//!
//! A directive that is not known is ignored (5.2.3). Of one that comes twice the first counts; a number that is none makes the
//! response stale (4.2.1). Arguments may be tokens or quoted strings, whatever they are defined as (5.2).

use std::time::Duration;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::targeted;

/// The most that a number of seconds may be (RFC 9111, 1.2.2); larger ones are this.
pub(crate) const SECONDS_MAX: u64 = 1 << 31;

/// Of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) immutable: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
    /// Of `private="..."` and `no-cache="..."`: headers that are not kept. The rest of the response may be.
    pub(crate) withheld: Vec<HeaderName>,
    /// Said to caches like this one alone (RFC 9213): `Cache-Control` and `Expires` say nothing here.
    pub(crate) is_targeted: bool,
}

/// Of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) min_fresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl Response {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(mut targeted) = targeted::parse(headers) {
            targeted.is_targeted = true;
            return targeted;
        }
        let mut directives = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            each(line, |name, argument| directives.take(name, argument));
        }
        directives
    }

    pub(crate) fn take(&mut self, name: &str, argument: Option<&str>) {
        match (name, argument) {
            ("no-store", _) => self.no_store = true,
            ("private", Some(fields)) => self.withhold(fields),
            ("private", None) => self.private = true,
            ("no-cache", Some(fields)) => self.withhold(fields),
            ("no-cache", None) => self.no_cache = true,
            ("public", _) => self.public = true,
            ("must-revalidate", _) => self.must_revalidate = true,
            ("proxy-revalidate", _) => self.proxy_revalidate = true,
            ("must-understand", _) => self.must_understand = true,
            ("immutable", _) => self.immutable = true,
            ("max-age", _) => first(&mut self.max_age, argument),
            ("s-maxage", _) => first(&mut self.s_maxage, argument),
            ("stale-while-revalidate", _) => first(&mut self.stale_while_revalidate, argument),
            ("stale-if-error", _) => first(&mut self.stale_if_error, argument),
            _ => {}
        }
    }

    fn withhold(&mut self, fields: &str) {
        let names = fields.split(',').filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok());
        self.withheld.extend(names);
    }
}

impl Request {
    /// `Pragma` stands for a `Cache-Control` that is not there (RFC 9111, 5.4).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            each(line, |name, argument| directives.take(name, argument));
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            for line in headers.get_all(header::PRAGMA) {
                each(line, |name, _| directives.no_cache |= name == "no-cache");
            }
        }
        directives
    }

    fn take(&mut self, name: &str, argument: Option<&str>) {
        match name {
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => first(&mut self.max_age, argument),
            "min-fresh" => first(&mut self.min_fresh, argument),
            // Without an argument: however stale.
            "max-stale" if argument.is_none() => self.max_stale = Some(Duration::from_secs(SECONDS_MAX)),
            "max-stale" => first(&mut self.max_stale, argument),
            "stale-if-error" => first(&mut self.stale_if_error, argument),
            _ => {}
        }
    }
}

fn first(into: &mut Option<Duration>, argument: Option<&str>) {
    into.get_or_insert(argument.and_then(seconds).unwrap_or_default());
}

/// `delta-seconds`
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().map_or(SECONDS_MAX, |number: u64| number.min(SECONDS_MAX))))
}

/// Calls `take` for each directive of one line, with its name in lower case.
fn each(line: &HeaderValue, mut take: impl FnMut(&str, Option<&str>)) {
    let text = String::from_utf8_lossy(line.as_bytes());
    for part in split_unquoted(&text, ',') {
        let (name, argument) = match part.split_once('=') {
            Some((name, argument)) => (name, Some(unquoted(argument.trim()))),
            None => (part, None),
        };
        let name = name.trim().to_ascii_lowercase();
        if !name.is_empty() {
            take(&name, argument.as_deref());
        }
    }
}

fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"') else { return text.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    inner.chars().filter(keep).collect()
}

/// The parts between separators that are not within quotes.
pub(crate) fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests;
