//! Driver: one instance of a service: its process, its checks, its end. Decides nothing: that is [`crate::supervise`].

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_manifest::Service;
use ringway_ports::InstanceState;
use ringway_rt::clock;
use ringway_sandbox::{Child, Command, Exit, Output as ProcessOutput};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::health;
use crate::host::{Host, Place, Unit};
use crate::logs::Source;
use crate::supervise::{Input, Limits, Output, Phase, Supervisor};

/// Fetching and unpacking the release included.
const LAUNCH_MAX: Duration = Duration::from_secs(120);

/// What others see of an instance.
pub struct ServiceInstance {
    pub label: Arc<str>,
    view: Mutex<View>,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    /// Somebody could not reach it.
    suspected: Notify,
    /// A request has left.
    left: Notify,
    stop: CancellationToken,
    /// Bumped at every change, for those who wait for an instance.
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Clone, Debug)]
pub struct View {
    pub phase: Phase,
    pub address: Option<SocketAddr>,
    pub pid: Option<u32>,
    pub failures: u32,
    pub restarts: u64,
    pub started_ms: u64,
    pub why: String,
}

impl ServiceInstance {
    /// Starts an instance that lives until it is told to stop.
    pub fn start(
        host: &Host,
        unit: Arc<Unit>,
        service: Arc<Service>,
        label: Arc<str>,
        changed: Arc<watch::Sender<u64>>,
    ) -> Arc<Self> {
        let limits = Limits { start_timeout: service.start_timeout, stop_timeout: service.stop_timeout };
        let supervisor = Supervisor::new(limits, Instant::now());
        let view = View {
            phase: supervisor.phase(),
            address: None,
            pid: None,
            failures: 0,
            restarts: 0,
            started_ms: clock::wall_ms(),
            why: String::new(),
        };
        let instance = Arc::new(Self {
            label,
            view: Mutex::new(view),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            suspected: Notify::new(),
            left: Notify::new(),
            stop: host.tasks.token().child_token(),
            changed,
        });
        let driver = Driver {
            source: unit.source(&instance.label),
            host: host.clone(),
            instance: Arc::clone(&instance),
            unit,
            service,
            supervisor,
            place: None,
            child: None,
            address: None,
            working: None,
        };
        host.tasks.spawn("service instance", driver.run());
        instance
    }

