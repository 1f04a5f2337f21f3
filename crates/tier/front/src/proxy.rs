//! Driver: a request for a service, to an instance on this node or to the front end of one that has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::Either;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringway_catalog::nodes_for;
use ringway_manifest::Protocol;
use ringway_ports::invoke::LeaseGuard;
use ringway_ports::{Body, BodyError, InvokeError, SpanKind, SpanRecord, SpanStatus, empty};

use ringway_protocol::trace_context::TraceContext;
use ringway_ring::NodeId;
use ringway_rt::clock;
use tracing::{debug, warn};

use crate::balance::{self, Candidate, Order};
use crate::bodies::{Ending, Watched};
use crate::exchange::new_span_id;
use crate::fault::Fault;
use crate::headers;
use crate::http1::{Tunnel, TunnelSlot};
use crate::routes::RouteEntry;
use crate::service::Routed;
use crate::upstream::{AnswerBody, AnswerEnd, Answered, Failure, Upstream, Wire, is_repeatable};
use crate::worker::{Shared, Worker};

/// How many candidates get a request, as long as it is safe to ask another.
const ATTEMPTS_MAX: usize = 3;

pub async fn forward(
    routed: &Routed<'_>,
    service: &str,
    request: Request<Body>,
    upgrade: Option<HeaderValue>,
) -> Result<Response<Body>, Fault> {
    let timeout = routed.timeout();
    let forwarding = Box::pin(Forwarding { routed, service, upgrade }.run(request));
    routed.within(timeout, forwarding).await?
}

/// To another node's front end, whatever it makes of it.
pub async fn forward_to(routed: &Routed<'_>, node: NodeId, request: Request<Body>) -> Result<Response<Body>, Fault> {
    let mut forwarding = Forwarding { routed, service: "", upgrade: None };
    let (parts, body) = request.into_parts();
    let attempt = forwarding.attempt(Candidate::Node(node)).await.map_err(Fault::from)?;
    let mut request = forwarding.request(&parts, &attempt, body)?;
    if let Some(value) = parts.headers.get(headers::RINGWAY_CACHE) {
        request.headers_mut().insert(headers::RINGWAY_CACHE, value.clone());
    }
    match routed.worker.pool.send(attempt.upstream, request, None).await {
        Ok(answered) => Ok(forwarding.answer(attempt, answered)),
        Err(Failure::Sent(why) | Failure::Unsent(_, why)) => {
            forwarding.failed(&attempt, &why);
            Err(Fault::BadGateway)
        }
    }
}

/// Whom to try for a request that came to this node.
pub fn order(shared: &Shared, entry: &RouteEntry, service: &str, turn: usize) -> Order {
    let catalog = &shared.routes.load().catalog;
    let services = &entry.work.release.manifest.services;
    let replicas = services.get(service).map_or(1, |service| service.replicas.min.max(1));
    let own = shared.peers.own_id();
    let is_reachable = |node| node == own || shared.membership.is_reachable(node);
    let ranked = nodes_for(catalog, is_reachable, &entry.work.app, service, usize::MAX);
    balance::order(own, &ranked, replicas as usize, turn, |node| shared.failures.lately(node))
}

