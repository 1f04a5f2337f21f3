//! Driver: everything that runs or may run on this node, by app.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ringway_catalog::{BlobId, Release};
use ringway_manifest::{Function, FunctionRun};
use ringway_ports::InvokeError;

use crate::cgi::{Gate, SCRIPTS_MAX};
use crate::function_pool::FunctionPool;
use crate::host::{Host, Unit};
use crate::lambda::Lambda;
use crate::pool::{Input, Limits};
use crate::service_group::ServiceGroup;
use crate::wasm::Wasm;

/// Requests of one function that wait for an instance.
const QUEUE_MAX: usize = 1024;

/// One release's function. The blob is part of it because release numbers can begin again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionKey {
    pub app: Arc<str>,
    pub release: u64,
    pub files: BlobId,
    pub function: String,
}

#[derive(Clone)]
pub enum Pool {
    Lambda(Arc<FunctionPool<Lambda>>),
    Wasm(Arc<FunctionPool<Wasm>>),
    Cgi { unit: Arc<Unit>, gate: Arc<Gate>, script: String },
}

pub struct Units {
    host: Host,
    maps: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    services: HashMap<(Arc<str>, String), Arc<ServiceGroup>>,
    functions: HashMap<FunctionKey, Pool>,
    /// Scripts that routes lead to, by app.
    gates: HashMap<Arc<str>, Arc<Gate>>,
}

impl Units {
    pub fn new(host: Host) -> Self {
        Self { host, maps: Mutex::default() }
    }

    pub fn service(&self, app: &Arc<str>, name: &str) -> Arc<ServiceGroup> {
        let key = (Arc::clone(app), name.to_owned());
        let new = || Arc::new(ServiceGroup::new(self.host.clone(), Arc::clone(app), name.into()));
        Arc::clone(self.maps().services.entry(key).or_insert_with(new))
    }

    pub fn services(&self) -> Vec<(Arc<str>, String, Arc<ServiceGroup>)> {
        let entry = |((app, name), group): (&(Arc<str>, String), &Arc<ServiceGroup>)| {
            (Arc::clone(app), name.clone(), Arc::clone(group))
        };
        self.maps().services.iter().map(entry).collect()
    }

    pub fn function(&self, app: &Arc<str>, release: &Arc<Release>, name: &str) -> Result<Pool, InvokeError> {
        let missing = || InvokeError::NotFound(format!("function {name} in {app}"));
        let function = release.manifest.functions.get(name).ok_or_else(missing)?;
        let (number, files) = (release.number, release.files);
        let key = FunctionKey { app: Arc::clone(app), release: number, files, function: name.to_owned() };
        let new = || self.new_pool(app, release, name, function);
        Ok(self.maps().functions.entry(key).or_insert_with(new).clone())
    }

    pub fn functions(&self) -> Vec<(FunctionKey, Pool)> {
        self.maps().functions.iter().map(|(key, pool)| (key.clone(), pool.clone())).collect()
    }

    pub fn gate(&self, app: &Arc<str>) -> Arc<Gate> {
        Arc::clone(self.maps().gates.entry(Arc::clone(app)).or_insert_with(|| Arc::new(Gate::new(SCRIPTS_MAX))))
    }

    /// Lets go of what is not `current` any more, as far as nothing runs.
    pub fn retain(&self, is_current: impl Fn(&FunctionKey) -> bool, has_app: impl Fn(&str) -> bool) {
        for (_, pool) in self.functions().into_iter().filter(|(key, _)| !is_current(key)) {
            pool.feed(Input::Close);
        }
        let mut maps = self.maps();
        maps.functions.retain(|key, pool| is_current(key) || !pool.is_empty());
        maps.services.retain(|_, group| !group.is_finished());
        maps.gates.retain(|app, _| has_app(app));
    }

    /// What the time has come for.
    pub fn tick(&self, now: Instant) {
        self.services().into_iter().for_each(|(_, _, group)| group.adjust());
        for (_, pool) in self.functions() {
            if pool.is_due(now) {
                pool.feed(Input::Tick);
            }
        }
    }

    fn new_pool(&self, app: &Arc<str>, release: &Arc<Release>, name: &str, function: &Function) -> Pool {
        let unit = || {
            Arc::new(Unit {
                app: Arc::clone(app),
                release: Arc::clone(release),
                name: name.into(),
                env: function.env.clone(),
                database: release.manifest.database.is_some(),
            })
        };
        let (instances_max, concurrency) =
            (function.instances_max.max(1) as usize, function.concurrency.max(1) as usize);
        let limits = Limits { instances_max, concurrency, queue_max: QUEUE_MAX, idle: function.idle };
        let (host, tasks) = (self.host.clone(), self.host.tasks.clone());
        let (what, function) = (format!("{app}/{name}"), Arc::new(function.clone()));
        match &function.run {
            FunctionRun::Lambda { command } => {
                let command = command.clone();
                let kind = Lambda { host, unit: unit(), function, command };
                Pool::Lambda(FunctionPool::new(what, limits, kind, tasks))
            }
            FunctionRun::Wasm { file } => {
                // One loaded component serves all; the engine makes the instances.
                let concurrency = concurrency.saturating_mul(instances_max);
                let limits = Limits { instances_max: 1, concurrency, ..limits };
                let file = file.clone();
                let kind = Wasm { host, unit: unit(), function, file };
                Pool::Wasm(FunctionPool::new(what, limits, kind, tasks))
            }
            FunctionRun::Cgi { script } => {
                Pool::Cgi { unit: unit(), gate: Arc::new(Gate::new(instances_max)), script: script.clone() }
            }
        }
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn feed(&self, input: Input) {
        match self {
            Self::Lambda(pool) => pool.feed(input),
            Self::Wasm(pool) => pool.feed(input),
            Self::Cgi { .. } => {}
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        match self {
            Self::Lambda(pool) => pool.is_due(now),
            Self::Wasm(pool) => pool.is_due(now),
            Self::Cgi { .. } => false,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Lambda(pool) => pool.is_empty(),
            Self::Wasm(pool) => pool.is_empty(),
            Self::Cgi { gate, .. } => gate.running() == 0,
        }
    }
}
