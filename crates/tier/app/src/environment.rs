//! Core: what a process finds in its environment. Nothing else is there: the node's own environment is not handed on.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use ringway_catalog::bucket::bucket_name;
use ringway_catalog::{Catalog, Release};
use ringway_ports::MemcacheDoors;

use crate::config::Config;

/// What is known about a process before it is started.
pub struct Facts<'a> {
    pub config: &'a Config,
    pub catalog: &'a Catalog,
    pub memcache: &'a dyn MemcacheDoors,
    pub app: &'a str,
    pub release: &'a Release,
    /// Of the service or function; wins over the app's.
    pub env: &'a BTreeMap<String, String>,
    pub instance: &'a str,
    /// `OTEL_SERVICE_NAME`
    pub unit: &'a str,
    /// Whether it is given the app's database.
    pub database: bool,
    pub dirs: Dirs<'a>,
}

#[derive(Clone, Copy)]
pub struct Dirs<'a> {
    /// Of the instance, gone with it.
    pub temporary: &'a Path,
    /// Of the app, for good.
    pub files: &'a Path,
    pub database: &'a Path,
}

/// In the order of who wins, the last: the platform's offers, the manifest, the service or function, the platform's facts.
/// Values may be secrets: never log them.
pub fn environment(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    offers(facts, &mut env);
    env.extend(facts.release.manifest.env.clone());
    env.extend(facts.env.clone());
    for (name, value) in [
        ("RINGWAY_APP", facts.app.to_owned()),
        ("RINGWAY_RELEASE", facts.release.number.to_string()),
        ("RINGWAY_INSTANCE", facts.instance.to_owned()),
        ("RINGWAY_NODE", facts.config.node_name.clone()),
        ("RINGWAY_URL", facts.config.front_url.clone()),
        ("RINGWAY_HOST", host(facts.app, facts.release)),
        ("RINGWAY_DATA_DIR", facts.dirs.files.display().to_string()),
        ("HOME", facts.dirs.temporary.display().to_string()),
        ("TMPDIR", facts.dirs.temporary.display().to_string()),
    ] {
        env.insert(name.to_owned(), value);
    }
    env
}

/// The same for a component, which can reach neither files nor sockets.
pub fn component_environment(facts: &Facts<'_>) -> Vec<(String, String)> {
    let unreachable = ["HOME", "TMPDIR", "PATH", "RINGWAY_DATA_DIR", "DATABASE_URL"];
    let is_bucket = |name: &str| name.starts_with("REDIS_URL") || name.starts_with("MEMCACHED_SERVERS");
    let reachable = |name: &str| !unreachable.contains(&name) && !is_bucket(name);
    environment(facts).into_iter().filter(|(name, _)| reachable(name)).collect()
}

fn offers(facts: &Facts<'_>, env: &mut BTreeMap<String, String>) {
    let mut offer = |name: &str, value: String| env.insert(name.to_owned(), value);
    offer("PATH", facts.config.path.clone());
    offer("LANG", "C.UTF-8".to_owned());
    offer("OTEL_SERVICE_NAME", format!("{}/{}", facts.app, facts.unit));
    if let Some(endpoint) = &facts.config.otlp {
        offer("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.clone());
    }
    if facts.database {
        offer("DATABASE_URL", format!("sqlite:///{}", facts.dirs.database.display()));
    }
    for (variable, values) in [("REDIS_URL", redis_urls(facts)), ("MEMCACHED_SERVERS", memcached_servers(facts))] {
        if let Some((_, first)) = values.first() {
            offer(variable, first.clone());
        }
        for (name, value) in values {
            offer(&format!("{variable}_{}", name.to_uppercase().replace('-', "_")), value);
        }
    }
}

/// One for each of the app's buckets.
fn redis_urls(facts: &Facts<'_>) -> Vec<(String, String)> {
    let Some(address) = facts.config.redis_addr.map(reachable) else { return Vec::new() };
    let buckets = facts.release.manifest.buckets.keys().filter_map(|short| {
        let bucket = facts.catalog.buckets.get(&bucket_name(facts.app, short))?;
        Some((short.clone(), format!("redis://{}:{}@{address}", bucket.name, bucket.token.reveal())))
    });
    buckets.collect()
}

/// One for each of the app's buckets. Whoever has the address may use the bucket.
fn memcached_servers(facts: &Facts<'_>) -> Vec<(String, String)> {
    let servers = facts.release.manifest.buckets.keys().filter_map(|short| {
        let address = facts.memcache.address(&bucket_name(facts.app, short))?;
        Some((short.clone(), address.to_string()))
    });
    servers.collect()
}

/// An address to connect to, for one that is listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn host(app: &str, release: &Release) -> String {
    let named = release.manifest.hosts.iter().find(|host| !host.starts_with('*'));
    named.cloned().unwrap_or_else(|| format!("{app}.localhost"))
}

#[cfg(test)]
mod tests;
