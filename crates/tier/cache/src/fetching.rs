//! Driver: one leave to fetch, and what becomes of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use ringway_ports::{Answered, Body, CacheKey, CacheRequest, Fetch, Hit, HitKind, StoredResponse};
use ringway_ring::NodeId;
use ringway_rt::clock::wall_ms;
use tokio::time::Instant;

use crate::directives;
use crate::entry::Entry;
use crate::flight::{Flight, Outcome, Streaming};
use crate::marks::{FAILED_FOR_MS, PROBE_EVERY_MS, Why};
use crate::part::Part;
use crate::policy::freshness::{Exchange, date_of};
use crate::policy::storing::{Answer, Plan};
use crate::policy::{validation, vary};
use crate::shared_body::SharedBody;
use crate::tier::Inner;

/// Why something is not stored, in the words of [`Plan`]'s other reasons.
const TOO_LARGE: &str = "too-large";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Others wait for it.
    Lead,
    /// Nobody does.
    Apart,
    /// A HEAD: it may tell that what is stored is outdated.
    Head,
}

pub(crate) struct Fetching {
    inner: Arc<Inner>,
    ticket: Ticket,
    hash: u64,
    kind: Kind,
    request: HeaderMap,
    wish: directives::Request,
    default_lifetime: Option<Duration>,
    stale: Option<Arc<Entry>>,
    conditions: HeaderMap,
    owner: Option<NodeId>,
    began: Instant,
}

/// A fetch's place in its part's books. Whatever happens, it is given back, and those who wait are told.
struct Ticket {
    inner: Arc<Inner>,
    hash: u64,
    key: CacheKey,
    id: u64,
    flight: Option<Arc<Flight>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inner.part_of(self.hash).end(&self.key, self.id);
        self.land(Outcome::Again);
    }
}

impl Ticket {
    /// Those who wait; a second time changes nothing.
    fn land(&self, outcome: Outcome) {
        if let Some(flight) = &self.flight {
            flight.land(outcome);
        }
    }
}

impl Fetching {
    pub(crate) fn begin(
        inner: &Arc<Inner>,
        part: &mut Part,
        request: &CacheRequest<'_>,
        (kind, hash): (Kind, u64),
        wish: directives::Request,
        stale: Option<Arc<Entry>>,
    ) -> Self {
        let id = inner.next_id();
        let flight = if kind == Kind::Lead { part.take_off(&request.key, id) } else { None };
        part.begin_fill(&request.key, id);
        let conditions =
            stale.as_ref().map(|entry| validation::conditions(&entry.response.headers)).unwrap_or_default();
        // The owner fetches for all what all can use. The rest is not worth the way.
        let asks_owner = kind == Kind::Lead && !request.for_peer;
        Self {
            ticket: Ticket { inner: Arc::clone(inner), hash, key: request.key.clone(), id, flight },
            hash,
            kind,
            request: request.headers.clone(),
            wish,
            default_lifetime: request.default_lifetime,
            stale,
            conditions,
            owner: if asks_owner { inner.owner(&request.key) } else { None },
            began: Instant::now(),
            inner: Arc::clone(inner),
        }
    }

    /// When it was asked for and answered, by the wall clock; the time between by one that nobody sets.
    fn exchange(&self) -> Exchange {
        let answered_ms = wall_ms();
        Exchange { asked_ms: answered_ms.saturating_sub(self.began.elapsed().as_millis() as u64), answered_ms }
    }

