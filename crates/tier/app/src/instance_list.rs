//! Driver: what runs on this node, as people see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ringway_catalog::Catalog;
use ringway_ports::{InstanceState, InstanceView};

use crate::pool::Phase;
use crate::service_instance::ServiceInstance;
use crate::units::{FunctionKey, Pool, Units};

/// Running instances, and one cold entry for each function of which none runs.
pub fn list(units: &Units, catalog: &Catalog) -> Vec<InstanceView> {
    let mut views = Vec::new();
    for (app, name, group) in units.services() {
        let of = |(release, instance): (u64, Arc<ServiceInstance>)| service(&app, &name, release, &instance);
        views.extend(group.instances().into_iter().map(of));
    }
    let functions = units.functions();
    for (key, pool) in &functions {
        function(key, pool, &mut views);
    }
    views.extend(cold(catalog, &functions));
    views.sort_by(|a, b| (&a.app, &a.unit, a.release, &a.id).cmp(&(&b.app, &b.unit, b.release, &b.id)));
    views
}

/// How many instances of a function there are.
pub fn count(pool: &Pool) -> usize {
    match pool {
        Pool::Lambda(pool) => pool.instances().len(),
        Pool::Wasm(pool) => pool.instances().len(),
        Pool::Cgi { gate, .. } => gate.running(),
    }
}

fn service(app: &str, name: &str, release: u64, instance: &ServiceInstance) -> InstanceView {
    let view = instance.view();
    let note = match view.phase {
        crate::supervise::Phase::Pausing { until } if view.failures > 0 => {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            format!("{} ({} times in a row), next start in {left} ms", view.why, view.failures)
        }
        _ => view.why,
    };
    InstanceView {
        id: instance.label.to_string(),
        state: instance.state(),
        pid: view.pid,
        port: view.address.map(|address| address.port()),
        in_flight: instance.in_flight(),
        requests: instance.requests(),
        restarts: view.restarts,
        started_ms: view.started_ms,
        note,
        ..empty(app, release, name, "service")
    }
}

fn function(key: &FunctionKey, pool: &Pool, views: &mut Vec<InstanceView>) {
    let view = |kind: &str, phase: Phase, label: Option<&Arc<str>>, pid: Option<u32>| {
        let (state, in_flight) = state(phase);
        let id = label.map_or_else(String::new, ToString::to_string);
        InstanceView { id, state, pid, in_flight, ..empty(&key.app, key.release, &key.function, kind) }
    };
    match pool {
        Pool::Lambda(pool) => views.extend(pool.instances().into_iter().map(|(_, phase, instance)| {
            let Some(instance) = instance else { return view("lambda", phase, None, None) };
            InstanceView {
                started_ms: instance.started_ms,
                requests: instance.requests.load(Ordering::Relaxed),
                ..view("lambda", phase, Some(&instance.label), Some(instance.pid))
            }
        })),
        Pool::Wasm(pool) => views.extend(
            pool.instances()
                .into_iter()
                .map(|(_, phase, instance)| view("wasm", phase, instance.as_ref().map(|one| &one.label), None)),
        ),
        Pool::Cgi { gate, .. } => {
            let in_flight = gate.running();
            if in_flight > 0 {
                views.push(view("cgi", Phase::Ready { in_flight, used: Instant::now() }, None, None));
            }
        }
    }
}

fn cold(catalog: &Catalog, functions: &[(FunctionKey, Pool)]) -> Vec<InstanceView> {
    let mut views = Vec::new();
    for app in catalog.apps.values() {
        let Some(release) = app.current_release() else { continue };
        for (name, function) in &release.manifest.functions {
            let pool = functions.iter().find(|(key, _)| {
                *key.app == app.name
                    && key.release == release.number
                    && key.files == release.files
                    && key.function == *name
            });
            if pool.is_some_and(|(_, pool)| count(pool) > 0) {
                continue;
            }
            let kind = match function.run {
                ringway_manifest::FunctionRun::Wasm { .. } => "wasm",
                ringway_manifest::FunctionRun::Lambda { .. } => "lambda",
                ringway_manifest::FunctionRun::Cgi { .. } => "cgi",
            };
            let trouble = match pool.map(|(_, pool)| pool) {
                Some(Pool::Lambda(pool)) => pool.trouble(),
                Some(Pool::Wasm(pool)) => pool.trouble(),
                _ => None,
            };
            let state = if trouble.is_some() { InstanceState::BackingOff } else { InstanceState::Cold };
            let note = trouble.unwrap_or_default();
            views.push(InstanceView { state, note, ..empty(&app.name, release.number, name, kind) });
        }
    }
    views
}

fn state(phase: Phase) -> (InstanceState, usize) {
    match phase {
        Phase::Starting => (InstanceState::Starting, 0),
        Phase::Ready { in_flight: 0, used } if used.elapsed().as_secs() >= 1 => (InstanceState::Idle, 0),
        Phase::Ready { in_flight: 0, .. } => (InstanceState::Warm, 0),
        Phase::Ready { in_flight, .. } => (InstanceState::Busy, in_flight),
    }
}

fn empty(app: &str, release: u64, unit: &str, kind: &str) -> InstanceView {
    InstanceView {
        app: app.to_owned(),
        release,
        unit: unit.to_owned(),
        kind: kind.to_owned(),
        id: String::new(),
        state: InstanceState::Cold,
        pid: None,
        port: None,
        in_flight: 0,
        requests: 0,
        restarts: 0,
        started_ms: 0,
        note: String::new(),
    }
}
