//! Driver: a request for a service, to an instance on this node or to the front end of one that has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version, request};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use ringway_catalog::nodes_for;
use ringway_ports::invoke::LeaseGuard;
use ringway_ports::{Body, InvokeError, SpanKind, SpanRecord, SpanStatus, empty};

use ringway_protocol::trace_context::TraceContext;
use ringway_rt::clock;
use tracing::{debug, warn};

use crate::balance::{self, Candidate, Order};
use crate::bodies::{Ending, Watched};
use crate::exchange::new_span_id;
use crate::fault::Fault;
use crate::headers;
use crate::service::Routed;
use crate::tunnel;
use crate::upstream::{Failure, Upstream, is_repeatable};
use crate::worker::Worker;

/// How many candidates get a request, as long as it is safe to ask another.
const ATTEMPTS_MAX: usize = 3;

/// A protocol that the client wants to change to, and its side of the connection.
pub type Upgrade = (HeaderValue, OnUpgrade);

pub async fn forward(
    routed: &Routed<'_>,
    service: &str,
    request: Request<Body>,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, Fault> {
    let timeout = routed.timeout();
    let forwarding = Box::pin(Forwarding { routed, service, upgrade }.run(request));
    routed.within(timeout, forwarding).await?
}

struct Forwarding<'a> {
    routed: &'a Routed<'a>,
    service: &'a str,
    upgrade: Option<Upgrade>,
}

/// One try.
struct Attempt {
    upstream: Upstream,
    /// For the log: an instance's or a node's name.
    name: Arc<str>,
    guard: Option<Box<dyn LeaseGuard>>,
    trace: TraceContext,
    started_ns: u64,
}

