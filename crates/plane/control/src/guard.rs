//! Core: who may ask. Decides on the head of a request alone.
//!
//! A browser on the operator's machine reaches this API too, and so do the pages in it. Three things keep them out: the token is
//! in no cookie, so it is never sent along by itself; a page of a foreign origin says so in `Origin`; and a page whose name was
//! rebound to this address (DNS rebinding) shows itself by a `Host` that is neither an address nor `localhost`.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Uri};
use ringway_catalog::Secret;

use crate::Error;

/// What a route asks of the one who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Anybody,
    /// Anybody on a loopback listener, else the token.
    Scraper,
    Token,
}

pub(crate) struct Guard<'a> {
    pub(crate) token: &'a Secret,
    /// Names besides `localhost`.
    pub(crate) hosts: &'a [String],
    pub(crate) is_open_to_scrapers: bool,
}

impl Guard<'_> {
    /// Whether a request may be looked at at all.
    pub(crate) fn check_origin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(headers, &HOST));
        let Some(host) = host else {
            return Err(Error::Forbidden("the request has no Host header"));
        };
        if !self.is_known_host(host) {
            return Err(Error::Forbidden(
                "this Host is not one of the admin API's: call it by its address or as localhost",
            ));
        }
        if headers.contains_key(ORIGIN) && !text(headers, &ORIGIN).is_some_and(|origin| is_same_origin(origin, host)) {
            return Err(Error::Forbidden("pages of other origins may not use the admin API"));
        }
        Ok(())
    }

    pub(crate) fn check_access(&self, access: Access, headers: &HeaderMap) -> Result<(), Error> {
        let is_open = access == Access::Anybody || (access == Access::Scraper && self.is_open_to_scrapers);
        if is_open || self.has_token(headers) { Ok(()) } else { Err(Error::Unauthorised) }
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let shown = text(headers, &AUTHORIZATION).and_then(|value| value.split_once(' '));
        // An empty token would let everybody in who shows an empty one.
        !self.token.reveal().is_empty()
            && shown.is_some_and(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer") && self.token.matches(token.trim().as_bytes())
            })
    }

    fn is_known_host(&self, host: &str) -> bool {
        let name = without_port(host);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn is_same_origin(origin: &str, host: &str) -> bool {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(|of| of.eq_ignore_ascii_case(host))
}

/// `[::1]:80` is `::1`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
