//! Driver: all instances of one service on this node, over releases. A new release takes over when its instances are
//! healthy; until then, and if they never are, the old one serves.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringway_catalog::Release;
use ringway_manifest::Service;
use ringway_ports::invoke::LeaseGuard;
use ringway_ports::{InvokeError, Lease};
use tokio::sync::watch;

use crate::host::{Host, Unit};
use crate::service_instance::ServiceInstance;

/// Requests that wait for an instance.
const QUEUE_MAX: usize = 1024;
/// An instance that belongs on another node by now stays that long, so that the other's can start first.
const SURPLUS_STAYS: Duration = Duration::from_secs(10);
/// Failed starts in a row after which nobody is kept waiting.
const HOPELESS_AFTER: u32 = 3;

pub struct ServiceGroup {
    host: Host,
    app: Arc<str>,
    name: Arc<str>,
    state: Mutex<State>,
    last_number: AtomicU64,
    waiting: AtomicUsize,
    changed: Arc<watch::Sender<u64>>,
}

struct State {
    /// What is to run; none if the app or service is gone.
    wanted: Option<Wanted>,
    generations: Vec<Generation>,
    /// Somebody asked for an instance although none is to run here by itself.
    last_lease: Option<Instant>,
    surplus_since: Option<Instant>,
}

#[derive(Clone)]
struct Wanted {
    release: Arc<Release>,
    service: Arc<Service>,
    /// By placement.
    count: usize,
}

/// The instances of one release.
struct Generation {
    release: Arc<Release>,
    service: Arc<Service>,
    instances: Vec<Arc<ServiceInstance>>,
    /// All were healthy at once, once.
    proven: bool,
    complained: bool,
}

