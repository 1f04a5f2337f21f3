//! Core: which addresses a request with an unsafe method has changed (RFC 9111, 4.4).

use http::header::{self, HeaderName};
use http::{HeaderMap, StatusCode, Uri};
use ringway_ports::CacheKey;

/// The targets on the same host whose responses are to be forgotten: the request's own, and those that the answer names. None
/// if the answer was an error.
pub(crate) fn targets(key: &CacheKey, status: StatusCode, answer: &HeaderMap) -> Vec<String> {
    if !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut targets = vec![key.target.to_string()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        targets.extend(named(key, answer, name).filter(|target| !key.target.as_ref().eq(target)));
    }
    targets.dedup();
    targets
}

/// Only of the same origin: nobody may make us forget what another site has said.
fn named(key: &CacheKey, answer: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = answer.get(name)?.to_str().ok()?;
    let text = text.split('#').next().unwrap_or_default();
    if text.is_empty() {
        return None;
    }
    if !text.contains("://") && !text.starts_with("//") {
        return Some(resolved(&key.target, text));
    }
    let scheme = if key.tls { "https" } else { "http" };
    let absolute = if text.starts_with("//") { format!("{scheme}:{text}") } else { text.to_owned() };
    let uri: Uri = absolute.parse().ok()?;
    let is_ours = uri.scheme_str() == Some(scheme) && uri.host()?.eq_ignore_ascii_case(&key.host);
    is_ours.then(|| uri.path_and_query().map_or("/".to_owned(), ToString::to_string))
}

/// RFC 3986, 5.3, for references without an authority.
fn resolved(base: &str, reference: &str) -> String {
    let base_path = base.split('?').next().unwrap_or_default();
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (reference, String::new()),
    };
    let path = match path {
        "" => base_path.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => base_path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned() + "/" + relative,
    };
    without_dots(&path) + &query
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        match *part {
            "." => kept.extend(is_last.then_some("")),
            ".." => {
                kept.pop();
                kept.extend(is_last.then_some(""));
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests;