    pub fn view(&self) -> View {
        self.lock().clone()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn is_ready(&self) -> bool {
        !self.stop.is_cancelled() && matches!(self.lock().phase, Phase::Healthy { .. })
    }

    pub fn is_gone(&self) -> bool {
        self.lock().phase == Phase::Gone
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Finishes what it has in hand, then ends.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    pub fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// A request comes in.
    pub fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.left.notify_one();
    }

    pub fn state(&self) -> InstanceState {
        let phase = self.lock().phase;
        match phase {
            Phase::Gone | Phase::Ending { stop: true, .. } => InstanceState::Stopping,
            _ if self.stop.is_cancelled() => InstanceState::Stopping,
            Phase::Healthy { .. } if self.in_flight() > 0 => InstanceState::Busy,
            Phase::Healthy { .. } => InstanceState::Warm,
            Phase::Ending { .. } => InstanceState::BackingOff,
            Phase::Pausing { .. } if self.lock().failures > 0 => InstanceState::BackingOff,
            Phase::Pausing { .. } | Phase::Launching { .. } | Phase::Starting { .. } => InstanceState::Starting,
        }
    }

    fn publish(&self, update: impl FnOnce(&mut View)) {
        update(&mut self.lock());
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Driver {
    host: Host,
    source: Source,
    instance: Arc<ServiceInstance>,
    unit: Arc<Unit>,
    service: Arc<Service>,
    supervisor: Supervisor,
    place: Option<Place>,
    child: Option<Child>,
    address: Option<SocketAddr>,
    /// A launch or a check that is under way.
    working: Option<BoxFuture<'static, Done>>,
}

enum Done {
    Launched(Result<Box<(Place, Child, SocketAddr)>, String>),
    Checked(Result<(), String>),
}

impl Driver {
    async fn run(mut self) {
        let stop = self.instance.stop.clone();
        let mut told = false;
        let mut outputs = Vec::new();
        loop {
            let instance = Arc::clone(&self.instance);
            let wake = self.supervisor.next_wake();
            let input = tokio::select! {
                biased;
                exit = wait(&mut self.child) => self.note_exit(exit),
                () = stop.cancelled(), if !told => {
                    told = true;
                    self.publish();
                    drain(&self.host, &self.source, &instance, self.service.stop_timeout).await;
                    Input::Stop
                }
                done = work(&mut self.working) => self.note_done(done),
                () = instance.suspected.notified() => Input::Suspect,
                () = sleep_until(wake) => Input::Tick,
            };
            self.supervisor.step(Instant::now(), input, &mut outputs);
            for output in outputs.drain(..) {
                self.perform(output);
            }
            self.publish();
            if self.supervisor.phase() == Phase::Gone {
                break;
            }
        }
        if let Some(place) = &self.place {
            self.host.clean_up(place).await;
        }
    }

    fn note_exit(&mut self, exit: Exit) -> Input {
        self.child = None;
        self.address = None;
        if matches!(self.supervisor.phase(), Phase::Starting { .. } | Phase::Healthy { .. }) {
            self.working = None;
        }
        self.host.logs.note(&self.source, &exit.to_string());
        Input::Exited(exit.to_string())
    }

    fn note_done(&mut self, done: Done) -> Input {
        match done {
            Done::Checked(Ok(())) => Input::CheckPassed,
            Done::Checked(Err(why)) => Input::CheckFailed(why),
            Done::Launched(Err(why)) => {
                self.host.logs.note(&self.source, &format!("does not start: {why}"));
                Input::LaunchFailed(why)
            }
            Done::Launched(Ok(launched)) => {
                let (place, child, address) = *launched;
                self.host
                    .logs
                    .note(&self.source, &format!("started, process {}, port {}", child.pid(), address.port()));
                self.instance.publish(|view| {
                    view.started_ms = clock::wall_ms();
                });
                (self.place, self.child, self.address) = (Some(place), Some(child), Some(address));
                Input::Launched
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Launch => {
                let launch =
                    launch(self.host.clone(), Arc::clone(&self.unit), Arc::clone(&self.service), self.source.clone());
                self.working = Some(launch.map(|launched| Done::Launched(launched.map(Box::new))).boxed());
            }
            Output::Check => {
                if let Some(address) = self.address {
                    let check = health::check(address, self.service.health.clone());
                    self.working = Some(check.map(Done::Checked).boxed());
                }
            }
            Output::Terminate => {
                self.working = None;
                if !self.instance.is_stopping() {
                    self.host.logs.note(&self.source, &format!("ended: {}", self.supervisor.why()));
                }
                if let Some(child) = &self.child {
                    child.terminate();
                }
            }
            Output::Kill => {
                self.host.logs.note(&self.source, "killed: it did not end when asked to");
                if let Some(child) = &self.child {
                    child.kill();
                }
            }
            Output::Ready => self.host.logs.note(&self.source, "healthy"),
            Output::Gone => {}
        }
    }

    fn publish(&self) {
        let restarts = self.supervisor.restarts();
        let before = self.instance.lock().restarts;
        if restarts > before {
            let (app, unit) = (self.unit.app.to_string(), self.unit.name.to_string());
            metrics::counter!("ringway_app_restarts_total", "app" => app, "unit" => unit).increment(restarts - before);
        }
        self.instance.publish(|view| {
            view.phase = self.supervisor.phase();
            view.address = self.address;
            view.pid = self.child.as_ref().map(Child::pid);
            view.failures = self.supervisor.failures();
            view.restarts = restarts;
            view.why = self.supervisor.why().to_owned();
        });
    }
}

async fn launch(
    host: Host,
    unit: Arc<Unit>,
    service: Arc<Service>,
    source: Source,
) -> Result<(Place, Child, SocketAddr), String> {
    let launch = async {
        let place = host.place(&unit, &source.instance).await.map_err(|error| error.to_string())?;
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let mut env = host.environment(&unit, &source.instance, &place);
        env.insert("PORT".to_owned(), address.port().to_string());
        let mut command = Command::shell(&service.run);
        command.env = env.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        command.cwd = place.release.to_path_buf();
        command.output = ProcessOutput::Pipe;
        let mut child = host.start(&place, &source, command).await.map_err(|error| error.to_string())?;
        host.log_output(&source, &mut child);
        Ok((place, child, address))
    };
    let launched = tokio::time::timeout(LAUNCH_MAX, launch).await;
    launched.unwrap_or_else(|_| Err(format!("not launched within {LAUNCH_MAX:?}")))
}

/// A port that is free now. Should somebody else take it first, the instance will not start, and the next try gets another.
fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// New requests do not come any more; those that are here may finish.
async fn drain(host: &Host, source: &Source, instance: &ServiceInstance, patience: Duration) {
    let empty = async {
        while instance.in_flight() > 0 {
            instance.left.notified().await;
        }
    };
    if tokio::time::timeout(patience, empty).await.is_err() {
        host.logs.note(source, &format!("stopping with {} requests unfinished", instance.in_flight()));
    }
}

async fn wait(child: &mut Option<Child>) -> Exit {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

async fn work(working: &mut Option<BoxFuture<'static, Done>>) -> Done {
    let Some(future) = working else { return std::future::pending().await };
    let done = future.await;
    *working = None;
    done
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