impl ServiceGroup {
    pub fn new(host: Host, app: Arc<str>, name: Arc<str>) -> Self {
        let state = State { wanted: None, generations: Vec::new(), last_lease: None, surplus_since: None };
        Self {
            host,
            app,
            name,
            state: Mutex::new(state),
            last_number: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }

    /// What is to run here from now on: `None` for a service that is gone.
    pub fn want(&self, wanted: Option<(Arc<Release>, Arc<Service>, usize)>) {
        self.state().wanted = wanted.map(|(release, service, count)| Wanted { release, service, count });
        self.adjust();
    }

    /// Starts and stops instances so that what runs approaches what is wanted.
    pub fn adjust(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        if self.host.tasks.is_stopping() {
            state.wanted = None;
        }
        let count = state.count(now, self.waiting.load(Ordering::Relaxed));
        state.open_generation(count);
        let may_stop_surplus = state.note_surplus(now, count);
        let taken_over = state.note_proven(count);
        for generation in &mut state.generations {
            let is_wanted = state.wanted.as_ref().is_some_and(|wanted| same(&wanted.release, &generation.release));
            if is_wanted {
                self.resize(generation, count, may_stop_surplus);
            } else if taken_over || may_stop_surplus {
                generation.instances.iter().for_each(|instance| instance.stop());
            }
            generation.instances.retain(|instance| !instance.is_gone());
        }
        state.complain();
        let wanted = state.wanted.clone();
        state.generations.retain(|generation| {
            !generation.instances.is_empty()
                || wanted.as_ref().is_some_and(|wanted| count > 0 && same(&wanted.release, &generation.release))
        });
    }

    /// The least busy healthy instance; waits for one, and starts one if none is to be here.
    pub async fn lease(self: &Arc<Self>, release: &Arc<Release>, service: &Arc<Service>) -> Result<Lease, InvokeError> {
        let what = format!("{}/{}", self.app, self.name);
        if let Some(lease) = self.try_lease() {
            return Ok(lease);
        }
        let Some(_waiting) = Waiting::enter(&self.waiting) else {
            return Err(InvokeError::Overloaded { what, limit: QUEUE_MAX });
        };
        let mut changes = self.changed.subscribe();
        self.call_for(release, service);
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(lease) = self.try_lease() {
                    return Ok(lease);
                }
                if let Some(detail) = self.hopeless() {
                    return Err(InvokeError::NotStarting { what: what.clone(), detail });
                }
                if changes.changed().await.is_err() {
                    return Err(InvokeError::Internal(format!("{what}: the group is gone")));
                }
            }
        };
        let begun = Instant::now();
        match tokio::time::timeout(service.start_timeout, waiting).await {
            Ok(result) => result,
            Err(_) => {
                let why = self.why().unwrap_or_else(|| "it has not become healthy".to_owned());
                let detail = format!("waited {:?}; {why}", begun.elapsed());
                Err(InvokeError::NotStarting { what, detail })
            }
        }
    }

    /// Every instance with its release.
    pub fn instances(&self) -> Vec<(u64, Arc<ServiceInstance>)> {
        let state = self.state();
        let of = |generation: &Generation| {
            let number = generation.release.number;
            generation.instances.iter().map(move |instance| (number, Arc::clone(instance))).collect::<Vec<_>>()
        };
        state.generations.iter().flat_map(of).collect()
    }

    /// The releases that still have instances.
    pub fn releases(&self) -> Vec<Arc<Release>> {
        self.state().generations.iter().map(|generation| Arc::clone(&generation.release)).collect()
    }

    pub fn is_finished(&self) -> bool {
        let state = self.state();
        state.wanted.is_none() && state.generations.is_empty()
    }

    fn try_lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.state();
        // What became healthy since the last look counts at once: when a deploy has said "live", nobody is to see the old release.
        let count = state.count(Instant::now(), self.waiting.load(Ordering::Relaxed));
        state.note_proven(count);
        let (address, instance) = state.pick()?;
        state.last_lease = Some(Instant::now());
        instance.enter();
        let label = Arc::clone(&instance.label);
        let guard = Box::new(Guard { instance, group: Arc::clone(self) });
        Some(Lease { address, instance: label, guard })
    }

    /// Makes sure that something is on its way.
    fn call_for(&self, release: &Arc<Release>, service: &Arc<Service>) {
        {
            let mut state = self.state();
            state.last_lease = Some(Instant::now());
            let wanted = Wanted { release: Arc::clone(release), service: Arc::clone(service), count: 0 };
            state.wanted.get_or_insert(wanted);
        }
        self.adjust();
    }

    /// Why waiting makes no sense.
    fn hopeless(&self) -> Option<String> {
        if self.host.tasks.is_stopping() {
            return Some("this node is stopping".to_owned());
        }
        let state = self.state();
        let mut instances = state.generations.iter().flat_map(|generation| &generation.instances).peekable();
        instances.peek()?;
        let views: Vec<_> = instances.map(|instance| instance.view()).collect();
        let all = views.iter().all(|view| view.failures >= HOPELESS_AFTER);
        all.then(|| format!("{} ({} times in a row)", views[0].why, views[0].failures))
    }

    fn why(&self) -> Option<String> {
        let state = self.state();
        let instances = state.generations.iter().flat_map(|generation| &generation.instances);
        instances.map(|instance| instance.view().why).find(|why| !why.is_empty())
    }

    fn resize(&self, generation: &mut Generation, count: usize, may_stop_surplus: bool) {
        let live = generation.instances.iter().filter(|instance| !instance.is_stopping()).count();
        for _ in live..count {
            generation.instances.push(self.start(&generation.release, &generation.service));
        }
        if may_stop_surplus {
            let surplus = live.saturating_sub(count);
            let newest_first = generation.instances.iter().rev().filter(|instance| !instance.is_stopping());
            newest_first.take(surplus).for_each(|instance| instance.stop());
        }
    }

    fn start(&self, release: &Arc<Release>, service: &Arc<Service>) -> Arc<ServiceInstance> {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let label: Arc<str> = format!("{}/{}#{number}", self.app, self.name).into();
        let unit = Unit {
            app: Arc::clone(&self.app),
            release: Arc::clone(release),
            name: Arc::clone(&self.name),
            env: service.env.clone(),
            database: service.database,
        };
        unit.count_cold_start();
        ServiceInstance::start(&self.host, Arc::new(unit), Arc::clone(service), label, Arc::clone(&self.changed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many instances there are to be now.
    fn count(&self, now: Instant, waiting: usize) -> usize {
        let Some(wanted) = &self.wanted else { return 0 };
        let is_busy =
            self.generations.iter().flat_map(|generation| &generation.instances).any(|one| one.in_flight() > 0);
        let in_demand = self.last_lease.is_some_and(|last| now.duration_since(last) < wanted.service.idle);
        wanted.count.max(usize::from(is_busy || in_demand || waiting > 0))
    }

    fn open_generation(&mut self, count: usize) {
        let Some(wanted) = self.wanted.clone().filter(|_| count > 0) else { return };
        if !self.generations.iter().any(|generation| same(&generation.release, &wanted.release)) {
            self.generations.push(Generation {
                release: wanted.release,
                service: wanted.service,
                instances: Vec::new(),
                proven: false,
                complained: false,
            });
        }
    }

    /// Whether instances that are too many may go: at once if nobody else needs to start first.
    fn note_surplus(&mut self, now: Instant, count: usize) -> bool {
        let running = self.generations.iter().flat_map(|generation| &generation.instances);
        let live = running.filter(|instance| !instance.is_stopping()).count();
        if live <= count {
            self.surplus_since = None;
            return false;
        }
        let since = *self.surplus_since.get_or_insert(now);
        let patience = match &self.wanted {
            Some(wanted) if wanted.service.replicas.min > 0 => SURPLUS_STAYS,
            _ => Duration::ZERO,
        };
        let deploying = self.generations.len() > 1;
        // During a deploy there are more than wanted for a while; those of the old release wait for the new one.
        now.duration_since(since) >= patience && !(deploying && count > 0)
    }

    /// Whether the wanted release has shown that it can serve.
    fn note_proven(&mut self, count: usize) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        let Some(generation) = self.generations.iter_mut().find(|one| same(&one.release, &wanted.release)) else {
            return false;
        };
        let ready = generation.instances.iter().filter(|instance| instance.is_ready()).count();
        generation.proven |= count > 0 && ready >= count;
        generation.proven
    }

    /// Once per release.
    fn complain(&mut self) {
        let Some(wanted) = &self.wanted else { return };
        let serving = self.generations.iter().find(|one| one.proven && !same(&one.release, &wanted.release));
        let Some(serving) = serving.map(|one| one.release.number) else { return };
        let Some(generation) = self.generations.iter_mut().find(|one| same(&one.release, &wanted.release)) else {
            return;
        };
        let failing =
            generation.instances.iter().map(|instance| instance.view()).find(|view| view.failures >= HOPELESS_AFTER);
        if let Some(view) = failing.filter(|_| !generation.proven && !generation.complained) {
            generation.complained = true;
            let app = &generation.release.manifest.name;
            tracing::warn!(%app, release = generation.release.number, serving, why = %view.why, "new release does not become healthy, the old one keeps serving");
        }
    }

    /// From the wanted release if it can serve, else from whichever can.
    fn pick(&self) -> Option<(std::net::SocketAddr, Arc<ServiceInstance>)> {
        let wanted = self.wanted.as_ref().map(|wanted| &wanted.release);
        let is_wanted = |generation: &&Generation| wanted.is_some_and(|wanted| same(wanted, &generation.release));
        let best = self.generations.iter().filter(is_wanted).find(|generation| generation.proven);
        best.and_then(Generation::least_busy)
            .or_else(|| self.generations.iter().filter(|one| one.proven).find_map(Generation::least_busy))
            .or_else(|| self.generations.iter().rev().find_map(Generation::least_busy))
    }
}

impl Generation {
    fn least_busy(&self) -> Option<(std::net::SocketAddr, Arc<ServiceInstance>)> {
        let ready = self.instances.iter().filter(|instance| instance.is_ready());
        let best = ready.min_by_key(|instance| (instance.in_flight(), instance.requests()))?;
        Some((best.view().address?, Arc::clone(best)))
    }
}

/// Release numbers begin again when an app is removed and made again; the files tell them apart.
fn same(one: &Release, other: &Release) -> bool {
    one.number == other.number && one.files == other.files
}

/// One place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < QUEUE_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Guard {
    instance: Arc<ServiceInstance>,
    group: Arc<ServiceGroup>,
}

impl LeaseGuard for Guard {
    fn failed(&self) {
        self.instance.suspect();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.instance.leave();
        self.group.state().last_lease = Some(Instant::now());
    }
}
