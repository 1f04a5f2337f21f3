//! Driver: the life of a request. Found its route, it is answered from a file, by the app tier, or by an instance.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use ringway_manifest::{Match, Target};
use ringway_ports::{Body, empty};
use tracing::error;

use crate::bodies::{RequestBody, Upload, Watched};
use crate::connection_state::ConnectionState;
use crate::exchange::{Exchange, Finish};
use crate::fault::Fault;
use crate::headers;
use crate::hot::Keepable;
use crate::path::tidy;
use crate::routes::{Address, Asked, InFlight, RouteEntry};
use crate::worker::Worker;
use crate::{dispatch, proxy, purge, respond, static_files};

/// What this server as a whole can do.
const ALLOWED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const GET_AND_HEAD: &str = "GET, HEAD";
const HOST_LEN_MAX: usize = 255;

/// A request on its way along one route.
pub struct Routed<'a> {
    pub worker: &'a Arc<Worker>,
    pub state: &'a Arc<ConnectionState>,
    pub exchange: &'a Exchange,
    pub entry: &'a Arc<RouteEntry>,
    pub mount: usize,
    pub upload: Arc<Upload>,
}

/// Answers one request, whatever happens. A panic costs this request only.
pub async fn serve(worker: Arc<Worker>, state: Arc<ConnectionState>, mut request: Request<Body>) -> Response<Body> {
    let mut finish = Finish::begin(&worker, &state, &request);
    if state.peer.is_none() {
        request.headers_mut().remove(headers::RINGWAY_FORWARDED);
        request.headers_mut().remove(headers::RINGWAY_CACHE);
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
    finish.status = response.status();
    response.map(|body| Body::new(Watched::new(body, finish, None)))
}

/// The answer to something that is no request.
pub fn refuse(worker: &Arc<Worker>, state: &Arc<ConnectionState>, fault: Fault) -> Response<Body> {
    let mut finish = Finish::begin(worker, state, &Request::new(empty()));
    let mut response = respond::answer(&fault, &finish.exchange.asker());
    headers::set(response.headers_mut(), headers::X_REQUEST_ID, &finish.exchange.id);
    finish.status = response.status();
    response.map(|body| Body::new(Watched::new(body, finish, None)))
}

async fn answer(
    worker: &Arc<Worker>,
    state: &Arc<ConnectionState>,
    exchange: &mut Exchange,
    request: Request<Body>,
) -> Result<Response<Body>, Fault> {
    let (parts, body) = request.into_parts();
    check_admission(state, &parts.method)?;
    exchange.host = host_of(&parts)?;
    if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
        return Ok(capabilities());
    }
    exchange.path = tidy(parts.uri.path())?.into_owned();
    if purge::is_purge(&parts.method) {
        let may = exchange.peer.is_none() && purge::may_purge(state.client.ip(), &parts);
        let cache = worker.shared.cache.as_ref().filter(|_| may);
        let cache = cache.ok_or(Fault::MethodNotAllowed { allow: ALLOWED.into() })?;
        return Ok(purge::purge(&**cache, exchange, parts.uri.query()).await);
    }
    let routes = worker.shared.routes.load_full();
    let (host, path) = (exchange.host.clone(), exchange.path.clone());
    let asked = Asked::new(&host, &path, &parts.method, &parts.headers);
    let app = routes.app_for(&asked).ok_or_else(|| no_app(&host))?;
    exchange.app = Some(Arc::clone(&app.app));
    let (mut matching, mut refused) = (app.matching(&asked), None);
    while let Some((entry, Match { mount })) = matching.next() {
        let entry = &Arc::clone(entry);
        exchange.route = Some(Arc::clone(&entry.label));
        if exchange.peer.is_none() {
            worker.shared.rates.enter(entry, exchange.client, &parts.headers)?;
        }
        let in_flight = entry.enter().ok_or(Fault::Unavailable("this address has as many requests as it may have"))?;
        let routed = Routed { worker, state, exchange, entry, mount, upload: Arc::new(Upload::new()) };
        if let Some(elsewhere) = routed.elsewhere(parts.uri.query()) {
            return Ok(routed.finished(elsewhere, in_flight));
        }
        let is_plain = matching.is_plain() && entry.counts_nothing();
        let Target::Static { dir } = &entry.route.to else {
            let request = Request::from_parts(parts, body);
            return routed.to_app(request, is_plain).await.map(|response| routed.finished(response, in_flight));
        };
        match static_answer(&routed, dir, &parts).await? {
            Ok(mut response) => {
                if !is_plain {
                    response.extensions_mut().remove::<Keepable>();
                }
                return Ok(routed.finished(response, in_flight));
            }
            Err(fault) if !entry.route.fallthrough => return Err(fault),
            Err(fault) => refused = Some(fault),
        }
    }
    let not_with_this_method = || app.allow(&asked).map(|allow| Fault::MethodNotAllowed { allow: allow.into() });
    Err(refused.or_else(not_with_this_method).unwrap_or(Fault::NotFound))
}