    fn plan(&self, status: StatusCode, headers: &HeaderMap) -> Result<Plan, &'static str> {
        let answer = Answer {
            method: &Method::GET,
            request: &self.request,
            status,
            headers,
            exchange: self.exchange(),
            default_lifetime: self.default_lifetime,
        };
        answer.plan(self.inner.now_ms())
    }

    /// What is stored, if it may stand in for an answer with this status (RFC 5861, 4).
    fn stand_in(&self, status: StatusCode) -> Option<Arc<Entry>> {
        let is_failure = matches!(status.as_u16(), 500 | 502 | 503 | 504);
        let stale = self.stale.as_ref().filter(|_| is_failure)?;
        stale.times.stands_in(self.inner.now_ms(), self.wish.stale_if_error).then(|| Arc::clone(stale))
    }

    fn use_instead(&self, entry: &Arc<Entry>, kind: HitKind) -> Hit {
        self.inner.meters.used(&entry.response, 1);
        if kind == HitKind::StaleIfError {
            self.inner.meters.add(&self.inner.meters.stale_hits, 1);
            // For a moment those who come do not wait for the next failure one after another.
            let leave_to_others = entry.times.stands_in(self.inner.now_ms(), None);
            self.ticket.land(if leave_to_others { Outcome::Hit(Arc::clone(entry), kind) } else { Outcome::Again });
        }
        entry.hit(kind)
    }

    /// A 304: what is stored with what the 304 says of it (RFC 9111, 4.3.4).
    fn revalidated(self, stale: &Arc<Entry>, not_modified: &HeaderMap) -> Hit {
        let meters = &self.inner.meters;
        meters.add(&meters.revalidations, 1);
        if !validation::is_about(&stale.response.headers, not_modified) {
            // The app means something else, which we have not. This one asked with what is stored, and is told it is good.
            self.inner.part_of(self.hash).store.remove(stale);
            return self.use_instead(stale, HitKind::Revalidated);
        }
        let Some(fresh) = self.freshened(stale, not_modified) else {
            self.inner.part_of(self.hash).store.remove(stale);
            return self.use_instead(stale, HitKind::Revalidated);
        };
        self.store(&fresh);
        self.use_instead(&fresh, HitKind::Revalidated);
        if fresh.times.always_validate {
            self.ticket.land(Outcome::Again);
        } else {
            self.ticket.land(Outcome::Hit(Arc::clone(&fresh), HitKind::Collapsed));
        }
        fresh.hit(HitKind::Revalidated)
    }

    /// `None` if it must not be stored any more.
    fn freshened(&self, stale: &Arc<Entry>, told: &HeaderMap) -> Option<Arc<Entry>> {
        let old = &stale.response;
        let mut headers = validation::freshened(&old.headers, told);
        if !told.contains_key(header::DATE) {
            // What is good now is as good as made now.
            headers.remove(header::DATE);
        }
        let plan = self.plan(old.status, &headers).ok()?;
        let response = StoredResponse {
            headers: plan.headers.clone(),
            uses: AtomicU32::new(old.uses.load(Ordering::Relaxed)),
            hits: AtomicU64::new(old.hits.load(Ordering::Relaxed)),
            ..stored(old.status, &plan, old.body.clone(), old.took, &self.request)
        };
        Some(entry(self.ticket.id, self.ticket.key.clone(), response, plan, &self.request))
    }

    fn store(&self, entry: &Arc<Entry>) {
        let evicted = self.inner.part_of(self.hash).fill(self.ticket.id, Arc::clone(entry), &self.request);
        self.inner.meters.add(&self.inner.meters.evicted, evicted);
        self.inner.marks.clear(self.hash);
    }

    /// The answer to a HEAD may freshen what is stored, or show that it is outdated (RFC 9111, 4.3.5).
    fn head_answered(self, stale: &Arc<Entry>, response: Response<Body>) -> Answered {
        if response.status() == stale.response.status {
            let fresh = match validation::agrees(&stale.response.headers, response.headers()) {
                true => self.freshened(stale, response.headers()),
                false => None,
            };
            match fresh {
                Some(fresh) => self.store(&fresh),
                None => self.inner.part_of(self.hash).store.remove(stale),
            }
        }
        Answered::Response(response, false)
    }

    /// It is the client's alone.
    fn not_stored(self, why: &'static str, response: Response<Body>) -> Answered {
        let status = response.status();
        if !status.is_server_error()
            && let Some(stale) = &self.stale
        {
            self.inner.part_of(self.hash).store.remove(stale);
        }
        let for_ms = if status.is_server_error() { FAILED_FOR_MS } else { PROBE_EVERY_MS };
        let reason = if why == TOO_LARGE { Why::TooLarge } else { Why::Uncacheable };
        // Before those who wait look again.
        self.inner.marks.set(self.hash, reason, self.inner.uptime_ms(), for_ms);
        Answered::Response(response, false)
    }

    fn stored_as_it_comes(self, plan: Plan, response: Response<Body>) -> Answered {
        let (head, source) = response.into_parts();
        let now_ms = self.inner.now_ms();
        let is_shared = !plan.times.always_validate
            && (plan.times.is_fresh(now_ms) || plan.times.staleness(now_ms) < plan.times.stale_while_revalidate);
        let selecting = vary::selecting(&plan.vary, &self.request);
        let (headers, age_seconds) = (plan.headers.clone(), plan.times.age_at_store.as_secs());
        if !is_shared {
            self.inner.marks.set(self.hash, Why::Uncacheable, self.inner.uptime_ms(), PROBE_EVERY_MS);
            self.ticket.land(Outcome::Again);
        }
        let (flight, status) = (self.ticket.flight.clone(), head.status);
        let (body_max, room) = (self.inner.config.body_max, Arc::clone(&self.inner.room));
        let on_whole = Box::new(move |pieces: Vec<Bytes>| self.whole(status, plan, pieces));
        let shared = SharedBody::new(source, body_max, room, on_whole);
        // First of all: it is for the client that it was fetched.
        let body = shared.join().expect("nothing has been read of it yet");
        if let Some(flight) = flight {
            flight.land(Outcome::Streaming(Arc::new(Streaming {
                status,
                headers,
                age_seconds,
                selecting,
                body: shared,
            })));
        }
        Answered::Response(Response::from_parts(head, body), true)
    }

    fn whole(self, status: StatusCode, plan: Plan, pieces: Vec<Bytes>) {
        let body = joined(pieces);
        let announced = plan.headers.get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
        if announced.is_some_and(|len: usize| len != body.len()) {
            // Incomplete, whatever its end looked like (RFC 9111, 3.3).
            return;
        }
        let response = stored(status, &plan, body, self.began.elapsed(), &self.request);
        let entry = entry(self.ticket.id, self.ticket.key.clone(), response, plan, &self.request);
        self.store(&entry);
    }
}

