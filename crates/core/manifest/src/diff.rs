//! core: what a new manifest changes, for `ringway plan`: each thing of an app becomes a list of facts, and the facts are
//! compared.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::duration::show_duration;
use crate::function::Function;
use crate::manifest::Manifest;
use crate::route::Route;
use crate::service::Service;

/// Endings of variables whose values are better not shown, wherever they should have been.
const SECRET_ENDINGS: [&str; 5] = ["KEY", "PASSWORD", "PASSWD", "SECRET", "TOKEN"];

/// One thing of the app that will be different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    /// `service web`, `route /api/*`, `env of the app`.
    pub what: String,
    /// `replicas 1 -> 2..10, health /up`. Empty where there is nothing to tell.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// What is true of a thing, by key and in the order to tell it.
type Facts = Vec<(String, String)>;

/// One thing of an app.
struct Item {
    what: String,
    facts: Facts,
    /// What would be true of it if the manifest did not say: not worth telling of something new.
    defaults: Facts,
}

/// What deploying `new` over `old` changes: first what is new or different in the order of `new`, then what goes.
/// Without `old` everything is added.
pub fn diff(old: Option<&Manifest>, new: &Manifest) -> Vec<Change> {
    let (old, new) = (old.map(items).unwrap_or_default(), items(new));
    let old_facts: BTreeMap<&str, &Facts> = old.iter().map(|item| (item.what.as_str(), &item.facts)).collect();
    let mut changes: Vec<Change> = new
        .iter()
        .filter_map(|item| match old_facts.get(item.what.as_str()) {
            None => Some(item.change(ChangeKind::Added, told(item))),
            Some(facts) if **facts == item.facts => None,
            Some(facts) => Some(item.change(ChangeKind::Changed, compared(facts, &item.facts))),
        })
        .collect();
    let is_gone = |item: &&Item| !new.iter().any(|other| other.what == item.what);
    changes.extend(old.iter().filter(is_gone).map(|item| item.change(ChangeKind::Removed, String::new())));
    changes
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        write!(f, "{sign} {}", self.what)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl Item {
    fn new(what: impl Into<String>, facts: Facts) -> Item {
        Item { what: what.into(), facts, defaults: Facts::new() }
    }

    fn change(&self, kind: ChangeKind, detail: String) -> Change {
        Change { kind, what: self.what.clone(), detail }
    }
}

fn told(item: &Item) -> String {
    let worth = item.facts.iter().filter(|fact| !item.defaults.contains(fact));
    let texts: Vec<String> =
        worth.map(|(key, value)| format!("{key} {}", shown(key, value)).trim().to_owned()).collect();
    texts.join(", ")
}

fn compared(old: &Facts, new: &Facts) -> String {
    let value_in =
        |facts: &Facts, key: &str| facts.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone());
    let mut texts = Vec::new();
    for (key, value) in new {
        match value_in(old, key) {
            Some(before) if before == *value => {}
            Some(before) => texts.push(format!("{key} {} -> {}", shown(key, &before), shown(key, value))),
            None => texts.push(format!("+{key} {}", shown(key, value))),
        }
    }
    texts.extend(old.iter().filter(|(key, _)| value_in(new, key).is_none()).map(|(key, _)| format!("-{key}")));
    texts.join(", ")
}

/// A value as a person may see it on a screen that others see too.
fn shown(key: &str, value: &str) -> String {
    let variable = key.strip_prefix("env ").or_else(|| key.strip_prefix("request header ")).map(str::to_uppercase);
    let is_secret = variable
        .is_some_and(|name| SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)) || name == "AUTHORIZATION");
    if is_secret { "(hidden)".to_owned() } else { value.to_owned() }
}

fn items(manifest: &Manifest) -> Vec<Item> {
    let mut items = Vec::new();
    items.push(Item::new("app", vec![fact("name", &manifest.name)]));
    if !manifest.hosts.is_empty() {
        items.push(Item::new("hosts", vec![fact("are", manifest.hosts.join(" "))]));
    }
    items.extend(manifest.build.as_ref().map(|build| Item::new("build", vec![fact("runs", build)])));
    if !manifest.env.is_empty() {
        items.push(Item::new("env of the app", env_facts(&manifest.env).collect()));
    }
    let database = manifest.database.as_ref();
    items.extend(database.map(|database| Item::new("database", vec![fact("engine", database.engine)])));
    items.extend(manifest.services.iter().map(|(name, service)| Item {
        what: format!("service {name}"),
        facts: service_facts(service),
        defaults: service_facts(&Service::new("")),
    }));
    items.extend(manifest.functions.iter().map(|(name, function)| Item {
        what: format!("function {name}"),
        facts: function_facts(function),
        defaults: function_facts(&Function::new(function.run.clone())).split_off(1),
    }));
    items.extend(manifest.buckets.iter().map(|(name, bucket)| Item {
        what: format!("bucket {name}"),
        facts: bucket_facts(bucket),
        defaults: bucket_facts(&Bucket::default()),
    }));
    items.extend(route_items(&manifest.routes));
    items
}

