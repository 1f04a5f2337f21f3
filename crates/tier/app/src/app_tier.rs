//! Driver: the app tier as the rest of the node sees it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Response};
use ringway_manifest::Target;
use ringway_ports::{
    Body, InstanceView, Instances, Invocation, Invoke, InvokeError, Lease, LogLine, SpanKind, SpanRecord, SpanStatus,
    Work,
};
use ringway_rt::{Tasks, clock};
use tokio::sync::broadcast;

use crate::config::{Config, Deps};
use crate::host::{Host, Unit, release_failed};
use crate::instance_list;
use crate::release_dir::Releases;
use crate::units::{Pool, Units};
use crate::{cgi, lambda, reconcile, wasm};

pub struct AppTier {
    host: Host,
    units: Arc<Units>,
}

impl AppTier {
    /// Makes the directories; nothing runs yet. Blocks for a moment.
    pub fn new(mut config: Config, deps: Deps) -> io::Result<Arc<Self>> {
        std::fs::create_dir_all(&config.data_dir)?;
        // Rules for files are about where they really are.
        config.data_dir = config.data_dir.canonicalize()?;
        // What instances of an earlier life left behind.
        match std::fs::remove_dir_all(config.data_dir.join("run")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let releases = Arc::new(Releases::open(config.data_dir.join("releases"), Arc::clone(&deps.blobs))?);
        let tasks = Tasks::new("app");
        let host = Host { config: Arc::new(config), deps, logs: Arc::default(), releases, tasks };
        let units = Arc::new(Units::new(host.clone()));
        Ok(Arc::new(Self { host, units }))
    }

    /// From now on the services that belong on this node run here.
    pub fn start(&self) {
        self.host.tasks.spawn("reconcile", reconcile::run(self.host.clone(), Arc::clone(&self.units)));
    }

    /// Lets requests finish, ends all instances; what still runs at the deadline is killed.
    pub async fn stop(&self, within: Duration) {
        self.host.tasks.stop(within).await;
    }

    /// What keeps apps apart on this machine, in words.
    pub fn isolation(&self) -> &'static str {
        self.host.deps.spawner.isolation()
    }
}

impl Invoke for AppTier {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response<Body>, InvokeError>> {
        let (host, units) = (self.host.clone(), Arc::clone(&self.units));
        async move {
            if host.tasks.is_stopping() {
                return Err(InvokeError::Internal("this node is stopping".to_owned()));
            }
            observed(host, units, invocation).await
        }
        .boxed()
    }

    fn lease(&self, work: Work) -> BoxFuture<'static, Result<Lease, InvokeError>> {
        let Target::Service(name) = &work.target else {
            let error = InvokeError::Internal(format!("{} is no service", work.target));
            return async move { Err(error) }.boxed();
        };
        let Some(service) = work.release.manifest.services.get(name).cloned() else {
            let error = InvokeError::NotFound(format!("service {name} in {}", work.app));
            return async move { Err(error) }.boxed();
        };
        let group = self.units.service(&work.app, name);
        async move { group.lease(&work.release, &Arc::new(service)).await }.boxed()
    }

    fn files(&self, work: Work) -> BoxFuture<'static, Result<Arc<Path>, InvokeError>> {
        let releases = Arc::clone(&self.host.releases);
        async move { releases.get(&work.app, &work.release).await.map_err(release_failed) }.boxed()
    }
}

impl Instances for AppTier {
    fn list(&self) -> Vec<InstanceView> {
        instance_list::list(&self.units, &self.host.deps.control.catalog())
    }

    fn recent_logs(&self, app: &str, lines: usize) -> Vec<LogLine> {
        self.host.logs.recent(app, lines)
    }

    fn follow_logs(&self) -> broadcast::Receiver<LogLine> {
        self.host.logs.follow()
    }
}

/// Runs an invocation with its span and its figures.
async fn observed(host: Host, units: Arc<Units>, mut invocation: Invocation) -> Result<Response<Body>, InvokeError> {
    let (app, unit) = (invocation.work.app.to_string(), invocation.work.target.to_string());
    let parent = invocation.trace;
    let wants_span = parent.sampled && host.deps.telemetry.wants_spans();
    if wants_span {
        invocation.trace = parent.child(ringway_rt::random::number().max(1));
    }
    let trace = invocation.trace;
    if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
        invocation.request.headers_mut().insert("traceparent", value);
    }
    let (begun, start_ns) = (Instant::now(), clock::wall_ns());
    let (kind, result) = run(host.clone(), units, invocation).await;
    let labels = [("app", app.clone()), ("unit", unit.clone()), ("kind", kind.to_owned())];
    metrics::counter!("ringway_app_invocations_total", &labels).increment(1);
    metrics::histogram!("ringway_app_invocation_seconds", &labels).record(begun.elapsed().as_secs_f64());
    if wants_span {
        host.deps.telemetry.span(SpanRecord {
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: parent.span_id,
            name: format!("invoke {app}/{unit}"),
            kind: SpanKind::Internal,
            start_ns,
            end_ns: clock::wall_ns(),
            status: if result.is_ok() { SpanStatus::Unset } else { SpanStatus::Error },
            attributes: vec![("ringway.app", app), ("faas.name", unit), ("ringway.kind", kind.to_owned())],
        });
    }
    result
}

async fn run(
    host: Host,
    units: Arc<Units>,
    invocation: Invocation,
) -> (&'static str, Result<Response<Body>, InvokeError>) {
    let work = invocation.work.clone();
    match &work.target {
        Target::Cgi { path } => {
            let unit = Unit {
                app: Arc::clone(&work.app),
                release: Arc::clone(&work.release),
                name: path.as_str().into(),
                env: BTreeMap::new(),
                database: work.release.manifest.database.is_some(),
            };
            ("cgi", cgi::invoke(host, Arc::new(unit), path.clone(), units.gate(&work.app), invocation).await)
        }
        Target::Function(name) => match units.function(&work.app, &work.release, name) {
            Ok(Pool::Lambda(pool)) => ("lambda", lambda::invoke(pool, invocation).await),
            Ok(Pool::Wasm(pool)) => ("wasm", wasm::invoke(pool, invocation).await),
            Ok(Pool::Cgi { unit, gate, script }) => {
                let function = work.release.manifest.functions.get(name);
                let mut invocation = invocation;
                invocation.timeout = invocation.timeout.or(function.map(|function| function.timeout));
                ("cgi", cgi::invoke(host, unit, script, gate, invocation).await)
            }
            Err(error) => ("function", Err(error)),
        },
        Target::Service(_) | Target::Static { .. } | Target::Redirect(_) => {
            ("none", Err(InvokeError::Internal(format!("{} cannot be invoked", work.target))))
        }
    }
}
