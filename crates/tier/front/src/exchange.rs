//! Driver: one request and its answer as they are told to the metrics, the traces and the log.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{HeaderMap, Method, Request, StatusCode, Version};
use ringway_ports::{SpanKind, SpanRecord, SpanStatus};
use ringway_protocol::trace_context::TraceContext;
use ringway_ring::NodeId;
use ringway_rt::clock;
use tracing::debug;

use crate::bodies::Ending;
use crate::connection_state::ConnectionState;
use crate::headers::{self, Origin};
use crate::http1::{Scratch, with_scratch, write_hex};
use crate::respond::{Asker, wants_html};
use crate::worker::Worker;

/// nginx's, for requests whose client did not wait for the answer.
const CLIENT_GONE: u16 = 499;

/// What is known of a request before it is routed, and as it goes on.
#[derive(Clone)]
pub struct Exchange {
    pub id: Arc<str>,
    /// This request's own span: the parent of all that is done for it.
    pub trace: TraceContext,
    pub client: IpAddr,
    /// Whether what the other end says of its clients is believed.
    pub trusted: bool,
    pub tls: bool,
    /// The node that forwarded it here.
    pub peer: Option<NodeId>,
    /// It asks this node's cache.
    pub is_for_cache: bool,
    pub method: Method,
    pub version: Version,
    pub host: String,
    pub path: String,
    pub app: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
    parent_span_id: u64,
    wants_html: bool,
    started: Instant,
    started_ns: u64,
}

impl Exchange {
    pub fn begin<B>(worker: &Worker, state: &ConnectionState, request: &Request<B>) -> Self {
        let headers = request.headers();
        let parent = headers.get(headers::TRACEPARENT).and_then(|value| TraceContext::parse(value.to_str().ok()?));
        let span_id = new_span_id();
        let begun = || new_trace(worker, request.extensions().get().copied(), span_id);
        let trace = parent.map_or_else(begun, |parent| parent.child(span_id));
        let trusted = state.peer.is_some() || worker.shared.config.trusted_proxies.contains(&state.client.ip());
        Self {
            id: headers::request_id(headers).map_or_else(new_request_id, Arc::from),
            trace,
            client: forwarded_client(headers).filter(|_| trusted).unwrap_or_else(|| state.client.ip()),
            trusted,
            tls: if state.peer.is_some() { came_by_tls(headers) } else { state.tls },
            peer: state.peer,
            is_for_cache: state.peer.is_some() && Self::asks_cache(headers),
            method: request.method().clone(),
            version: request.version(),
            host: String::new(),
            path: String::new(),
            app: None,
            route: None,
            parent_span_id: parent.map_or(0, |parent| parent.span_id),
            wants_html: wants_html(headers),
            started: Instant::now(),
            started_ns: clock::wall_ns(),
        }
    }

    pub fn asker(&self) -> Asker<'_> {
        Asker { id: &self.id, version: self.version, wants_html: self.wants_html }
    }

    /// As the app is to see it. `client` is the other end of the connection.
    pub fn origin(&self, client: IpAddr) -> Origin<'_> {
        Origin { client, tls: self.tls, host: &self.host, trusted: self.trusted }
    }
}

/// Counts and tells of a request when it is over, in whatever way.
pub struct Finish {
    worker: Arc<Worker>,
    state: Arc<ConnectionState>,
    pub exchange: Exchange,
    pub status: StatusCode,
    broken: bool,
}

impl Ending for Finish {
    fn broken(&mut self) {
        self.broken = true;
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.state.answered();
        let Self { worker, exchange, status, broken, .. } = &*self;
        let took = exchange.started.elapsed();
        worker.meters.in_flight.decrement(1.0);
        worker.meters.request(exchange.app.as_ref(), *status, took);
        debug!(
            request = &*exchange.id,
            client = %exchange.client,
            method = %exchange.method,
            host = exchange.host,
            path = exchange.path,
            app = exchange.app.as_deref(),
            status = status.as_u16(),
            broken,
            took_us = took.as_micros() as u64,
            "request"
        );
        if worker.shared.telemetry.samples(exchange.trace.trace_id) {
            worker.shared.telemetry.span(self.span());
        }
    }
}

impl Finish {
    pub fn begin<B>(worker: &Arc<Worker>, state: &Arc<ConnectionState>, request: &Request<B>) -> Self {
        state.asked();
        worker.meters.in_flight.increment(1.0);
        // One that a node forwarded was counted there.
        if state.peer.is_none() {
            worker.shared.requests.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            exchange: Exchange::begin(worker, state, request),
            worker: Arc::clone(worker),
            state: Arc::clone(state),
            status: StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST),
            broken: false,
        }
    }

    fn span(&self) -> SpanRecord {
        let Exchange { trace, method, route, host, path, app, .. } = &self.exchange;
        let failed = self.broken || self.status.is_server_error();
        let mut attributes = vec![
            ("http.request.method", method.to_string()),
            ("http.response.status_code", self.status.as_u16().to_string()),
            ("url.path", path.clone()),
            ("server.address", host.clone()),
            ("client.address", self.exchange.client.to_string()),
            ("ringway.request.id", self.exchange.id.to_string()),
            ("ringway.tier", "front".to_owned()),
        ];
        attributes.extend(route.as_ref().map(|route| ("http.route", route.to_string())));
        attributes.extend(app.as_ref().map(|app| ("ringway.app", app.to_string())));
        SpanRecord {
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: self.exchange.parent_span_id,
            name: route.as_ref().map_or_else(|| method.to_string(), |route| format!("{method} {route}")),
            kind: SpanKind::Server,
            start_ns: self.exchange.started_ns,
            end_ns: clock::wall_ns(),
            status: if failed { SpanStatus::Error } else { SpanStatus::Unset },
            attributes,
        }
    }
}

fn new_request_id() -> Arc<str> {
    let mut text = [0; 16];
    write_hex(with_scratch(Scratch::next_id), &mut text);
    Arc::from(std::str::from_utf8(&text).unwrap_or_default())
}

pub fn new_span_id() -> u64 {
    with_scratch(Scratch::next_id).max(1)
}

/// A trace that begins with this request, under a number that was chosen before if there is one.
fn new_trace(worker: &Worker, chosen: Option<TraceId>, span_id: u64) -> TraceContext {
    let TraceId(trace_id) = chosen.unwrap_or_else(TraceId::new);
    TraceContext { trace_id, span_id, sampled: worker.shared.telemetry.samples(trace_id) }
}

/// Travels with a request of which it was decided by its number that it is to be traced.
#[derive(Clone, Copy, Debug)]
pub struct TraceId(pub u128);

impl TraceId {
    fn new() -> Self {
        with_scratch(Self::next)
    }

    pub fn next(scratch: &mut Scratch) -> Self {
        Self((u128::from(scratch.next_id()) << 64 | u128::from(scratch.next_id())).max(1))
    }
}

/// The nearest client in the chain.
fn forwarded_client(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(headers::X_FORWARDED_FOR)?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

fn came_by_tls(headers: &HeaderMap) -> bool {
    headers.get(headers::X_FORWARDED_PROTO).is_some_and(|proto| proto == "https")
}
