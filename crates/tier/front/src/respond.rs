//! Driver: the one place where a fault becomes an answer.
//!
//! A status, one sentence, the request id to ask about; a page for browsers, text for everybody else. Never internals.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, Version};
use ringway_ports::{Body, empty, full};

use crate::fault::Fault;
use crate::headers;

/// Seconds after which somebody told 503 may try again.
const RETRY_AFTER: &str = "1";

/// What of the request an answer depends on.
#[derive(Clone, Debug)]
pub struct Asker<'a> {
    pub id: &'a str,
    pub version: Version,
    pub wants_html: bool,
}

/// Whether a browser is asking for a page.
pub fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

pub fn answer(fault: &Fault, asker: &Asker<'_>) -> Response<Body> {
    let status = fault.status();
    let (text, kind) = if asker.wants_html {
        (page(fault, asker.id), "text/html; charset=utf-8")
    } else {
        (plain(fault, asker.id), "text/plain; charset=utf-8")
    };
    let mut response = Response::new(full(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match fault {
        Fault::MethodNotAllowed { allow } => headers::set(headers, header::ALLOW, allow),
        Fault::TooMany(after) => {
            headers::set(headers, header::RETRY_AFTER, &format!("{:.0}", after.as_secs_f64().ceil()));
        }
        Fault::Unavailable(_) => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))),
        Fault::Unsatisfiable { len } => headers::set(headers, header::CONTENT_RANGE, &format!("bytes */{len}")),
        _ => {}
    }
    if fault.ends_connection() && asker.version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An answer that is all status and headers.
pub fn bare(status: http::StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

fn plain(fault: &Fault, id: &str) -> String {
    format!("{}\n{fault}\nrequest {id}\n", fault.status())
}

fn page(fault: &Fault, id: &str) -> String {
    let status = fault.status();
    let sentence = escape(&fault.to_string());
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{status}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}}\
         small{{color:#777}}</style><h1>{status}</h1><p>{sentence}</p><p><small>request {id}</small></p></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_carries_nothing_that_a_client_could_have_made_a_tag_of() {
        let page = page(&Fault::NoApp("<script>".to_owned()), "1");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }
}
