//! Core: the console, a page of three files that shows the cluster at work: the ring, the nodes, the apps, the requests.
//!
//! No framework, no build step, nothing fetched from elsewhere: the files are in the binary, and the page asks only the node it
//! came from (`/v1/overview`, once a second, with the admin token). The files themselves hold no data.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use sha2::{Digest, Sha256};

/// The page may load its own files and talk to its own node, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

static ASSETS: [Asset; 4] = [
    Asset { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("../assets/console.html") },
    Asset {
        path: "/console.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("../assets/console.css"),
    },
    Asset {
        path: "/console.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../assets/console.js"),
    },
    Asset { path: "/favicon.svg", content_type: "image/svg+xml", text: include_str!("../assets/favicon.svg") },
];

static TAGS: LazyLock<[HeaderValue; 4]> = LazyLock::new(|| ASSETS.each_ref().map(|asset| tag(asset.text)));

/// The answer to `GET path`, or None where there is no such file. `if_none_match` is the request's header.
pub fn respond(path: &str, if_none_match: Option<&HeaderValue>) -> Option<Response<Bytes>> {
    let (asset, tag) = ASSETS.iter().zip(TAGS.iter()).find(|(asset, _)| asset.path == path)?;
    let is_known = if_none_match.is_some_and(|shown| matches_tag(shown, tag));
    let mut response = Response::new(if is_known { Bytes::new() } else { Bytes::from_static(asset.text.as_bytes()) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    for (name, value) in headers(asset, tag) {
        response.headers_mut().insert(name, value);
    }
    Some(response)
}

/// Asked for anew each time and mostly answered with 304, so that after an upgrade nobody sees the old page.
fn headers(asset: &Asset, tag: &HeaderValue) -> [(HeaderName, HeaderValue); 7] {
    [
        (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (ETAG, tag.clone()),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

fn matches_tag(shown: &HeaderValue, tag: &HeaderValue) -> bool {
    let own = tag.to_str().unwrap_or_default();
    let mut tags = shown.to_str().unwrap_or_default().split(',').map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag == own)
}

fn tag(text: &str) -> HeaderValue {
    let hash: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits in quotes are a header value")
}

#[cfg(test)]
mod tests;