/// What no route needs to be known for.
fn check_admission(state: &ConnectionState, method: &Method) -> Result<(), Fault> {
    if state.surplus {
        return Err(Fault::Unavailable("this node has as many connections as it can take, or as one client may have"));
    }
    if [Method::CONNECT, Method::TRACE].contains(method) {
        return Err(Fault::MethodNotAllowed { allow: ALLOWED.into() });
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
fn host_of(request: &Parts) -> Result<String, Fault> {
    const BAD: Fault = Fault::BadRequest("the host is not a name");
    let named = request.headers.get(header::HOST).map(|host| host.to_str().map_err(|_| BAD)).transpose()?;
    let full = request.uri.authority().map(http::uri::Authority::as_str).or(named).unwrap_or_default();
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
    request: &Parts,
) -> Result<Result<Response<Body>, Fault>, Fault> {
    if ![Method::GET, Method::HEAD].contains(&request.method) {
        return Ok(Err(Fault::MethodNotAllowed { allow: GET_AND_HEAD.into() }));
    }
    if let Some(found) = static_files::answer(routed, dir, request).await? {
        return Ok(Ok(found));
    }
    if routed.entry.answers_with_page(&request.method, &request.headers) {
        return static_files::page(routed, dir, request).await.map(|found| found.ok_or(Fault::NotFound));
    }
    Ok(Err(Fault::NotFound))
}

impl Routed<'_> {
    async fn to_app(&self, request: Request<Body>, is_plain: bool) -> Result<Response<Body>, Fault> {
        match self.cache(&request) {
            Some(cache) => self.answer_with_cache(&Arc::clone(cache), request, is_plain).await,
            None => self.to_target(request).await,
        }
    }

    pub async fn to_target(&self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let limits = &self.worker.shared.config.limits;
        let body_max = self.entry.route.body_max.map_or(limits.body_max, |bytes| bytes.0);
        if announced_len(&request).is_some_and(|len| len > body_max) {
            return Err(Fault::BodyTooLarge(body_max));
        }
        let upgrade = headers::upgrade_of(request.method(), request.version(), request.headers());
        let (parts, body) = request.into_parts();
        let body = if body.is_end_stream() {
            body
        } else {
            Body::new(RequestBody::new(body, body_max, limits.body_idle_timeout, Arc::clone(&self.upload)))
        };
        let request = Request::from_parts(parts, body);
        let answered = match &self.entry.route.to {
            Target::Service(service) => proxy::forward(self, service, request, upgrade).await,
            _ => dispatch::invoke(self, request).await,
        };
        // A body that was bad is why the app could not answer.
        answered.map_err(|fault| self.upload.fault().unwrap_or(fault))
    }

    /// Where the route sends the request instead of answering it.
    fn elsewhere(&self, query: Option<&str>) -> Option<Response<Body>> {
        let Exchange { tls, host, path, .. } = self.exchange;
        let address = Address { tls: *tls, host, path, query, mount: self.mount };
        let https_port = self.worker.shared.config.https.map(|address| address.port());
        let (status, location) = self.entry.elsewhere(&address, https_port)?;
        let mut response = respond::bare(status);
        headers::set(response.headers_mut(), header::LOCATION, &location);
        Some(response)
    }

    /// With what the route says of every answer. Until all of it has gone the request counts as under way.
    fn finished(&self, mut response: Response<Body>, in_flight: InFlight) -> Response<Body> {
        self.entry.finish(response.headers_mut());
        if self.entry.route.in_flight_max.is_none() {
            return response;
        }
        response.map(|body| Body::new(Watched::new(body, in_flight, None)))
    }
}

fn announced_len(request: &Request<Body>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
