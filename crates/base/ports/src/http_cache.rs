//! Port: from the front end to the cache tier: what is stored for a request, and what becomes of an answer (RFC 9111).
//!
//! The cache never fetches: it says who is to, and is handed what came. So the front end's own way to an instance or to another
//! node is the only one, and a fetch behind a client's back is an ordinary request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Response, StatusCode};
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

use crate::{Body, Decision};

/// What a response is stored under, before `Vary`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheKey {
    pub app: Arc<str>,
    pub tls: bool,
    /// Lower case, without the port.
    pub host: Arc<str>,
    /// Path (tidy, percent-encoded) and query as they came.
    pub target: Arc<str>,
}

/// A request, as far as the cache cares.
#[derive(Debug)]
pub struct CacheRequest<'a> {
    pub key: CacheKey,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// Another node asks this one, as the key's owner.
    pub for_peer: bool,
    /// How long answers without a lifetime of their own are fresh; the route's `cache`.
    pub default_lifetime: Option<Duration>,
}

/// What to do with a request.
pub enum Looked {
    /// Nothing here concerns it: fetch, and store nothing. The reason is for `Cache-Status`.
    Bypass(&'static str),
    /// Answer with this.
    Hit(Hit),
    /// Answer with this (RFC 5861: it is stale, but may be used while it is revalidated). Whoever gets the fetch performs it,
    /// behind the client's back.
    Stale(Hit, Option<Box<dyn Fetch>>),
    /// Fetch it.
    Miss(Box<dyn Fetch>),
    /// Another request is fetching it. Its answer as it streams, or, if that cannot be shared, what to do now.
    Wait(BoxFuture<'static, Waited>),
    /// `only-if-cached`, and it is not: 504.
    Absent,
}

pub enum Waited {
    /// The same answer as the other request gets.
    Answer(Response<Body>),
    /// Answer with this.
    Hit(Hit),
    /// Look again.
    Again,
}

/// Leave to fetch one response, once. Dropped: the fetch failed or was given up; those who wait look again.
pub trait Fetch: Send {
    /// The node to ask, if it is not this one that fetches from the app.
    fn owner(&self) -> Option<NodeId>;

    /// To be put into the request in place of its own conditions: those that revalidate what is stored, or none. `Range` is never
    /// passed on.
    fn conditions(&self) -> &HeaderMap;

    /// The answer has begun: what the client is to get. Its body must be read to the end to be stored. After a 304 that
    /// revalidated what is stored: that.
    fn answered(self: Box<Self>, response: Response<Body>) -> Answered;

    /// There is no answer (it would be `status`): what may be answered in its stead (`stale-if-error`).
    fn failed(self: Box<Self>, status: StatusCode) -> Option<Hit>;
}

pub enum Answered {
    /// Pass on. The second says for `Cache-Status` whether it is being stored.
    Response(Response<Body>, bool),
    /// What is stored has been revalidated, or is used in the place of an error.
    Hit(Hit),
}

/// A stored response to answer with. Ranges and the client's own conditions are the front end's.
#[derive(Clone, Debug)]
pub struct Hit {
    pub response: Arc<StoredResponse>,
    /// For `Cache-Status`.
    pub kind: HitKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitKind {
    Fresh,
    /// Used while it is revalidated.
    Stale,
    /// Used as there was an error (RFC 5861, 4).
    StaleIfError,
    /// Found to be still good just now.
    Revalidated,
    /// Fetched by a request that came before.
    Collapsed,
}

/// A response in memory. Never changed: a revalidation makes another one with the same body.
#[derive(Debug)]
pub struct StoredResponse {
    pub status: StatusCode,
    /// Without `Age`, `Connection` and the like, with `Content-Length`.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// When it was `age_at_store` old, in milliseconds of [`HttpCache::now_ms`]'s scale.
    pub stored_ms: u64,
    pub age_at_store: Duration,
    /// On the same scale.
    pub fresh_until_ms: u64,
    /// Whether the request's `Accept-Encoding` alone, or nothing, decides between variants: such a response may be kept by who
    /// looks only at that.
    pub varies_by_encoding_at_most: bool,
    /// How long the answer took to come, at the time it was fetched: what each hit saves.
    pub took: Duration,
    /// How often it was used lately, which decides how long it stays; [`HttpCache::note_hits`] adds the uses that the cache does not
    /// see.
    pub uses: AtomicU32,
    /// How often it was used at all.
    pub hits: AtomicU64,
    /// Purged, replaced or evicted: whoever has kept it must look again.
    pub is_gone: AtomicBool,
}

impl StoredResponse {
    /// Whether it may be used without asking the cache.
    pub fn is_usable(&self, now_ms: u64) -> bool {
        now_ms < self.fresh_until_ms && !self.is_gone.load(Ordering::Relaxed)
    }

    /// RFC 9111, 4.2.3
    pub fn age(&self, now_ms: u64) -> Duration {
        self.age_at_store + Duration::from_millis(now_ms.saturating_sub(self.stored_ms))
    }
}

/// What is to be forgotten, on all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purge {
    /// Every variant of one address; of both schemes if `tls` is `None`.
    Url {
        tls: Option<bool>,
        host: String,
        target: String,
    },
    /// All addresses of a host that begin so.
    Prefix {
        host: String,
        target: String,
    },
    /// All that an app's answers named so in `Cache-Tag` (or `Surrogate-Key`).
    Tag {
        app: String,
        tag: String,
    },
    App(String),
    All,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// Responses that were forgotten, on all nodes that have answered.
    pub responses: u64,
    pub nodes: Vec<NodeId>,
    /// Could not be reached: they forget when they are back.
    pub missing: Vec<NodeId>,
}

/// Of this node, since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheStats {
    pub responses: u64,
    pub bytes: u64,
    pub bytes_limit: u64,
    pub hits: u64,
    pub stale_hits: u64,
    pub misses: u64,
    pub bypassed: u64,
    /// Misses that waited for another request's fetch.
    pub collapsed: u64,
    pub revalidations: u64,
    pub evicted: u64,
    pub purged: u64,
    /// Bytes of bodies that were answered without asking an app.
    pub saved_bytes: u64,
    /// Time that apps took for what was later answered from here, once for each hit.
    pub saved: Duration,
}

/// A stored response, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheEntry {
    pub url: String,
    pub app: String,
    pub status: u16,
    pub bytes: u64,
    pub age: Duration,
    /// Negative: stale for so long, in seconds.
    pub fresh_for_seconds: i64,
    pub uses: u64,
    pub tags: Vec<String>,
    /// The request headers that tell its variants apart, with the values of this one.
    pub vary: Vec<(String, String)>,
    /// The node that fetches it for all.
    pub owner: Option<NodeId>,
}

pub trait HttpCache: Send + Sync {
    fn look_up(&self, request: CacheRequest<'_>) -> Looked;

    /// What [`HttpCache::look_up`] would say now, and why. Changes nothing.
    fn explain(&self, request: CacheRequest<'_>) -> Decision;

    /// Now, on the scale of [`StoredResponse`]'s times: like the wall clock's, but never going back.
    fn now_ms(&self) -> u64;

    /// Somebody has answered from a kept [`StoredResponse`] that often.
    fn note_hits(&self, response: &StoredResponse, count: u32);

    /// The app has answered so to a request with a method that may change things (any but GET, HEAD, OPTIONS and TRACE): what is
    /// stored for its address, and for those that the answer names, is forgotten (RFC 9111, 4.4). To be called before the client
    /// gets the answer. Here at once, on other nodes as soon as they hear of it.
    fn note_unsafe(&self, key: &CacheKey, status: StatusCode, headers: &HeaderMap);

    /// Forgets here and everywhere.
    fn purge(&self, purge: Purge) -> BoxFuture<'static, Purged>;

    fn stats(&self) -> CacheStats;

    /// The most used first, those whose address contains `pattern`.
    fn list(&self, pattern: &str, count_max: usize) -> Vec<CacheEntry>;
}
