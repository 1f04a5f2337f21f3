//! Core: who answers for a host and a path. An immutable snapshot, made from the catalog whenever that changes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use ringway_catalog::{App, Catalog};
use ringway_manifest::{Match, Route};
use ringway_ports::Work;

/// All apps' routes.
#[derive(Debug, Default)]
pub struct Routes {
    /// What they were made from; placement needs its nodes.
    pub catalog: Arc<Catalog>,
    by_host: HashMap<String, Arc<AppRoutes>>,
    /// `.example.org` for every name below, the longest first.
    by_suffix: Vec<(String, Arc<AppRoutes>)>,
    /// Answers where a client names an address instead of a host.
    default: Option<Arc<AppRoutes>>,
    /// There is no other app: it answers for every host.
    is_alone: bool,
}

/// One app's routes, those that are to be tried first first.
#[derive(Debug)]
pub struct AppRoutes {
    pub app: Arc<str>,
    entries: Vec<Arc<RouteEntry>>,
}

/// A route with what every request needs of it at hand.
#[derive(Debug)]
pub struct RouteEntry {
    pub route: Route,
    pub work: Work,
    /// The path pattern, for traces and logs.
    pub label: Arc<str>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Routes {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let is_alone = catalog.apps.len() == 1;
        let mut routes = Routes { catalog: Arc::clone(&catalog), is_alone, ..Routes::default() };
        let default = catalog.default_app().map(|app| app.name.as_str());
        for app in catalog.apps.values() {
            let Some(entry) = AppRoutes::new(app) else { continue };
            let entry = Arc::new(entry);
            routes.by_host.insert(format!("{}.localhost", app.name), Arc::clone(&entry));
            let hosts = app.current_release().map(|release| release.manifest.hosts.as_slice()).unwrap_or_default();
            for host in hosts {
                match host.strip_prefix('*') {
                    Some(suffix) => routes.by_suffix.push((suffix.to_ascii_lowercase(), Arc::clone(&entry))),
                    None => drop(routes.by_host.insert(host.to_ascii_lowercase(), Arc::clone(&entry))),
                }
            }
            if default == Some(app.name.as_str()) {
                routes.default = Some(entry);
            }
        }
        routes.by_suffix.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        routes
    }

    /// The app for a host (without port): by its exact name, by a name below one of its own; the default one if the host is just
    /// an address of this machine, or if there is no other. A domain that nobody claimed is not answered with somebody else's app.
    pub fn app_for_host(&self, host: &str) -> Option<&Arc<AppRoutes>> {
        let host = lower(host);
        let below = || self.by_suffix.iter().find(|(suffix, _)| is_below(&host, suffix)).map(|(_, app)| app);
        self.by_host
            .get(host.as_ref())
            .or_else(below)
            .or_else(|| self.default.as_ref().filter(|_| self.is_alone || is_address(&host)))
    }
}

/// `localhost`, `192.0.2.1`, `[::1]`.
fn is_address(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

impl AppRoutes {
    fn new(app: &App) -> Option<Self> {
        let release = Arc::new(app.current_release()?.clone());
        let name: Arc<str> = app.name.as_str().into();
        let mut entries: Vec<Arc<RouteEntry>> = release
            .manifest
            .routes
            .iter()
            .map(|route| {
                let work = Work { app: Arc::clone(&name), release: Arc::clone(&release), target: route.to.clone() };
                Arc::new(RouteEntry::new(route.clone(), work))
            })
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.route.path.specificity(), entry.route.host.is_some())));
        Some(Self { app: name, entries })
    }

    /// The routes for a host and a tidy path: the longest first, exact before prefix, for one host before for all.
    pub fn candidates(&self, host: &str, path: &str) -> impl Iterator<Item = (&Arc<RouteEntry>, Match)> {
        let host = lower(host).into_owned();
        self.entries
            .iter()
            .filter(move |entry| entry.answers_host(&host))
            .filter_map(move |entry| Some((entry, entry.route.path.matches(path)?)))
    }
}

impl RouteEntry {
    fn new(route: Route, work: Work) -> Self {
        let header = |(name, value): (&String, &String)| Some((name.parse().ok()?, value.parse().ok()?));
        let headers = route.headers.iter().filter_map(header).collect();
        Self { label: route.path.to_string().into(), headers, work, route }
    }

    fn answers_host(&self, host: &str) -> bool {
        match self.route.host.as_deref() {
            None => true,
            Some(own) => {
                own.strip_prefix('*').map_or_else(|| own.eq_ignore_ascii_case(host), |suffix| is_below(host, suffix))
            }
        }
    }
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.len() > suffix.len() && host.ends_with(suffix)
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests;