/// Routes go by what they are for; those that share it, by their order.
fn route_items(routes: &[Route]) -> Vec<Item> {
    let mut counts = BTreeMap::new();
    let mut items = Vec::new();
    for route in routes {
        let mut what = format!("route {}", route.asks());
        let count = counts.entry(what.clone()).or_insert(0u32);
        *count += 1;
        if *count > 1 {
            what = format!("{what} ({count})");
        }
        let defaults = route_facts(&Route::new(route.path.clone(), route.to.clone())).split_off(1);
        items.push(Item { what, facts: route_facts(route), defaults });
    }
    items
}

/// What a route says beside which requests it is for and where it leads: `timeout 30s`. Nothing of what is so anyway.
pub(crate) fn rules(route: &Route) -> Vec<String> {
    let usual = route_facts(&Route::new(route.path.clone(), route.to.clone()));
    let facts = route_facts(route);
    let said = facts.iter().filter(|fact| !usual.contains(fact));
    said.map(|(key, value)| format!("{key} {}", shown(key, value)).trim().to_owned()).collect()
}

fn route_facts(route: &Route) -> Facts {
    let mut facts = vec![
        fact("to", &route.to),
        fact("strip", route.strip),
        fact("rewrite", maybe(route.rewrite.as_ref())),
        fact("https", route.https),
        fact("fallthrough", route.fallthrough),
        fact("spa", route.spa),
        fact("immutable", maybe(route.immutable.as_ref())),
        fact("body_max", maybe(route.body_max.as_ref())),
        fact("timeout", maybe(route.timeout.map(show_duration))),
        fact("rate", maybe(route.rate_limit.as_ref())),
        fact("in_flight_max", maybe(route.in_flight_max)),
        fact("cache", if route.cache_off { "off".to_owned() } else { maybe(route.cache.map(show_duration)) }),
        fact("cache_key", maybe(route.cache_key.as_ref())),
        fact("balance", maybe(route.balance.as_ref())),
        fact("retries", maybe(route.retries)),
        fact("hedge", maybe(route.hedge)),
    ];
    facts.extend(route.request_headers.iter().map(|(name, value)| (format!("request header {name}"), value.clone())));
    facts.extend(route.headers.iter().map(|(name, value)| (format!("header {name}"), value.clone())));
    facts
}

fn service_facts(service: &Service) -> Facts {
    let mut facts = vec![
        fact("run", &service.run),
        fact("build", maybe(service.build.as_ref())),
        fact("protocol", service.protocol),
        fact("health", maybe(service.health.as_ref())),
        fact("replicas", service.replicas),
        fact("start_timeout", show_duration(service.start_timeout)),
        fact("stop_timeout", show_duration(service.stop_timeout)),
        fact("idle", show_duration(service.idle)),
        fact("database", service.database),
    ];
    facts.extend(env_facts(&service.env));
    facts
}

fn function_facts(function: &Function) -> Facts {
    let mut facts = vec![
        fact("run", &function.run),
        fact("build", maybe(function.build.as_ref())),
        fact("timeout", show_duration(function.timeout)),
        fact("memory", function.memory),
        fact("concurrency", function.concurrency),
        fact("idle", show_duration(function.idle)),
        fact("instances_max", function.instances_max),
    ];
    facts.extend(env_facts(&function.env));
    facts
}

fn bucket_facts(bucket: &Bucket) -> Facts {
    vec![
        fact("consistency", bucket.consistency),
        fact("replicas", bucket.replicas),
        fact("storage", bucket.storage),
        fact("durability", bucket.durability()),
        fact("together", bucket.together),
        fact("limit", bucket.limit),
        fact("ttl", maybe(bucket.ttl.map(show_duration))),
        fact("ops_per_second", maybe(bucket.ops_per_second)),
        fact("connections", maybe(bucket.connections)),
    ]
}

fn env_facts(env: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    env.iter().map(|(name, value)| (format!("env {name}"), value.clone()))
}

fn fact(key: &str, value: impl fmt::Display) -> (String, String) {
    (key.to_owned(), value.to_string())
}

fn maybe(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
