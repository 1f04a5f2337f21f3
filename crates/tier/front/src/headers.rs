//! Core: which headers go on and which end here (RFC 9110, 7.6; `X-Forwarded-*` by convention).

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Which node a request was forwarded by. Only among nodes.
pub const RINGWAY_FORWARDED: HeaderName = HeaderName::from_static("ringway-forwarded");
/// The other node is asked as the one that fetches this address for all. Only among nodes.
pub const RINGWAY_CACHE: HeaderName = HeaderName::from_static("ringway-cache");

/// Headers that nodes send each other: nobody else's get in or out.
const OWN_PREFIX: &str = "ringway-";
const REQUEST_ID_LEN_MAX: usize = 64;
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Who sent a request, as apps are to see it.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    pub client: IpAddr,
    pub tls: bool,
    pub host: &'a str,
    /// What it says about clients before it is believed: another node, or a proxy of ours.
    pub trusted: bool,
}

/// Takes out what is meant for this connection only. `Upgrade` too: whoever passes one on sets it again.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !is_end_to_end(name))
        .collect();
    let trailers = headers.get_all(header::TE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in named {
        headers.remove(name);
    }
    let fixed = [
        header::CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in fixed {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    remove_own(headers);
}

/// What `Connection: NAME` cannot take away, because the platform or the framing rests on it.
fn is_end_to_end(name: &HeaderName) -> bool {
    [&header::HOST, &header::CONTENT_LENGTH, &header::COOKIE, &header::AUTHORIZATION].contains(&name)
        || name.as_str().starts_with("x-forwarded-")
        || name == X_REQUEST_ID
}

fn remove_own(headers: &mut HeaderMap) {
    let own: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with(OWN_PREFIX)).cloned().collect();
    for name in own {
        headers.remove(name);
    }
}

/// `X-Forwarded-For`, `-Proto` and `-Host`. What an untrusted client says about itself is thrown away.
pub fn set_forwarded(headers: &mut HeaderMap, origin: &Origin<'_>) {
    let before = headers.get(X_FORWARDED_FOR).and_then(|value| value.to_str().ok()).filter(|_| origin.trusted);
    let chain = before.map_or_else(|| origin.client.to_string(), |before| format!("{before}, {}", origin.client));
    let keeps = |name: &HeaderName| origin.trusted && headers.contains_key(name);
    let (keeps_proto, keeps_host) = (keeps(&X_FORWARDED_PROTO), keeps(&X_FORWARDED_HOST));
    set(headers, X_FORWARDED_FOR, &chain);
    if !keeps_proto {
        set(headers, X_FORWARDED_PROTO, if origin.tls { "https" } else { "http" });
    }
    if !keeps_host {
        set(headers, X_FORWARDED_HOST, origin.host);
    }
    headers.remove(header::FORWARDED);
}

/// Adds this hop to `Via`.
pub fn add_via(headers: &mut HeaderMap, version: Version) {
    let own = match version {
        Version::HTTP_2 => "2.0 ringway",
        Version::HTTP_10 => "1.0 ringway",
        _ => "1.1 ringway",
    };
    headers.append(header::VIA, HeaderValue::from_static(own));
}

/// Sets a header; one whose text no header can carry is left out.
pub fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The protocol a client asks to change to, if it asks properly.
pub fn upgrade_of(method: &Method, version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let mut named = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    let asks = version == Version::HTTP_11
        && method != Method::CONNECT
        && named.any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asks).cloned()
}

/// A request id that a client sent, if it is fit to be logged and passed on.
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ((1..=REQUEST_ID_LEN_MAX).contains(&id.len()) && id.bytes().all(fits)).then_some(id)
}

#[cfg(test)]
mod tests;
