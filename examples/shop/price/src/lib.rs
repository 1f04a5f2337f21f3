//! Driver: the shop's price function, `GET /price?sku=mug&qty=3`, as a component for `wasi:http`.
//!
//! It takes the request apart, asks the price list in `quote.rs` and writes JSON. It needs nothing from the platform: no
//! files, no network, no state, so a fresh instance per request costs microseconds.

mod quote;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Price;

wasip2::http::proxy::export!(Price);

impl Guest for Price {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (status, json) = answer(&request.method(), &target);
        send(out, status, &json);
    }
}

/// Where the function lives is the site's `[[route]]`; only the last part of the path is ours to check.
fn answer(method: &Method, target: &str) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.ends_with("/price") {
        return (404, error("not found, ask for /price?sku=mug&qty=3"));
    }
    if !matches!(method, Method::Get | Method::Head) {
        return (405, error("only GET is allowed"));
    }
    match quote::for_query(query) {
        Ok(quote) => (200, quote.to_json()),
        Err(why) => (400, error(&why)),
    }
}

/// The texts are ours and contain nothing that JSON would have to escape.
fn error(why: &str) -> String {
    format!("{{\"error\":\"{why}\"}}\n")
}

fn send(out: ResponseOutparam, status: u16, json: &str) {
    let headers = Fields::new();
    let length = json.len().to_string();
    // Neither name is forbidden and both values are plain ASCII, so setting them cannot fail.
    let _ = headers.set("content-type", &[b"application/json".to_vec()]);
    let _ = headers.set("content-length", &[length.into_bytes()]);
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    let body = response.body().expect("the body of a new response is there to take");
    ResponseOutparam::set(out, Ok(response));

    let stream = body.write().expect("the stream of a new body is there to take");
    // A client that has gone is no error of ours.
    let _ = stream.blocking_write_and_flush(json.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
