//! Core: the routes for one request, the first to be tried first, and on what that rested.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Method};
use ringway_manifest::Match;

use super::entry::{RouteEntry, Verdict};
use super::host_index::lower;
use super::path_index::Walk;
use super::{AppRoutes, Routes};

/// What of a request routes are found by.
#[derive(Debug)]
pub struct Asked<'a> {
    pub(super) host: Cow<'a, str>,
    pub(super) path: &'a str,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
}

/// An iterator over the routes that match. Afterwards it knows what it looked at.
#[derive(Debug)]
pub struct Matching<'a> {
    app: &'a AppRoutes,
    asked: &'a Asked<'a>,
    walk: Walk,
    saw_conditions: bool,
}

impl<'a> Asked<'a> {
    /// The path is tidy; the host without its port, in any case.
    pub fn new(host: &'a str, path: &'a str, method: &'a Method, headers: &'a HeaderMap) -> Self {
        Self { host: lower(host), path, method, headers }
    }
}

impl Routes {
    /// The app that a request is for.
    pub fn app_for(&self, asked: &Asked<'_>) -> Option<&Arc<AppRoutes>> {
        self.app_for_host(&asked.host)
    }
}

impl AppRoutes {
    /// The routes for a request: the longest path first, exact before prefix, for this host before for all, more conditions
    /// before fewer.
    pub fn matching<'a>(&'a self, asked: &'a Asked<'a>) -> Matching<'a> {
        Matching { app: self, asked, walk: self.index.walk(asked.path), saw_conditions: false }
    }

    /// `Allow` for a request that no route is for, if one would be with another method.
    pub fn allow(&self, asked: &Asked<'_>) -> Option<String> {
        let mut allowed: Vec<&str> = Vec::new();
        let mut walk = self.index.walk(asked.path);
        while let Some(number) = self.index.next(&mut walk, &asked.host) {
            let entry = &self.entries[number as usize];
            if entry.verdict(asked.method, asked.headers) == Verdict::Method {
                allowed.extend(entry.methods().iter().map(Method::as_str));
            }
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        allowed.dedup();
        (!allowed.is_empty()).then(|| allowed.join(", "))
    }
}

impl Matching<'_> {
    /// Whether what was found so far would have been found for any request with this host and path: then an answer may be kept
    /// by these alone.
    pub fn is_plain(&self) -> bool {
        !self.saw_conditions
    }
}

impl<'a> Iterator for Matching<'a> {
    type Item = (&'a Arc<RouteEntry>, Match);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let number = self.app.index.next(&mut self.walk, &self.asked.host)?;
            let entry = &self.app.entries[number as usize];
            self.saw_conditions |= entry.has_conditions();
            if entry.verdict(self.asked.method, self.asked.headers) == Verdict::Matches {
                return Some((entry, entry.mount(self.asked.path)));
            }
        }
    }
}
