//! Core: `CDN-Cache-Control` (RFC 9213): what an app says to caches like this one, and to nobody else.
//!
//! A Dictionary Structured Field (RFC 9651): what does not parse as a whole is ignored as a whole, and so is one that is empty
//! (RFC 9213, 2.1). `Surrogate-Control` is not read: its arguments (`max-age=60+30`) are of no common grammar.

use http::HeaderMap;
use http::header::HeaderName;

use crate::directives::{Response, split_unquoted};

const FIELD: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What is said there, if anything is.
pub(crate) fn parse(headers: &HeaderMap) -> Option<Response> {
    let lines: Option<Vec<&str>> = headers.get_all(FIELD).iter().map(|line| line.to_str().ok()).collect();
    let text = lines?.join(",");
    if text.trim().is_empty() {
        return None;
    }
    // Of a key that comes twice the last counts.
    let mut members: Vec<(&str, Item<'_>)> = Vec::new();
    for member in split_unquoted(&text, ',') {
        let (key, item) = parse_member(member.trim_matches([' ', '\t']))?;
        members.retain(|(known, _)| *known != key);
        members.push((key, item));
    }
    let mut directives = Response::default();
    members.iter().for_each(|(key, item)| take(&mut directives, key, item));
    Some(directives)
}

enum Item<'a> {
    True,
    False,
    Integer(&'a str),
    /// A string or a token: the fields that `private` and `no-cache` name.
    Text(&'a str),
    /// A member that is sound but of a type that no directive has.
    Other,
}

fn take(directives: &mut Response, key: &str, item: &Item<'_>) {
    match item {
        Item::False => {}
        Item::True if takes_seconds(key) => directives.take(key, Some("")),
        Item::True => directives.take(key, None),
        Item::Integer(number) => directives.take(key, Some(number)),
        Item::Text(text) => directives.take(key, Some(text)),
        // Of a wrong type: as if the number was none.
        Item::Other => directives.take(key, Some("")),
    }
}

fn takes_seconds(key: &str) -> bool {
    ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"].contains(&key)
}

/// `key`, `key=value`, either with parameters, which mean nothing here.
fn parse_member(member: &str) -> Option<(&str, Item<'_>)> {
    let mut parts = split_unquoted(member, ';');
    let (key, value) = match parts.next()?.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (split_unquoted(member, ';').next()?, None),
    };
    let is_key = key.starts_with(|c: char| c.is_ascii_lowercase() || c == '*')
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
    is_key.then_some((key, value.map_or(Some(Item::True), parse_item)?))
}

fn parse_item(text: &str) -> Option<Item<'_>> {
    let mut rest = text.bytes();
    match rest.next()? {
        b'?' => match text {
            "?1" => Some(Item::True),
            "?0" => Some(Item::False),
            _ => None,
        },
        b'"' => {
            text[1..].strip_suffix('"').filter(|inner| inner.bytes().all(|b| (0x20..0x7f).contains(&b))).map(Item::Text)
        }
        b'0'..=b'9' if text.len() <= 15 && rest.all(|b| b.is_ascii_digit()) => Some(Item::Integer(text)),
        b'-' | b'0'..=b'9' => text.parse::<f64>().ok().map(|_| Item::Other),
        b'(' | b':' => Some(Item::Other),
        first if first.is_ascii_alphabetic() || first == b'*' => {
            text.bytes().all(|b| b.is_ascii_graphic()).then_some(Item::Text(text))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
