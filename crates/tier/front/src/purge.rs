//! Driver: the method `PURGE`, by which caches have been told to forget since Squid: what is stored for an address goes, on all nodes.
//!
//! It is for apps and people on this machine. Who comes through a proxy is not known to be one of them, and anybody could empty the
//! cache otherwise, so whatever says that it was forwarded is refused like any method that is not there.

use std::net::IpAddr;

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use ringway_ports::{Body, HttpCache, Purge, full};

use crate::exchange::Exchange;
use crate::headers::{X_FORWARDED_FOR, X_FORWARDED_HOST};

const FORWARDED: [HeaderName; 4] = [header::FORWARDED, header::VIA, X_FORWARDED_FOR, X_FORWARDED_HOST];

pub fn is_purge(method: &Method) -> bool {
    method.as_str() == "PURGE"
}

/// `connected`: the other end of the connection.
pub fn may_purge(connected: IpAddr, parts: &Parts) -> bool {
    connected.is_loopback() && !FORWARDED.iter().any(|name| parts.headers.contains_key(name))
}

/// Every variant, over both schemes. Told when all nodes that can be reached have done it.
pub async fn purge(cache: &dyn HttpCache, exchange: &Exchange, query: Option<&str>) -> Response<Body> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let host = exchange.host.to_ascii_lowercase();
    let purged = cache.purge(Purge::Url { tls: None, host, target: format!("{}{query}", exchange.path) }).await;
    let text =
        format!("{} purged on {} nodes, {} not reached\n", purged.responses, purged.nodes.len(), purged.missing.len());
    let mut response = Response::new(full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn only_who_is_here_may_purge() {
        let parts = |name: Option<&str>| {
            let request = Request::builder().method("PURGE").uri("/a");
            let request = name.into_iter().fold(request, |request, name| request.header(name, "x"));
            request.body(()).unwrap().into_parts().0
        };
        let here = IpAddr::from([127, 0, 0, 1]);
        assert!(is_purge(&parts(None).method) && may_purge(here, &parts(None)));
        assert!(!may_purge([10, 0, 0, 1].into(), &parts(None)));
        for name in ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host"] {
            assert!(!may_purge(here, &parts(Some(name))), "{name}");
        }
    }
}
