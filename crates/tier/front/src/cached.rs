//! Driver: requests that the cache tier may answer. What it asks to be fetched is fetched in the usual way, or from the node that
//! fetches this address for all.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use ringway_ports::{
    Answered, Body, CacheKey, CacheRequest, Fetch, Hit, HitKind, HttpCache, Looked, Waited, empty, full,
};
use ringway_ring::NodeId;
use tracing::debug;

use crate::bodies::Upload;
use crate::conditional::{Decision, Validators, decide};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::headers::{self, RINGWAY_CACHE};
use crate::hot::Keepable;
use crate::http1::{Scratch, with_scratch};
use crate::multipart::Multipart;
use crate::pieces::{Piece, Pieces};
use crate::proxy;
use crate::respond::bare;
use crate::routes::RouteEntry;
use crate::service::Routed;

/// How often a request looks again after it has waited for another one's fetch in vain.
const LOOKS_MAX: usize = 3;
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Preconditions that are the app's to judge, not a cache's (RFC 9111, 4.3.2).
const FOR_THE_APP: [HeaderName; 2] = [header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
/// What a fetch that is to be stored must not have of the request it is made for.
const CONDITIONS: [HeaderName; 4] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE, header::RANGE];

impl Routed<'_> {
    /// The cache, if it has a say in this request.
    pub fn cache(&self, request: &Request<Body>) -> Option<&Arc<dyn HttpCache>> {
        let is_for_app = FOR_THE_APP.iter().any(|name| request.headers().contains_key(name));
        // Another node has asked its own cache before it sent this here, unless it asks for what this node's cache has.
        let was_looked_up = self.exchange.peer.is_some() && !self.exchange.is_for_cache;
        let is_off = is_cache_off(self.entry);
        self.worker.shared.cache.as_ref().filter(|_| !is_for_app && !was_looked_up && !is_off)
    }

    /// `is_plain`: host and path alone have decided on the route.
    pub async fn answer_with_cache(
        &self,
        cache: &Arc<dyn HttpCache>,
        request: Request<Body>,
        is_plain: bool,
    ) -> Result<Response<Body>, Fault> {
        let (parts, body) = request.into_parts();
        let key = self.cache_key(&parts);
        for _ in 0..LOOKS_MAX {
            let looked = cache.look_up(CacheRequest {
                key: key.clone(),
                method: &parts.method,
                headers: &parts.headers,
                for_peer: self.exchange.is_for_cache,
                default_lifetime: self.entry.route.cache,
            });
            match looked {
                Looked::Hit(hit) => return from_hit(self, cache, hit, &parts, is_plain),
                Looked::Stale(hit, fetch) => {
                    if let Some(fetch) = fetch {
                        self.fetch_behind(cache, fetch, &parts);
                    }
                    return from_hit(self, cache, hit, &parts, is_plain);
                }
                Looked::Miss(fetch) => return self.fetch(cache, fetch, &parts, is_plain).await,
                Looked::Wait(other) => match self.within(self.timeout(), other).await? {
                    Waited::Answer(response) => return Ok(with_status(response, "ringway; fwd=miss; collapsed")),
                    Waited::Hit(hit) => return from_hit(self, cache, hit, &parts, is_plain),
                    Waited::Again => {}
                },
                Looked::Absent => return Err(Fault::NotCached),
                Looked::Bypass(reason) => return self.pass(cache, &key, parts, body, reason).await,
            }
        }
        self.pass(cache, &key, parts, body, "busy").await
    }

    fn cache_key(&self, parts: &Parts) -> CacheKey {
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", self.exchange.path);
        cache_key(self.entry, self.exchange.tls, &self.exchange.host, &target)
    }

    /// Not the cache's business, except that it may be told to forget.
    async fn pass(
        &self,
        cache: &Arc<dyn HttpCache>,
        key: &CacheKey,
        parts: Parts,
        body: Body,
        reason: &str,
    ) -> Result<Response<Body>, Fault> {
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(&parts.method);
        let response = self.to_target(Request::from_parts(parts, body)).await?;
        if !is_safe {
            cache.note_unsafe(key, response.status(), response.headers());
            return Ok(response);
        }
        Ok(with_status(response, &format!("ringway; fwd=bypass; detail={reason}")))
    }

    async fn fetch(
        &self,
        cache: &Arc<dyn HttpCache>,
        fetch: Box<dyn Fetch>,
        parts: &Parts,
        is_plain: bool,
    ) -> Result<Response<Body>, Fault> {
        let answered = match fetch.owner() {
            Some(owner) => match self.ask_owner(owner, fetch_of(parts, fetch.conditions())).await {
                Ok(response) => Ok(response),
                Err(fault) => {
                    debug!(request = &*self.exchange.id, %owner, %fault, "the address's own node did not answer");
                    self.to_target(fetch_of(parts, fetch.conditions())).await
                }
            },
            None => self.to_target(fetch_of(parts, fetch.conditions())).await,
        };
        let response = match answered {
            Ok(response) => response,
            Err(fault) => {
                let instead = fetch.failed(fault.status());
                return instead.map_or(Err(fault), |hit| from_hit(self, cache, hit, parts, is_plain));
            }
        };
        match fetch.answered(response) {
            Answered::Response(response, true) => Ok(with_status(response, "ringway; fwd=miss; stored")),
            Answered::Response(response, false) => Ok(with_status(response, "ringway; fwd=miss")),
            Answered::Hit(hit) => from_hit(self, cache, hit, parts, is_plain),
        }
    }

    async fn ask_owner(&self, owner: NodeId, mut request: Request<Body>) -> Result<Response<Body>, Fault> {
        request.headers_mut().insert(RINGWAY_CACHE, HeaderValue::from_static("owner"));
        let asked = proxy::forward_to(self, owner, request);
        self.within(self.timeout(), asked).await?
    }

    /// The client has its answer.
    fn fetch_behind(&self, cache: &Arc<dyn HttpCache>, fetch: Box<dyn Fetch>, parts: &Parts) {
        let (worker, state, entry) = (Arc::clone(self.worker), Arc::clone(self.state), Arc::clone(self.entry));
        let (exchange, mount, cache) = (self.exchange.clone(), self.mount, Arc::clone(cache));
        let parts = fetch_of(parts, &HeaderMap::new()).into_parts().0;
        self.worker.tracker.spawn(async move {
            let (worker, state, exchange, entry) = (&worker, &state, &exchange, &entry);
            let routed = Routed { worker, state, exchange, entry, mount, upload: Arc::new(Upload::new()) };
            match routed.fetch(&cache, fetch, &parts, false).await {
                // To its end: only then it is stored.
                Ok(response) => drop(response.into_body().collect().await),
                Err(fault) => debug!(request = &*exchange.id, %fault, "what is stored could not be revalidated"),
            }
        });
    }
}

