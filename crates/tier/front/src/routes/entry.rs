//! Core: a route with what every request needs of it at hand.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringway_manifest::{HeaderMatch, QueryRule, Route, Target};
use ringway_ports::Work;

use crate::bodies::Ending;

/// Of a file that never changes under its name (RFC 8246).
pub const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(Debug)]
pub struct RouteEntry {
    pub route: Route,
    pub work: Work,
    /// The path pattern, for traces and logs.
    pub label: Arc<str>,
    /// Set on every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Taken away from every answer.
    pub headers_removed: Vec<HeaderName>,
    /// Set on every request before the target sees it; None: taken away.
    pub request_headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// What a static route says of its files, immutable ones apart.
    pub cache_control: Option<HeaderValue>,
    /// Requests that differ in these get kept answers of their own.
    pub cache_headers: Vec<HeaderName>,
    /// The same directory of releases before this one, the newest first: where pages that are still open look for files that never
    /// change under their name. Of routes that have such files.
    pub earlier: Vec<Work>,
    methods: Vec<Method>,
    match_headers: Vec<(HeaderName, HeaderMatch)>,
    in_flight: AtomicU32,
}

/// Whether a route is for a request whose path and host match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    Matches,
    Method,
    /// This header is not there or says something else.
    Header(&'a HeaderName, &'a HeaderMatch),
}

/// One of a route's requests that are under way.
#[derive(Debug)]
pub struct InFlight(Arc<RouteEntry>);

impl RouteEntry {
    pub fn new(route: Route, work: Work) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).ok();
        let name = |text: &str| text.parse::<HeaderName>().ok();
        let is_set = |(_, value): &(&String, &String)| !value.is_empty();
        Self {
            label: route.path.to_string().into(),
            headers: route.headers.iter().filter(is_set).filter_map(|(n, v)| Some((name(n)?, value(v)?))).collect(),
            headers_removed: route.headers.iter().filter(|h| !is_set(h)).filter_map(|(n, _)| name(n)).collect(),
            request_headers: route
                .request_headers
                .iter()
                .filter_map(|(n, v)| Some((name(n)?, if v.is_empty() { None } else { Some(value(v)?) })))
                .collect(),
            cache_control: cache_control(&route),
            cache_headers: route.cache_key.iter().flat_map(|rule| &rule.headers).filter_map(|n| name(n)).collect(),
            methods: route.methods.iter().filter_map(|method| method.parse().ok()).collect(),
            match_headers: route.match_headers.iter().filter_map(|(n, v)| Some((name(n)?, v.clone()))).collect(),
            in_flight: AtomicU32::new(0),
            earlier: Vec::new(),
            work,
            route,
        }
    }

    pub(super) fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// On the method or on headers.
    pub(super) fn has_conditions(&self) -> bool {
        !self.methods.is_empty() || !self.match_headers.is_empty()
    }

    /// Headers before the method: a route that is for other requests anyway is nothing to say 405 for.
    pub fn verdict(&self, method: &Method, headers: &HeaderMap) -> Verdict<'_> {
        let fits = |name: &HeaderName, wanted: &HeaderMatch| {
            headers.get_all(name).iter().any(|value| wanted.matches(value.as_bytes()))
        };
        if let Some((name, wanted)) = self.match_headers.iter().find(|(name, wanted)| !fits(name, wanted)) {
            return Verdict::Header(name, wanted);
        }
        if self.takes(method) { Verdict::Matches } else { Verdict::Method }
    }

    fn takes(&self, method: &Method) -> bool {
        let named = |method: &Method| self.methods.contains(method);
        self.methods.is_empty() || named(method) || (*method == Method::HEAD && named(&Method::GET))
    }

    /// Whether an answer that was prepared before may be given without asking this route: it counts nothing, and plain HTTP is
    /// as good to it as TLS.
    pub fn counts_nothing(&self) -> bool {
        self.route.rate_limit.is_none() && !self.route.https
    }

    /// Sets and takes away what the route says, before the target sees a request.
    pub fn prepare(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.request_headers {
            match value {
                Some(value) => drop(headers.insert(name.clone(), value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }

    /// Sets and takes away what the route says of every answer.
    pub fn finish(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        for name in &self.headers_removed {
            headers.remove(name);
        }
    }

    /// Whether the file never changes under its name; `rest` is the path after the mount.
    pub fn is_immutable(&self, rest: &str) -> bool {
        self.route.immutable.as_ref().is_some_and(|immutable| immutable.covers(rest.trim_start_matches('/')))
    }

    /// `Cache-Control` of a file of a static route; `rest` is the path after the mount.
    pub fn cache_control(&self, rest: &str) -> Option<HeaderValue> {
        if self.is_immutable(rest) { Some(IMMUTABLE) } else { self.cache_control.clone() }
    }

    /// The path and query that an answer is kept under.
    pub fn cache_target<'a>(&self, path_and_query: &'a str) -> Cow<'a, str> {
        let rule = self.route.cache_key.as_ref().filter(|rule| rule.query != QueryRule::All);
        let (Some(rule), Some((path, query))) = (rule, path_and_query.split_once('?')) else {
            return Cow::Borrowed(path_and_query);
        };
        let query = rule.query(query);
        Cow::Owned(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
    }

    /// Counts a request until the guard is dropped. None: there are as many as there may be.
    pub fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let max = self.route.in_flight_max.unwrap_or(u32::MAX);
        let more = |now: u32| (now < max).then(|| now + 1);
        self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(InFlight(Arc::clone(self)))
    }
}

impl Ending for InFlight {}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn cache_control(route: &Route) -> Option<HeaderValue> {
    if !matches!(route.to, Target::Static { .. }) {
        return None;
    }
    if route.cache_off {
        return Some(HeaderValue::from_static("no-store"));
    }
    let age = route.cache?;
    HeaderValue::from_str(&format!("public, max-age={}", age.as_secs())).ok()
}
