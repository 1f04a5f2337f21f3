//! Driver: `GET /v1/apps`, `DELETE /v1/apps/{app}`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ringway_catalog::{App, Catalog, Command};
use ringway_manifest::{FunctionRun, Manifest};
use ringway_ring::NodeId;

use crate::api::{AppView, Done, FunctionView, ReleaseView, RouteView, ServiceView};
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn list(control: Arc<Control>, _call: Call) -> Reply {
    json(&views(&control.catalog(), control.own_id()))
}

pub(crate) async fn remove(control: Arc<Control>, call: Call) -> Reply {
    let app = call.param(0)?.to_owned();
    control.deps.control_log.propose(Command::RemoveApp { app }).await?;
    json(&Done { done: true })
}

/// All apps, with the URLs they have on `own`.
pub(crate) fn views(catalog: &Catalog, own: NodeId) -> Vec<AppView> {
    catalog.apps.values().map(|app| view(catalog, own, app)).collect()
}

/// Where an app can be reached through node `own`, the best first.
pub(crate) fn urls(catalog: &Catalog, own: NodeId, name: &str, hosts: &[String]) -> Vec<String> {
    let Some(node) = catalog.nodes.get(&own) else { return Vec::new() };
    let mut urls = Vec::new();
    if let Some(https) = node.addresses.https {
        urls.extend(
            hosts
                .iter()
                .filter(|host| !host.starts_with('*'))
                .map(|host| format!("https://{host}{}/", port(https, 443))),
        );
    }
    let Some(http) = node.addresses.http else { return urls };
    let is_default = catalog.default_app().is_some_and(|app| app.name == name);
    // `localhost` is these two; 127.0.0.2 is loopback as well, and another node.
    let is_local = http.ip() == Ipv4Addr::LOCALHOST || http.ip() == Ipv6Addr::LOCALHOST || http.ip().is_unspecified();
    if is_default {
        let host = if is_local { "localhost".to_owned() } else { without_port(http) };
        urls.push(format!("http://{host}{}/", port(http, 80)));
    }
    if is_local {
        urls.push(format!("http://{name}.localhost{}/", port(http, 80)));
    }
    urls.extend(
        hosts.iter().filter(|host| !host.starts_with('*')).map(|host| format!("http://{host}{}/", port(http, 80))),
    );
    urls
}

fn port(address: SocketAddr, usual: u16) -> String {
    if address.port() == usual { String::new() } else { format!(":{}", address.port()) }
}

fn without_port(address: SocketAddr) -> String {
    if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() }
}

fn view(catalog: &Catalog, own: NodeId, app: &App) -> AppView {
    let nothing = Manifest::new(&app.name);
    let manifest = app.current_release().map_or(&nothing, |release| &release.manifest);
    AppView {
        name: app.name.clone(),
        current: app.current,
        releases: app.releases.iter().map(release_view).collect(),
        hosts: manifest.hosts.clone(),
        urls: urls(catalog, own, &app.name, &manifest.hosts),
        routes: manifest.routes.iter().map(route_view).collect(),
        services: manifest.services.iter().map(|(name, service)| service_view(name, service)).collect(),
        functions: manifest.functions.iter().map(|(name, function)| function_view(name, &function.run)).collect(),
        buckets: catalog
            .buckets
            .values()
            .filter(|bucket| bucket.app.as_ref() == Some(&app.name))
            .map(|b| b.name.clone())
            .collect(),
    }
}

fn release_view(release: &ringway_catalog::Release) -> ReleaseView {
    ReleaseView {
        number: release.number,
        files: release.files.to_string(),
        files_len: release.files_len,
        created_ms: release.created_ms,
    }
}

fn route_view(route: &ringway_manifest::Route) -> RouteView {
    RouteView { host: route.host.clone(), path: route.path.to_string(), to: route.to.to_string() }
}

fn service_view(name: &str, service: &ringway_manifest::Service) -> ServiceView {
    ServiceView { name: name.to_owned(), min: service.replicas.min, max: service.replicas.max }
}

fn function_view(name: &str, run: &FunctionRun) -> FunctionView {
    let kind = match run {
        FunctionRun::Wasm { .. } => "wasm",
        FunctionRun::Lambda { .. } => "lambda",
        FunctionRun::Cgi { .. } => "cgi",
    };
    FunctionView { name: name.to_owned(), kind: kind.to_owned() }
}
