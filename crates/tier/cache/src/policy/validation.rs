//! Core: asking the app whether what is stored is still good, and what becomes of it then (RFC 9111, 4.3).

use http::HeaderMap;
use http::header::{self, HeaderName};

use crate::policy::storing::end_to_end;

/// What a 304 never changes: what says how the stored body is coded and how long it is (RFC 9111, 3.2).
const OF_THE_BODY: &[HeaderName] =
    &[header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_RANGE, header::CONTENT_TYPE];

/// The conditions of a request that validates (RFC 9111, 4.3.1). None if there is nothing to go by.
pub(crate) fn conditions(stored: &HeaderMap) -> HeaderMap {
    let mut conditions = HeaderMap::new();
    if let Some(tag) = stored.get(header::ETAG) {
        conditions.insert(header::IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = stored.get(header::LAST_MODIFIED) {
        conditions.insert(header::IF_MODIFIED_SINCE, modified.clone());
    }
    conditions
}

/// Whether a 304 is about what is stored (RFC 9111, 4.3.4): a tag that it names must be the stored one's.
pub(crate) fn is_about(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    match (stored.get(header::ETAG), not_modified.get(header::ETAG)) {
        (Some(stored), Some(named)) => opaque(stored.as_bytes()) == opaque(named.as_bytes()),
        (None, Some(_)) => false,
        (_, None) => match (stored.get(header::LAST_MODIFIED), not_modified.get(header::LAST_MODIFIED)) {
            (Some(stored), Some(named)) => stored == named,
            _ => true,
        },
    }
}

/// The stored headers as a 304 freshens them (RFC 9111, 3.2).
pub(crate) fn freshened(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    let told = end_to_end(not_modified);
    for name in told.keys().filter(|name| !OF_THE_BODY.contains(name)) {
        headers.remove(name);
        for value in told.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Whether the answer to a HEAD speaks of what is stored (RFC 9111, 4.3.5).
pub(crate) fn agrees(stored: &HeaderMap, head: &HeaderMap) -> bool {
    let same = |name: HeaderName| head.get(&name).is_none_or(|told| stored.get(&name) == Some(told));
    [header::ETAG, header::LAST_MODIFIED, header::CONTENT_LENGTH].into_iter().all(same)
}

/// The weak comparison is enough to validate (RFC 9110, 13.1.2).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests;
