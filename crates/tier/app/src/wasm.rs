//! Driver: functions as WebAssembly components. An "instance" of the pool is the loaded component; the engine makes a fresh
//! instance of it for every request.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Response;
use ringway_manifest::Function;
use ringway_ports::{Body, Invocation, InvokeError, LogStream};
use ringway_wasm::{Component, Error, Limits, Observer, Stream, Usage};

use crate::function_pool::{Claim, FunctionPool, Kind, Lost};
use crate::host::{Host, Unit};
use crate::logs::Source;
use crate::pool::InstanceId;

pub struct Wasm {
    pub host: Host,
    pub unit: Arc<Unit>,
    pub function: Arc<Function>,
    /// In the release directory.
    pub file: String,
}

pub struct LoadedComponent {
    pub label: Arc<str>,
    component: Arc<Component>,
    env: Vec<(String, String)>,
}

impl Kind for Wasm {
    type Instance = LoadedComponent;

    fn start(&self, id: InstanceId, _lost: Lost) -> BoxFuture<'static, Result<LoadedComponent, String>> {
        self.unit.count_cold_start();
        let (host, unit, file) = (self.host.clone(), Arc::clone(&self.unit), self.file.clone());
        async move {
            let label: Arc<str> = format!("{}#{id}", unit.label()).into();
            let dir = host.releases.get(&unit.app, &unit.release).await.map_err(|error| error.to_string())?;
            let component = host.deps.wasm.load(&dir.join(&file)).await.map_err(|error| {
                let why = error.to_string();
                host.logs.note(&unit.source(&label), &why);
                why
            })?;
            let env = host.component_environment(&unit, &label);
            Ok(LoadedComponent { label, component, env })
        }
        .boxed()
    }

    /// Dropping it is all there is to do.
    fn stop(&self, _instance: Arc<LoadedComponent>) {}
}

/// One request through a fresh instance of the component.
pub async fn invoke(pool: Arc<FunctionPool<Wasm>>, invocation: Invocation) -> Result<Response<Body>, InvokeError> {
    let wasm = &pool.kind;
    let timeout = invocation.timeout.map_or(wasm.function.timeout, |timeout| timeout.min(wasm.function.timeout));
    let deadline = Instant::now() + timeout;
    let claim = pool.claim(deadline).await?;
    let limits = Limits {
        timeout: deadline.saturating_duration_since(Instant::now()),
        memory: wasm.function.memory.0,
        env: claim.instance.env.clone(),
    };
    let component = Arc::clone(&claim.instance.component);
    let source = wasm.unit.source(&claim.instance.label);
    let watcher = Watcher { host: wasm.host.clone(), source, _claim: claim };
    let handled = wasm.host.deps.wasm.handle(&component, invocation.request, limits, Arc::new(watcher)).await;
    handled.map_err(|error| failed(wasm.unit.label(), timeout, error))
}

/// Takes the lines of one instance, and holds the claim as long as the instance runs.
struct Watcher {
    host: Host,
    source: Source,
    _claim: Claim<Wasm>,
}

impl Observer for Watcher {
    fn line(&self, stream: Stream, line: &str) {
        let stream = match stream {
            Stream::Stdout => LogStream::Out,
            Stream::Stderr => LogStream::Err,
        };
        self.host.logs.add(&self.source, stream, line);
    }

    fn ended(&self, usage: Usage, error: Option<&Error>) {
        if let Some(error) = error {
            self.host.logs.note(&self.source, &error.to_string());
        }
        let app = self.source.app.to_string();
        metrics::counter!("ringway_app_fuel_total", "app" => app).increment(usage.fuel);
    }
}

fn failed(what: String, timeout: std::time::Duration, error: Error) -> InvokeError {
    match error {
        Error::Busy(after) | Error::Timeout(after) => InvokeError::TimedOut { what, after: after.max(timeout) },
        Error::Trap(_) | Error::OutOfMemory { .. } | Error::NoResponse | Error::Refused(_) => {
            InvokeError::AppFailed { what, detail: error.to_string() }
        }
        other => InvokeError::Internal(format!("{what}: {other}")),
    }
}
