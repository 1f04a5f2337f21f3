//! Core: who answers for a request. An immutable snapshot, made from the catalog whenever that changes.
//!
//! A host leads to an app (`host_index`), a path to its routes (`path_index`), conditions on method and headers choose among
//! those (`matching`). What it costs does not depend on how many apps and routes there are.

mod choice;
mod entry;
mod host_index;
mod matching;
mod navigation;
mod path_index;
mod redirect;

use std::collections::HashMap;
use std::sync::Arc;

use ringway_catalog::{App, Catalog, Release};
use ringway_manifest::{Match, Target};
use ringway_ports::Work;

pub use self::choice::{AppReason, Choice, Considered, Passed};
pub use self::entry::{InFlight, RouteEntry};
use self::host_index::{HostIndex, lower};
pub use self::matching::Asked;
use self::path_index::PathIndex;
pub use self::redirect::Address;

/// All apps' routes.
#[derive(Debug, Default)]
pub struct Routes {
    /// What they were made from; placement needs its nodes.
    pub catalog: Arc<Catalog>,
    apps: HashMap<String, Arc<AppRoutes>>,
    hosts: HostIndex<Arc<AppRoutes>>,
    /// Answers where a client names an address instead of a host.
    default: Option<Arc<AppRoutes>>,
    /// There is no other app: it answers for every host.
    is_alone: bool,
}

/// One app's routes, those that are to be tried first first.
#[derive(Debug)]
pub struct AppRoutes {
    pub app: Arc<str>,
    release: Arc<Release>,
    entries: Vec<Arc<RouteEntry>>,
    index: PathIndex,
}

impl Routes {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Routes::default().renewed(catalog)
    }

    /// The routes of another catalog. Those of apps that have not changed stay the same, with what they have counted.
    pub fn renewed(&self, catalog: Arc<Catalog>) -> Self {
        let is_alone = catalog.apps.len() == 1;
        let mut routes = Routes { catalog: Arc::clone(&catalog), is_alone, ..Routes::default() };
        let default = catalog.default_app().map(|app| app.name.as_str());
        for app in catalog.apps.values() {
            let Some(release) = app.current_release() else { continue };
            let kept = self.apps.get(&app.name).filter(|kept| *kept.release == *release);
            let entry = kept.map_or_else(|| Arc::new(AppRoutes::new(app, release)), Arc::clone);
            let own = format!("{}.localhost", app.name);
            routes.apps.insert(app.name.clone(), Arc::clone(&entry));
            routes.hosts.slot(&own).insert_entry(Arc::clone(&entry));
            if default == Some(app.name.as_str()) {
                routes.default = Some(entry);
            }
        }
        routes.with_hosts()
    }

    /// The hosts that apps ask for. Nobody gets another app's own name, and whoever has one keeps it.
    fn with_hosts(mut self) -> Self {
        for app in self.catalog.apps.keys().filter_map(|name| self.apps.get(name)) {
            for host in &app.release.manifest.hosts {
                self.hosts.slot(host).or_insert_with(|| Arc::clone(app));
            }
        }
        self
    }

    /// The app for a host (without port): by its exact name, by a name below one of its own; the default one if the host is just
    /// an address of this machine, or if there is no other. A domain that nobody claimed is not answered with somebody else's app.
    pub fn app_for_host(&self, host: &str) -> Option<&Arc<AppRoutes>> {
        let host = lower(host);
        let default = || self.default.as_ref().filter(|_| self.is_alone || is_address(&host));
        self.hosts.matching(&host).next().or_else(default)
    }

    /// Whether some app is asked for by this name.
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.matching(&lower(host)).next().is_some()
    }
}

/// What the same target was in the releases before.
fn earlier(app: &App, current: &Release, name: &Arc<str>, target: &Target) -> Vec<Work> {
    let mut releases: Vec<&Release> = app.releases.iter().filter(|one| one.number < current.number).collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.number));
    let work =
        |release: &Release| Work { app: Arc::clone(name), release: Arc::new(release.clone()), target: target.clone() };
    releases.into_iter().map(work).collect()
}

/// `localhost`, `192.0.2.1`, `[::1]`.
fn is_address(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

impl AppRoutes {
    fn new(app: &App, release: &Release) -> Self {
        let release = Arc::new(release.clone());
        let name: Arc<str> = app.name.as_str().into();
        let work = |target| Work { app: Arc::clone(&name), release: Arc::clone(&release), target };
        let mut entries: Vec<Arc<RouteEntry>> = release
            .manifest
            .routes
            .iter()
            .map(|route| {
                let mut entry = RouteEntry::new(route.clone(), work(route.to.clone()));
                if route.immutable.is_some() {
                    entry.earlier = earlier(app, &release, &name, &route.to);
                }
                Arc::new(entry)
            })
            .collect();
        // Stable: of equal ones, that which stands first in the manifest.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.route.precedence()));
        let mut index = PathIndex::default();
        for (number, entry) in (0..).zip(&entries) {
            index.add(&entry.route.path.path, entry.route.path.prefix, entry.route.host.as_deref(), number);
        }
        Self { app: name, release, entries, index }
    }
}

impl RouteEntry {
    /// Where a path that the index found it for is mounted.
    fn mount(&self, path: &str) -> Match {
        self.route.path.matches(path).unwrap_or(Match { mount: 0 })
    }
}

#[cfg(test)]
mod tests;
