//! Core: what a request is told: use this, fetch it, wait for somebody who does, or leave the cache out of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use http::header;
use http::{HeaderMap, HeaderName, Method};
use ringway_ports::{CacheRequest, Fetch, Hit, HitKind, Looked, Waited};

use crate::directives;
use crate::entry::Entry;
use crate::fetching::{Fetching, Kind};
use crate::flight::Seat;
use crate::marks::{Marked, Why};
use crate::owner::hash_of;
use crate::part::Part;
use crate::policy::reuse::{Reuse, reuse};
use crate::tier::Inner;

const CONTENT_LENGTH_NONE: &[u8] = b"0";

impl Inner {
    pub(crate) fn look_up(self: &Arc<Self>, request: CacheRequest<'_>) -> Looked {
        let wish = directives::Request::of(request.headers);
        let looked = match self.reason_to_bypass(&request, &wish) {
            Some(reason) => Looked::Bypass(reason),
            None => Look { inner: self, hash: hash_of(&request.key), request, wish }.look(),
        };
        self.count(&looked);
        looked
    }

    pub(crate) fn reason_to_bypass(
        &self,
        request: &CacheRequest<'_>,
        wish: &directives::Request,
    ) -> Option<&'static str> {
        let has = |name: HeaderName| request.headers.contains_key(name);
        let body_len = request.headers.get(header::CONTENT_LENGTH).map(|len| len.as_bytes());
        if self.config.memory_max == 0 {
            return Some("off");
        }
        if ![Method::GET, Method::HEAD].contains(request.method) {
            return Some("method");
        }
        if wish.no_store {
            return Some("request-no-store");
        }
        if has(header::TRANSFER_ENCODING) || body_len.is_some_and(|len| len != CONTENT_LENGTH_NONE) {
            return Some("request-body");
        }
        if has(header::UPGRADE) {
            return Some("upgrade");
        }
        (self.holding.load(Ordering::Relaxed) > 0).then_some("catching-up")
    }

    fn count(&self, looked: &Looked) {
        let meters = &self.meters;
        match looked {
            Looked::Hit(hit) => {
                meters.add(&meters.hits, 1);
                meters.used(&hit.response, 1);
            }
            Looked::Stale(hit, _) => {
                meters.add(&meters.stale_hits, 1);
                meters.used(&hit.response, 1);
            }
            Looked::Miss(_) | Looked::Absent => meters.add(&meters.misses, 1),
            Looked::Bypass(_) => meters.add(&meters.bypassed, 1),
            // Counted when it is known what came of it.
            Looked::Wait(_) => {}
        }
    }
}

/// One look-up.
struct Look<'a> {
    inner: &'a Arc<Inner>,
    hash: u64,
    request: CacheRequest<'a>,
    wish: directives::Request,
}

impl Look<'_> {
    fn look(self) -> Looked {
        let mut part = self.inner.part_of(self.hash);
        let now_ms = self.inner.now_ms();
        let stored = part.store.find(&self.request.key, self.request.headers).cloned();
        let found = stored.as_ref().map(|entry| (entry, reuse(&entry.times, &self.wish, now_ms)));
        match found {
            Some((entry, Reuse::Fresh)) => Looked::Hit(entry.hit(HitKind::Fresh)),
            Some((entry, Reuse::Stale)) => Looked::Stale(entry.hit(HitKind::Stale), None),
            Some((entry, Reuse::WhileRevalidated)) => self.refresh(&mut part, entry),
            Some((_, Reuse::Validate)) | None if self.wish.only_if_cached => Looked::Absent,
            Some((entry, Reuse::Validate)) if *self.request.method == Method::HEAD => {
                Looked::Miss(self.fetch(&mut part, Kind::Head, Some(entry)))
            }
            None if *self.request.method == Method::HEAD => Looked::Bypass("method"),
            // Everybody has to ask: nobody's answer is good for another.
            Some((entry, Reuse::Validate)) if entry.times.always_validate => {
                Looked::Miss(self.fetch(&mut part, Kind::Apart, Some(entry)))
            }
            Some((entry, Reuse::Validate)) => self.join_or_fetch(&mut part, Some(entry)),
            None => self.join_or_fetch(&mut part, None),
        }
    }

    /// Stale, but good for now: one request has it revalidated.
    fn refresh(&self, part: &mut Part, entry: &Arc<Entry>) -> Looked {
        let hit: Hit = entry.hit(HitKind::Stale);
        let is_under_way = part.joinable(&self.request.key, self.request.headers, false).is_some();
        // The fetch is a GET, whatever this request is: it would be a HEAD's answer that is handed in.
        if is_under_way || *self.request.method == Method::HEAD {
            return Looked::Stale(hit, None);
        }
        Looked::Stale(hit, Some(self.fetch(part, Kind::Lead, Some(entry))))
    }

    fn join_or_fetch(&self, part: &mut Part, stale: Option<&Arc<Entry>>) -> Looked {
        match self.inner.marks.look(self.hash, self.inner.uptime_ms()) {
            // The whole would be too much to fetch for who wants a part of it.
            Marked::Pass(Why::TooLarge) => return Looked::Bypass("too-large"),
            Marked::Pass(Why::Uncacheable) => return Looked::Bypass("uncacheable"),
            Marked::Probe if self.request.headers.contains_key(header::RANGE) => return Looked::Bypass("uncacheable"),
            Marked::Probe => return Looked::Miss(self.fetch(part, Kind::Apart, stale)),
            Marked::Not => {}
        }
        // Who wants it newer than it is stored gets nothing whose head has come before.
        let newer_only = self.wish.no_cache || self.wish.max_age.is_some() || self.wish.min_fresh.is_some();
        let seat = part.joinable(&self.request.key, self.request.headers, newer_only).map(|flight| flight.join());
        match seat {
            Some(Some(seat)) => self.wait(seat),
            Some(None) => Looked::Bypass("too-many-wait"),
            None => Looked::Miss(self.fetch(part, Kind::Lead, stale)),
        }
    }

    fn wait(&self, seat: Seat) -> Looked {
        let (inner, headers): (Arc<Inner>, HeaderMap) = (Arc::clone(self.inner), self.request.headers.clone());
        let waiting = async move {
            let waited = seat.wait(&headers).await;
            let meters = &inner.meters;
            match &waited {
                Waited::Again => {}
                Waited::Answer(_) => meters.add(&meters.collapsed, 1),
                Waited::Hit(hit) => {
                    meters.add(&meters.collapsed, 1);
                    meters.used(&hit.response, 1);
                }
            }
            waited
        };
        Looked::Wait(waiting.boxed())
    }

    fn fetch(&self, part: &mut Part, kind: Kind, stale: Option<&Arc<Entry>>) -> Box<dyn Fetch> {
        Box::new(Fetching::begin(self.inner, part, &self.request, (kind, self.hash), self.wish.clone(), stale.cloned()))
    }
}
