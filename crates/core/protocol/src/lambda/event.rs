//! Core: an HTTP request as the event that a Lambda function expects behind an API Gateway, payload format 2.0.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::trace_context::TraceContext;

/// A request on its way to a function.
#[derive(Debug)]
pub struct EventRequest<'a> {
    pub method: &'a str,
    /// As the client sent it, without the query.
    pub path: &'a str,
    /// Without the `?`; empty if there is none.
    pub query: &'a str,
    /// `HTTP/1.1`
    pub protocol: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub client: IpAddr,
    /// What the client called the server.
    pub host: &'a str,
    pub request_id: &'a str,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// The event as JSON.
pub fn http_event(request: &EventRequest<'_>) -> Vec<u8> {
    let (body, is_base64_encoded) = body(request);
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let event = Event {
        version: "2.0",
        route_key: "$default",
        raw_path: request.path,
        raw_query_string: request.query,
        cookies: cookies(request.headers),
        headers: headers(request.headers),
        query_string_parameters: query_parameters(request.query),
        request_context: RequestContext {
            account_id: "anonymous",
            api_id: "ringway",
            domain_name: request.host,
            domain_prefix: request.host.split('.').next().unwrap_or_default(),
            http: Http {
                method: request.method,
                path: request.path,
                protocol: request.protocol,
                source_ip: request.client.to_canonical().to_string(),
                user_agent: request.headers.get(USER_AGENT).map(text).unwrap_or_default(),
            },
            request_id: request.request_id,
            route_key: "$default",
            stage: "$default",
            time: common_log_time(request.now_ms),
            time_epoch: request.now_ms,
        },
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).expect("texts and numbers can always be written as JSON")
}

/// The trace as Lambda's clients know it: X-Ray's header.
pub fn trace_header(trace: &TraceContext) -> String {
    let id = format!("{:032x}", trace.trace_id);
    format!("Root=1-{}-{};Parent={:016x};Sampled={}", &id[..8], &id[8..], trace.span_id, u8::from(trace.sampled))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'a str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: String,
    user_agent: String,
}

/// Text as it is, everything else in base64; nothing if it is empty.
fn body(request: &EventRequest<'_>) -> (Option<String>, bool) {
    if request.body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(request.body) {
        Ok(text) if is_text(request.headers) => (Some(text.to_owned()), false),
        _ => (Some(STANDARD.encode(request.body)), true),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (family, name) = kind.split_once('/').unwrap_or((&kind, ""));
    let known = ["json", "javascript", "xml", "x-www-form-urlencoded"].contains(&name);
    family == "text" || (family == "application" && known) || name.ends_with("+json") || name.ends_with("+xml")
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect()
}

fn headers(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let joined = |name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        values.join(",")
    };
    headers.keys().filter(|name| **name != COOKIE).map(|name| (name.as_str(), joined(name))).collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        parameters.entry(name).and_modify(|old| *old = format!("{old},{value}")).or_insert(value);
    }
    parameters
}

/// `12/Mar/2020:19:03:58 +0000`
fn common_log_time(ms: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day_number, second) = (ms / 86_400_000, ms / 1000 % 86_400);
    // Days since 0000-03-01, with leap days at the end of the year (Hinnant, "chrono-compatible low-level date algorithms").
    let z = day_number + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}/{}/{year}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month as usize])
}

#[cfg(test)]
mod tests;