impl Fetch for Fetching {
    fn owner(&self) -> Option<NodeId> {
        self.owner
    }

    fn conditions(&self) -> &HeaderMap {
        &self.conditions
    }

    fn answered(self: Box<Self>, response: Response<Body>) -> Answered {
        let status = response.status();
        if let Some(stale) = self.stale.clone().filter(|_| status == StatusCode::NOT_MODIFIED) {
            return Answered::Hit(self.revalidated(&stale, response.headers()));
        }
        if let Some(stale) = self.stand_in(status) {
            return Answered::Hit(self.use_instead(&stale, HitKind::StaleIfError));
        }
        if let Some(stale) = self.stale.clone().filter(|_| self.kind == Kind::Head) {
            return self.head_answered(&stale, response);
        }
        if announced_len(&response).is_some_and(|len| len > self.inner.config.body_max) {
            return self.not_stored(TOO_LARGE, response);
        }
        match self.plan(status, response.headers()) {
            Ok(plan) => self.stored_as_it_comes(plan, response),
            Err(why) => self.not_stored(why, response),
        }
    }

    fn failed(self: Box<Self>, status: StatusCode) -> Option<Hit> {
        if let Some(stale) = self.stand_in(status) {
            return Some(self.use_instead(&stale, HitKind::StaleIfError));
        }
        // Those who wait try for themselves, all at once: one after another they would wait for each other's deadlines.
        self.inner.marks.set(self.hash, Why::Uncacheable, self.inner.uptime_ms(), FAILED_FOR_MS);
        None
    }
}

fn announced_len(response: &Response<Body>) -> Option<u64> {
    let said = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    response.body().size_hint().exact().or_else(said)
}

/// One piece of its own: those that came may be parts of much larger buffers.
fn joined(pieces: Vec<Bytes>) -> Bytes {
    let mut body = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| body.extend_from_slice(piece));
    body.freeze()
}

fn stored(status: StatusCode, plan: &Plan, body: Bytes, took: Duration, request: &HeaderMap) -> StoredResponse {
    let mut headers = plan.headers.clone();
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    } else {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    StoredResponse {
        status,
        headers,
        body,
        stored_ms: plan.times.stored_ms,
        age_at_store: plan.times.age_at_store,
        fresh_until_ms: plan.times.fresh_until_ms,
        varies_by_encoding_at_most: vary::is_encoding_at_most(&vary::selecting(&plan.vary, request)),
        took,
        uses: AtomicU32::new(0),
        hits: AtomicU64::new(0),
        is_gone: AtomicBool::new(false),
    }
}

fn entry(id: u64, key: CacheKey, response: StoredResponse, plan: Plan, request: &HeaderMap) -> Arc<Entry> {
    let made_ms = date_of(&response.headers, header::DATE).unwrap_or_default();
    let selecting = vary::selecting(&plan.vary, request);
    Arc::new(Entry::new(id, key, response, (plan.times, selecting, plan.tags), made_ms))
}
