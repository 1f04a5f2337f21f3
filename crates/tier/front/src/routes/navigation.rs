//! Core: whether a browser is going to a page: then a single-page app answers for what is not a file.

use http::{HeaderMap, HeaderName, Method, header};

use super::entry::RouteEntry;

/// Fetch metadata: what a browser says of itself, and scripts cannot.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

impl RouteEntry {
    /// Whether `index.html` is the answer to a request for what is not a file.
    pub fn answers_with_page(&self, method: &Method, headers: &HeaderMap) -> bool {
        self.route.spa && is_navigation(method, headers)
    }
}

fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if ![Method::GET, Method::HEAD].contains(method) {
        return false;
    }
    if let Some(mode) = headers.get(SEC_FETCH_MODE) {
        return mode == "navigate";
    }
    // Older browsers, and people with curl who ask like one. Images and scripts are asked for with `*/*` at most.
    let accepts = |value: &str| {
        let kind = |part: &str| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        value.split(',').any(|part| ["text/html", "application/xhtml+xml"].contains(&kind(part).as_str()))
    };
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(accepts)
}
