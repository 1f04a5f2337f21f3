//! Driver: the life of a request. Found its route, it is answered from a file, by the app tier, or by an instance.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use ringway_manifest::{Match, Target};
use ringway_ports::Body;
use tracing::error;

use crate::bodies::{RequestBody, Upload, Watched};
use crate::connection_state::ConnectionState;
use crate::exchange::{Exchange, Finish};
use crate::fault::Fault;
use crate::headers;
use crate::intake::REFUSED_MARK;
use crate::path::tidy;
use crate::routes::RouteEntry;
use crate::worker::Worker;
use crate::{dispatch, proxy, respond, static_files};

/// What this server as a whole can do.
const ALLOWED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const GET_AND_HEAD: &str = "GET, HEAD";
const HOST_LEN_MAX: usize = 255;

/// A request on its way along one route.
pub struct Routed<'a> {
    pub worker: &'a Arc<Worker>,
    pub state: &'a ConnectionState,
    pub exchange: &'a Exchange,
    pub entry: &'a Arc<RouteEntry>,
    pub mount: usize,
    pub upload: Arc<Upload>,
}

/// Answers one request, whatever happens. A panic costs this request only.
pub async fn serve(
    worker: Arc<Worker>,
    state: Arc<ConnectionState>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let gated = is_gated(&request);
    let mut finish = Finish::begin(&worker, &state, &request);
    if state.peer.is_none() {
        request.headers_mut().remove(headers::RINGWAY_FORWARDED);
    }
    let answer = AssertUnwindSafe(answer(&worker, &state, &mut finish.exchange, request)).catch_unwind().await;
    let exchange = &finish.exchange;
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(fault)) => respond::answer(&fault, &exchange.asker()),
        Err(_) => {
            error!(request = &*exchange.id, path = exchange.path, "handling a request panicked");
            respond::answer(&Fault::Internal, &exchange.asker())
        }
    };
    headers::set(response.headers_mut(), headers::X_REQUEST_ID, &exchange.id);
    if state.surplus && exchange.version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if gated {
        state.gate.open(response.status() == StatusCode::SWITCHING_PROTOCOLS);
    }
    finish.status = response.status();
    Ok(response.map(|body| Body::new(Watched::new(body, finish, None))))
}

/// Whether `intake` waits for the answer before it reads on.
fn is_gated(request: &Request<Incoming>) -> bool {
    let asks = request.version() == Version::HTTP_11 && request.headers().contains_key(header::UPGRADE);
    asks || request.method() == Method::CONNECT
}

async fn answer(
    worker: &Arc<Worker>,
    state: &ConnectionState,
    exchange: &mut Exchange,
    request: Request<Incoming>,
) -> Result<Response<Body>, Fault> {
    check_admission(state, &request)?;
    exchange.host = host_of(&request)?;
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return Ok(capabilities());
    }
    exchange.path = tidy(request.uri().path())?.into_owned();
    let routes = worker.shared.routes.load_full();
    let app = routes.app_for_host(&exchange.host).ok_or_else(|| no_app(&exchange.host))?;
    exchange.app = Some(Arc::clone(&app.app));
    let host = exchange.host.clone();
    let path = exchange.path.clone();
    let mut refused = Fault::NotFound;
    for (entry, Match { mount }) in app.candidates(&host, &path) {
        exchange.route = Some(Arc::clone(&entry.label));
        let routed = Routed { worker, state, exchange, entry, mount, upload: Arc::new(Upload::new()) };
        let Target::Static { dir } = &entry.route.to else {
            return routed.to_app(request).await.map(|response| routed.with_headers(response));
        };
        match static_answer(&routed, dir, &request).await? {
            Ok(response) => return Ok(routed.with_headers(response)),
            Err(fault) if !entry.route.fallthrough => return Err(fault),
            Err(fault) => refused = fault,
        }
    }
    Err(refused)
}

/// What no route needs to be known for.
fn check_admission(state: &ConnectionState, request: &Request<Incoming>) -> Result<(), Fault> {
    if request.headers().contains_key(REFUSED_MARK)
        && let Some(fault) = state.take_refusal()
    {
        return Err(fault);
    }
    if state.surplus {
        return Err(Fault::Unavailable("this node has as many connections as it can take"));
    }
    if [Method::CONNECT, Method::TRACE].contains(request.method()) {
        return Err(Fault::MethodNotAllowed { allow: ALLOWED });
    }
    Ok(())
}

/// The answer to `OPTIONS *` (RFC 9110, 9.3.7): about the server, not about an app.
fn capabilities() -> Response<Body> {
    let mut response = respond::bare(StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOWED));
    response
}

fn no_app(host: &str) -> Fault {
    Fault::NoApp(if host.is_empty() { "(none was named)" } else { host }.to_owned())
}

/// The host that is asked for, lower case or not, without its port. Empty with HTTP/1.0.
fn host_of(request: &Request<Incoming>) -> Result<String, Fault> {
    const BAD: Fault = Fault::BadRequest("the host is not a name");
    let named = request.headers().get(header::HOST).map(|host| host.to_str().map_err(|_| BAD)).transpose()?;
    let full = request.uri().authority().map(http::uri::Authority::as_str).or(named).unwrap_or_default();
    let host = match full.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => full,
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let is_sound =
        host.len() <= HOST_LEN_MAX && host.bytes().all(fits) && (host.starts_with('[') || !host.contains(':'));
    if is_sound { Ok(host.trim_end_matches('.').to_owned()) } else { Err(BAD) }
}

/// The inner error is one that another route may do better.
async fn static_answer(
    routed: &Routed<'_>,
    dir: &str,
    request: &Request<Incoming>,
) -> Result<Result<Response<Body>, Fault>, Fault> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(Err(Fault::MethodNotAllowed { allow: GET_AND_HEAD }));
    }
    static_files::answer(routed, dir, request).await.map(|found| found.ok_or(Fault::NotFound))
}

impl Routed<'_> {
    async fn to_app(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Fault> {
        let limits = &self.worker.shared.config.limits;
        let body_max = self.entry.route.body_max.map_or(limits.body_max, |bytes| bytes.0);
        if announced_len(&request).is_some_and(|len| len > body_max) {
            return Err(Fault::BodyTooLarge(body_max));
        }
        let upgrade = headers::upgrade_of(request.method(), request.version(), request.headers());
        let upgrade = upgrade.map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
        let (parts, body) = request.into_parts();
        let guarded = RequestBody::new(body, body_max, limits.body_idle_timeout, Arc::clone(&self.upload));
        let request = Request::from_parts(parts, Body::new(guarded));
        let answered = match &self.entry.route.to {
            Target::Service(service) => proxy::forward(self, service, request, upgrade).await,
            _ => dispatch::invoke(self, request).await,
        };
        // A body that was bad is why the app could not answer.
        answered.map_err(|fault| self.upload.fault().unwrap_or(fault))
    }

    /// The route's own headers are on every answer.
    fn with_headers(&self, mut response: Response<Body>) -> Response<Body> {
        for (name, value) in &self.entry.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

fn announced_len(request: &Request<Incoming>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