/// RFC 9111, 4.3.2: a client's conditions and its range are judged by what is stored.
fn from_hit(
    routed: &Routed<'_>,
    cache: &Arc<dyn HttpCache>,
    hit: Hit,
    parts: &Parts,
    is_plain: bool,
) -> Result<Response<Body>, Fault> {
    let Hit { response: stored, kind } = hit;
    let now_ms = cache.now_ms();
    let mut headers = stored.headers.clone();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::AGE, stored.age(now_ms).as_secs().into());
    let ttl = stored.fresh_until_ms as i64 - now_ms as i64;
    headers::set(&mut headers, CACHE_STATUS, &format!("ringway; hit; ttl={}{}", ttl / 1000, detail_of(kind)));
    let len = stored.body.len() as u64;
    let decision = match stored.status {
        StatusCode::OK => decide(&parts.method, &parts.headers, &validators(&headers), len),
        _ => Decision::Whole,
    };
    let mut response = match decision {
        Decision::NotModified => bare(StatusCode::NOT_MODIFIED),
        Decision::PreconditionFailed => return Err(Fault::PreconditionFailed),
        Decision::Unsatisfiable => return Err(Fault::Unsatisfiable { len }),
        Decision::Part(range) => {
            let of = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            headers::set(&mut headers, header::CONTENT_RANGE, &of);
            let mut part = Response::new(full(stored.body.slice(range.start as usize..range.end as usize)));
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            part
        }
        Decision::Parts(ranges) => {
            let kind = headers.remove(header::CONTENT_TYPE);
            let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let made = Multipart::new(&kind, &ranges, len, with_scratch(Scratch::next_id));
            headers.insert(header::CONTENT_TYPE, made.kind);
            let part = |range: &Range<u64>| stored.body.slice(range.start as usize..range.end as usize);
            let all = made.heads.into_iter().zip(&ranges).flat_map(|(head, range)| [head, part(range)]);
            let all = all.chain([made.end]).map(Piece::Bytes);
            let mut parts = Response::new(Body::new(Pieces::new(all, made.len)));
            *parts.status_mut() = StatusCode::PARTIAL_CONTENT;
            parts
        }
        Decision::Whole => {
            let mut whole = Response::new(full(stored.body.clone()));
            *whole.status_mut() = stored.status;
            if is_plain && kind == HitKind::Fresh && stored.varies_by_encoding_at_most {
                let (body, app) = (stored.body.clone(), Arc::clone(&routed.entry.work.app));
                whole.extensions_mut().insert(Keepable { body, app, stored: Some(Arc::clone(&stored)) });
            }
            whole
        }
    };
    if parts.method == Method::HEAD {
        headers.insert(header::CONTENT_LENGTH, len.into());
        *response.body_mut() = empty();
    }
    response.headers_mut().extend(headers);
    Ok(response)
}

