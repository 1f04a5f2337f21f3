//! Core: why a request gets the route it gets: for people who ask, not for requests. It looks at every route.

use std::sync::Arc;

use super::entry::{RouteEntry, Verdict};
use super::matching::Asked;
use super::{AppRoutes, Routes};

/// Which app and route a request gets, and what else there was.
#[derive(Debug)]
pub struct Choice<'a> {
    pub app: Option<(&'a Arc<AppRoutes>, AppReason)>,
    /// Routes whose path matches, in the order in which they are tried.
    pub considered: Vec<Considered<'a>>,
    /// Routes of the app whose path does not match.
    pub elsewhere: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppReason {
    /// The host is one of its names.
    Named,
    /// The host is below one of its names.
    Below,
    /// There is no other app.
    Alone,
    /// The host is an address, and this is the app that was deployed first.
    Default,
}

#[derive(Debug)]
pub struct Considered<'a> {
    pub entry: &'a Arc<RouteEntry>,
    pub passed: Passed,
}

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is the one.
    Chosen,
    /// Tried if those before it pass the request on.
    Next,
    /// It would do, but nothing gets as far.
    After,
    /// It is for another host.
    Host,
    /// It is for other methods.
    Method,
    /// It wants this of a header, which is not there or says this.
    Header { name: String, wanted: String, found: Option<String> },
}

impl Routes {
    pub fn choose<'a>(&'a self, asked: &Asked<'_>) -> Choice<'a> {
        let app = self.app_for(asked).map(|app| (app, self.reason(asked)));
        let Some((routes, _)) = app else { return Choice { app, considered: Vec::new(), elsewhere: 0 } };
        let mut considered = Vec::new();
        let mut goes_on = true;
        for entry in routes.entries.iter().filter(|entry| entry.route.path.matches(asked.path).is_some()) {
            let is_first = !considered.iter().any(|earlier: &Considered<'_>| earlier.passed == Passed::Chosen);
            let passed = match passed(entry, asked) {
                Some(passed) => passed,
                None if is_first => Passed::Chosen,
                None if goes_on => Passed::Next,
                None => Passed::After,
            };
            if matches!(passed, Passed::Chosen | Passed::Next) {
                goes_on = entry.route.fallthrough;
            }
            considered.push(Considered { entry, passed });
        }
        let elsewhere = routes.entries.len() - considered.len();
        Choice { app, considered, elsewhere }
    }

    fn reason(&self, asked: &Asked<'_>) -> AppReason {
        if self.hosts.is_exact(&asked.host) {
            return AppReason::Named;
        }
        match self.hosts.matching(&asked.host).next() {
            Some(_) => AppReason::Below,
            None if self.is_alone => AppReason::Alone,
            None => AppReason::Default,
        }
    }
}

impl<'a> Choice<'a> {
    /// The route that the request takes first.
    pub fn chosen(&self) -> Option<&'a Arc<RouteEntry>> {
        self.considered.iter().find(|considered| considered.passed == Passed::Chosen).map(|considered| considered.entry)
    }

    /// The one that would be it if that were not there.
    pub fn second(&self) -> Option<&'a Arc<RouteEntry>> {
        let would_do = |considered: &&Considered<'_>| matches!(considered.passed, Passed::Next | Passed::After);
        self.considered.iter().find(would_do).map(|considered| considered.entry)
    }
}

/// Why a route is not for a request; None: it is.
fn passed(entry: &RouteEntry, asked: &Asked<'_>) -> Option<Passed> {
    if !entry.answers_host(&asked.host) {
        return Some(Passed::Host);
    }
    match entry.verdict(asked.method, asked.headers) {
        Verdict::Matches => None,
        Verdict::Method => Some(Passed::Method),
        Verdict::Header(name, wanted) => {
            let found = asked.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            Some(Passed::Header { name: name.to_string(), wanted: wanted.to_string(), found })
        }
    }
}

impl RouteEntry {
    /// Without the index, which comes to the same.
    pub(super) fn answers_host(&self, host: &str) -> bool {
        let is_below = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
        self.route.host.as_deref().is_none_or(|own| own.strip_prefix('*').map_or_else(|| own == host, is_below))
    }
}