struct Forwarding<'a> {
    routed: &'a Routed<'a>,
    service: &'a str,
    /// The protocol that the client wants to change to.
    upgrade: Option<HeaderValue>,
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
            let routed = self.routed;
            let hint = move |headers: &HeaderMap| hint(routed, headers);
            let pool = &self.routed.worker.pool;
            let sent = match attempt.upstream {
                Upstream::InstanceH2c(address) => pool.send_h2c(address, request).await.map(Either::Right),
                _ => pool.send(attempt.upstream, request, Some(&hint)).await.map(Either::Left),
            };
            let failure = match sent {
                Ok(Either::Left(answered)) => return Ok(self.answer(attempt, answered)),
                Ok(Either::Right(response)) => return Ok(self.answer_h2c(attempt, response)),
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
        if self.routed.exchange.peer.is_some() && !self.routed.exchange.is_for_cache {
            return Order { placed: vec![Candidate::Here], spare: Vec::new() };
        }
        let turn = self.routed.worker.turn.fetch_add(1, Ordering::Relaxed);
        order(&self.routed.worker.shared, self.routed.entry, self.service, turn)
    }

    async fn attempt(&self, candidate: Candidate) -> Result<Attempt, InvokeError> {
        let trace = self.routed.exchange.trace.child(new_span_id());
        let started_ns = clock::wall_ns();
        Ok(match candidate {
            Candidate::Here => {
                let lease = self.routed.worker.shared.invoke.lease(self.routed.entry.work.clone()).await?;
                Attempt {
                    upstream: match self.protocol() {
                        Protocol::Http1 => Upstream::Instance(lease.address),
                        Protocol::H2c => Upstream::InstanceH2c(lease.address),
                    },
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

    fn protocol(&self) -> Protocol {
        let services = &self.routed.entry.work.release.manifest.services;
        services.get(self.service).map_or(Protocol::Http1, |service| service.protocol)
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
        if let Some(protocol) = &self.upgrade {
            set_upgrade(headers, protocol.clone());
        }
        Ok(request)
    }

    /// The other node routes again, so it gets the path whole.
    fn target(&self, uri: &Uri, attempt: &Attempt) -> Result<Uri, Fault> {
        match attempt.upstream {
            Upstream::Instance(_) | Upstream::InstanceH2c(_) => self.routed.target(uri).map(|(target, _)| target),
            Upstream::Node(_) => self.routed.whole_target(uri),
        }
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

    fn answer(&mut self, attempt: Attempt, answered: Answered) -> Response<Body> {
        let status = answered.head.status;
        self.tell(&attempt, Some(status));
        if status == StatusCode::SWITCHING_PROTOCOLS
            && let Some(protocol) = self.upgrade.take()
        {
            return self.tunnel(attempt, answered, protocol);
        }
        let Attempt { upstream, guard, name, .. } = attempt;
        let Answered { head, wire, decoder, upload } = answered;
        let worker = Arc::clone(self.routed.worker);
        let patience = worker.shared.config.limits.body_idle_timeout;
        let ending = Returning { worker, upstream, name, guard };
        let body = AnswerBody::begin((wire, decoder, upload), head.keeps_alive, patience, ending);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        *headers = head.headers;
        headers.remove(headers::X_REQUEST_ID);
        headers::remove_hop_by_hop(headers);
        headers::add_via(headers, if head.is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 });
        response
    }

    fn answer_h2c(&self, attempt: Attempt, response: Response<Incoming>) -> Response<Body> {
        self.tell(&attempt, Some(response.status()));
        let Attempt { guard, name, .. } = attempt;
        let patience = self.routed.worker.shared.config.limits.body_idle_timeout;
        let ending = Stream { name, guard };
        let boxed = |body: Incoming| body.map_err(BodyError::from).boxed_unsync();
        let mut response = response.map(|body| Body::new(Watched::new(boxed(body), ending, Some(patience))));
        *response.version_mut() = Version::HTTP_11;
        response.extensions_mut().clear();
        let headers = response.headers_mut();
        headers.remove(headers::X_REQUEST_ID);
        headers::remove_hop_by_hop(headers);
        headers::add_via(headers, Version::HTTP_2);
        response
    }

    fn tunnel(&self, attempt: Attempt, answered: Answered, protocol: HeaderValue) -> Response<Body> {
        let Answered { head, wire, .. } = answered;
        let (upstream, said) = wire.into_parts();
        let mut answer = Response::new(empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let agreed = head.headers.get(header::UPGRADE).cloned().unwrap_or(protocol);
        *answer.headers_mut() = head.headers;
        headers::remove_hop_by_hop(answer.headers_mut());
        set_upgrade(answer.headers_mut(), agreed);
        answer.extensions_mut().insert(TunnelSlot::new(Tunnel { upstream, said, held: attempt.guard }));
        answer
    }

    /// Tells the traces of one try, seen from here.
    fn tell(&self, attempt: &Attempt, status: Option<StatusCode>) {
        let telemetry = &self.routed.worker.shared.telemetry;
        if !telemetry.samples(attempt.trace.trace_id) {
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
            Upstream::Instance(_) | Upstream::InstanceH2c(_) => ("ringway.instance", attempt.name.to_string()),
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
}

impl AnswerEnd for Returning {
    fn complete(&mut self, wire: Option<Wire>) {
        if let Some(wire) = wire {
            self.worker.pool.keep(self.upstream, wire);
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

/// The claim on an instance ends with the answer's stream; others go on over the same connection.
struct Stream {
    name: Arc<str>,
    guard: Option<Box<dyn LeaseGuard>>,
}

impl Ending for Stream {
    fn complete(&mut self) {
        self.guard = None;
    }

    fn broken(&mut self) {
        debug!(upstream = &*self.name, "an answer broke off");
        if let Some(guard) = self.guard.take() {
            guard.failed();
        }
    }
}

/// `103 Early Hints` of an app, to clients that may know it.
fn hint(routed: &Routed<'_>, headers: &HeaderMap) {
    if routed.exchange.version == Version::HTTP_11 {
        let mut headers = headers.clone();
        headers::remove_hop_by_hop(&mut headers);
        routed.state.hint(&headers);
    }
}

fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}