/// `target`: tidy path and query.
pub fn cache_key(entry: &RouteEntry, tls: bool, host: &str, target: &str) -> CacheKey {
    CacheKey {
        app: Arc::clone(&entry.work.app),
        tls,
        host: host.to_ascii_lowercase().into(),
        target: entry.cache_target(target).into(),
    }
}

/// Whether nothing of the route is kept. What has a key of other headers would have to be kept apart by them.
pub fn is_cache_off(entry: &RouteEntry) -> bool {
    entry.route.cache_off || !entry.cache_headers.is_empty()
}

fn detail_of(kind: HitKind) -> &'static str {
    match kind {
        HitKind::Fresh => "",
        HitKind::Stale => "; detail=stale-while-revalidate",
        HitKind::StaleIfError => "; detail=stale-if-error",
        HitKind::Revalidated => "; detail=revalidated",
        HitKind::Collapsed => "; detail=collapsed",
    }
}

/// The request as it is sent to be stored: without the client's own conditions and range.
fn fetch_of(parts: &Parts, conditions: &HeaderMap) -> Request<Body> {
    let mut request = Request::new(empty());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.version_mut() = parts.version;
    *request.headers_mut() = parts.headers.clone();
    for name in CONDITIONS {
        request.headers_mut().remove(name);
    }
    for (name, value) in conditions {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    request
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let modified = text(header::LAST_MODIFIED).and_then(|text| httpdate::parse_http_date(text).ok());
    // What is not known was not changed before any time.
    let never = || SystemTime::now() + Duration::from_secs(366 * 24 * 3600);
    Validators { etag: text(header::ETAG).unwrap_or_default().to_owned(), modified: modified.unwrap_or_else(never) }
}

/// RFC 9211: behind what caches before this one have said.
fn with_status(mut response: Response<Body>, said: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(said) {
        response.headers_mut().append(CACHE_STATUS, value);
    }
    response
}

impl Exchange {
    /// Whether the other node asks for what this one's cache has, or is to fetch for all.
    pub fn asks_cache(headers: &HeaderMap) -> bool {
        headers.contains_key(RINGWAY_CACHE)
    }
}