impl Forwarding<'_> {
    async fn run(mut self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let (parts, mut body) = request.into_parts();
        let mut fault = Fault::BadGateway;
        // One that may be sent twice is not lost with the node it was sent to.
        let may_repeat = is_repeatable(&parts.method, &body);
        let Order { placed, spare } = self.order();
        let placed = placed.into_iter().map(|candidate| (candidate, false));
        let spare = spare.into_iter().map(|candidate| (candidate, true));
        // Nodes that turned out to be gone and whose place no spare has taken.
        let mut vacant = 0usize;
        for (candidate, is_spare) in placed.chain(spare).take(ATTEMPTS_MAX) {
            if is_spare {
                let Some(left) = vacant.checked_sub(1) else { break };
                vacant = left;
            }
            let attempt = match self.attempt(candidate).await {
                Ok(attempt) => attempt,
                Err(refused) => {
                    warn!(request = &*self.routed.exchange.id, service = self.service, error = %refused, "no instance to be had");
                    fault = refused.into();
                    continue;
                }
            };
            let request = self.request(&parts, &attempt, body)?;
            let failure = match self.routed.worker.pool.send(attempt.upstream, request).await {
                Ok((response, sender)) => return Ok(self.answer(attempt, response, sender)),
                Err(failure) => failure,
            };
            // What an app did to its answer comes from another node as a 502: a broken connection is the node's.
            vacant += usize::from(matches!(attempt.upstream, Upstream::Node(_)));
            fault = Fault::BadGateway;
            match failure {
                Failure::Sent(why) => {
                    self.failed(&attempt, &why);
                    if !may_repeat {
                        break;
                    }
                    body = empty();
                }
                Failure::Unsent(back, why) => {
                    self.failed(&attempt, &why);
                    body = back.into_body();
                }
            }
        }
        Err(fault)
    }

    /// A request that another node forwarded stays here: it knows why.
    fn order(&self) -> Order {
        if self.routed.exchange.peer.is_some() {
            return Order { placed: vec![Candidate::Here], spare: Vec::new() };
        }
        let shared = &self.routed.worker.shared;
        let catalog = &shared.routes.load().catalog;
        let replicas = self
            .routed
            .entry
            .work
            .release
            .manifest
            .services
            .get(self.service)
            .map_or(1, |service| service.replicas.min.max(1));
        let own = shared.peers.own_id();
        let is_reachable = |node| node == own || shared.membership.is_reachable(node);
        let ranked = nodes_for(catalog, is_reachable, &self.routed.entry.work.app, self.service, usize::MAX);
        let turn = self.routed.worker.turn.fetch_add(1, Ordering::Relaxed);
        balance::order(own, &ranked, replicas as usize, turn, |node| shared.failures.lately(node))
    }

    async fn attempt(&self, candidate: Candidate) -> Result<Attempt, InvokeError> {
        let trace = self.routed.exchange.trace.child(new_span_id());
        let started_ns = clock::wall_ns();
        Ok(match candidate {
            Candidate::Here => {
                let lease = self.routed.worker.shared.invoke.lease(self.routed.entry.work.clone()).await?;
                Attempt {
                    upstream: Upstream::Instance(lease.address),
                    name: lease.instance,
                    guard: Some(lease.guard),
                    trace,
                    started_ns,
                }
            }
            Candidate::Node(node) => {
                Attempt { upstream: Upstream::Node(node), name: node.short().into(), guard: None, trace, started_ns }
            }
        })
    }

    fn request(&self, parts: &request::Parts, attempt: &Attempt, body: Body) -> Result<Request<Body>, Fault> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = self.target(&parts.uri, attempt)?;
        let headers = request.headers_mut();
        *headers = self.routed.headers(parts.headers.clone(), attempt.trace);
        if matches!(attempt.upstream, Upstream::Node(_)) {
            headers::set(headers, headers::RINGWAY_FORWARDED, &self.routed.worker.shared.peers.own_id().to_string());
        }
        if let Some((protocol, _)) = &self.upgrade {
            set_upgrade(headers, protocol.clone());
        }
        Ok(request)
    }

    /// The other node routes again, so it gets the path whole.
    fn target(&self, uri: &Uri, attempt: &Attempt) -> Result<Uri, Fault> {
        let is_instance = matches!(attempt.upstream, Upstream::Instance(_));
        self.routed.target(uri, is_instance && self.routed.strips())
    }

    fn failed(&self, attempt: &Attempt, why: &str) {
        let shared = &self.routed.worker.shared;
        warn!(request = &*self.routed.exchange.id, upstream = &*attempt.name, why, "an upstream did not answer");
        self.tell(attempt, None);
        // The client broke it off, in the middle of its body.
        if self.routed.upload.fault().is_some() {
            return;
        }
        if let Some(guard) = &attempt.guard {
            guard.failed();
        }
        if let Upstream::Node(node) = attempt.upstream {
            shared.failures.note(node);
            shared.membership.report_failure(node);
        }
    }

    fn answer(
        &mut self,
        attempt: Attempt,
        mut response: Response<Incoming>,
        sender: SendRequest<Body>,
    ) -> Response<Body> {
        self.tell(&attempt, Some(response.status()));
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some((protocol, client)) = self.upgrade.take()
        {
            return self.tunnel(attempt, &mut response, protocol, client);
        }
        let Attempt { upstream, guard, name, .. } = attempt;
        let worker = Arc::clone(self.routed.worker);
        let patience = worker.shared.config.limits.body_idle_timeout;
        let version = response.version();
        response.headers_mut().remove(headers::X_REQUEST_ID);
        let ending = Returning { worker, upstream, name, guard, sender: Some(sender) };
        let mut response = response.map(|body| Body::new(Watched::new(boxed(body), ending, Some(patience))));
        headers::remove_hop_by_hop(response.headers_mut());
        headers::add_via(response.headers_mut(), version);
        *response.version_mut() = Version::HTTP_11;
        response.extensions_mut().clear();
        response
    }

    fn tunnel(
        &self,
        attempt: Attempt,
        response: &mut Response<Incoming>,
        protocol: HeaderValue,
        client: OnUpgrade,
    ) -> Response<Body> {
        let worker = self.routed.worker;
        let upstream = hyper::upgrade::on(&mut *response);
        worker.tracker.spawn(tunnel::run(client, upstream, worker.stop.clone(), attempt.guard));
        let mut answer = Response::new(empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let agreed = response.headers().get(header::UPGRADE).cloned().unwrap_or(protocol);
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        headers::remove_hop_by_hop(answer.headers_mut());
        set_upgrade(answer.headers_mut(), agreed);
        answer
    }

    /// Tells the traces of one try, seen from here.
    fn tell(&self, attempt: &Attempt, status: Option<StatusCode>) {
        let telemetry = &self.routed.worker.shared.telemetry;
        if !telemetry.wants_spans() {
            return;
        }
        let exchange = self.routed.exchange;
        let mut attributes = vec![
            ("http.request.method", exchange.method.to_string()),
            ("ringway.app", self.routed.entry.work.app.to_string()),
            ("ringway.service", self.service.to_owned()),
            ("ringway.tier", "front".to_owned()),
        ];
        attributes.push(match attempt.upstream {
            Upstream::Instance(_) => ("ringway.instance", attempt.name.to_string()),
            Upstream::Node(node) => ("ringway.node", node.to_string()),
        });
        attributes.extend(status.map(|status| ("http.response.status_code", status.as_u16().to_string())));
        telemetry.span(SpanRecord {
            trace_id: attempt.trace.trace_id,
            span_id: attempt.trace.span_id,
            parent_span_id: exchange.trace.span_id,
            name: format!("{} {}", exchange.method, self.service),
            kind: SpanKind::Client,
            start_ns: attempt.started_ns,
            end_ns: clock::wall_ns(),
            status: if status.is_none_or(|status| status.is_server_error()) {
                SpanStatus::Error
            } else {
                SpanStatus::Unset
            },
            attributes,
        });
    }
}

/// Gives a connection back to the pool when its answer was read to the end. The claim on the instance ends with it.
struct Returning {
    worker: Arc<Worker>,
    upstream: Upstream,
    name: Arc<str>,
    guard: Option<Box<dyn LeaseGuard>>,
    sender: Option<SendRequest<Body>>,
}

impl Ending for Returning {
    fn complete(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.worker.pool.keep(self.upstream, sender);
        }
        self.guard = None;
    }

    /// Nothing is said of a node here: its connection ends in the same way when only an app's answer broke off behind it. If it
    /// is gone, the next request finds out.
    fn broken(&mut self) {
        debug!(upstream = &*self.name, "an answer broke off");
        if let Some(guard) = self.guard.take() {
            guard.failed();
        }
    }
}

fn boxed(body: Incoming) -> Body {
    use http_body_util::BodyExt;
    body.map_err(|error| Box::new(error) as ringway_ports::BodyError).boxed_unsync()
}

fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}
