//! Driver: the front end of one node: binds, starts its threads, keeps their routes fresh, stops them.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::counter;
use ringway_catalog::Catalog;
use ringway_manifest::Target;
use ringway_ports::{
    CacheRequest, ControlLog, Decision, Explain, ExplainRequest, Explanation, HttpCache, Invoke, Membership,
    PeerStream, Peers, Telemetry,
};
use ringway_ring::NodeId;
use ringway_rt::net::listen;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::balance::{Candidate, Order};
use crate::claim::Claims;
use crate::config::Config;
use crate::error::Error;
use crate::explain::{Behind, decision, explain};
use crate::proxy;
use crate::rate_gate::RateGate;
use crate::routes::{RouteEntry, Routes};
use crate::tls::Tls;
use crate::worker::{Failures, FromPeer, Inlets, Shared, Worker};

/// Streams from peers waiting for a thread.
const PEERS_WAITING_MAX: usize = 64;
/// On top of the time to drain: until a thread has cut off what is left.
const THREAD_GRACE: Duration = Duration::from_secs(1);

/// What the front end needs of the node's other parts.
#[derive(Clone)]
pub struct Deps {
    pub invoke: Arc<dyn Invoke>,
    pub peers: Arc<dyn Peers>,
    pub membership: Arc<dyn Membership>,
    pub control: Arc<dyn ControlLog>,
    pub telemetry: Arc<dyn Telemetry>,
    /// None: nothing is stored.
    pub cache: Option<Arc<dyn HttpCache>>,
}

pub struct Front {
    shared: Arc<Shared>,
    control: Arc<dyn ControlLog>,
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    inboxes: Vec<mpsc::Sender<FromPeer>>,
    turn: AtomicUsize,
    waiting: Mutex<Vec<Inlets>>,
    running: Mutex<Vec<oneshot::Receiver<usize>>>,
}

impl Front {
    /// Binds the addresses, so that whoever is told of them next can connect. Nothing is answered before [`Front::start`].
    pub fn new(config: Config, deps: Deps) -> Result<Self, Error> {
        let threads = config.thread_count();
        let mut http = bind("the front end (HTTP)", config.http, "--http", threads)?;
        let mut https = bind("the front end (HTTPS)", config.https, "--https", threads)?;
        let routes = Arc::new(Routes::new(deps.control.catalog()));
        let tls = if https.is_empty() { None } else { Some(Tls::open(&config.tls)?) };
        tls.iter().for_each(|tls| tls.know(Arc::clone(&routes)));
        let (http_address, https_address) = (address_of(&http), address_of(&https));
        let (inboxes, waiting) = (0..threads)
            .map(|_| {
                let (inbox, peers) = mpsc::channel(PEERS_WAITING_MAX);
                (inbox, Inlets { http: http.pop(), https: https.pop(), peers })
            })
            .unzip();
        let shared = Shared {
            config: Config { http: http_address, https: https_address, ..config },
            invoke: deps.invoke,
            peers: deps.peers,
            membership: deps.membership,
            telemetry: deps.telemetry,
            cache: deps.cache,
            routes: ArcSwap::new(routes),
            routes_version: AtomicU64::new(1),
            tls,
            requests: Arc::default(),
            claims: Claims::default(),
            failures: Failures::default(),
            rates: RateGate::new(),
            stop: CancellationToken::new(),
            drain: OnceLock::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            control: deps.control,
            http: http_address,
            https: https_address,
            inboxes,
            turn: AtomicUsize::new(0),
            waiting: Mutex::new(waiting),
            running: Mutex::default(),
        })
    }

    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Every address that is listened on.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.http.into_iter().chain(self.https).collect()
    }

    /// Open connections of clients.
    pub fn connections(&self) -> usize {
        self.shared.claims.count()
    }

    /// Requests that clients sent to this node, answered or being answered. Not those that other nodes forwarded to it: each is
    /// counted once in a cluster, where it came in.
    pub fn requests_total(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// The counter itself.
    pub fn requests_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.requests)
    }

    /// Starts the threads. Once only.
    pub fn start(&self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.is_empty() {
            return Err(Error::Started);
        }
        for (number, inlets) in waiting.into_iter().enumerate() {
            let catalogs = (number == 0).then(|| self.control.watch());
            let ended = start_thread(number, Arc::clone(&self.shared), inlets, catalogs).map_err(Error::Thread)?;
            self.running.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
        }
        Ok(())
    }

    /// Serves the requests that another node sends on `stream`. They are not forwarded again.
    pub fn serve_peer_stream(&self, from: NodeId, stream: Box<dyn PeerStream>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let inbox = &self.inboxes[turn % self.inboxes.len()];
        if inbox.try_send(FromPeer { node: from, stream }).is_err() {
            counter!("ringway_front_peer_streams_refused_total").increment(1);
            debug!(node = %from, "a stream from a peer found no room and is closed");
        }
    }

    /// Accepts no more, finishes what has begun within that time, cuts off the rest. Returns how many connections that were.
    pub async fn stop(&self, within: Duration) -> usize {
        let _ = self.shared.drain.set(within);
        self.shared.stop.cancel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let mut cut_off = 0;
        for ended in running {
            match tokio::time::timeout(within + THREAD_GRACE, ended).await {
                Ok(Ok(left)) => cut_off += left,
                Ok(Err(_)) => error!("a thread of the front end had panicked"),
                Err(_) => warn!("a thread of the front end does not end"),
            }
        }
        cut_off
    }
}

impl Explain for Front {
    fn explain(&self, request: &ExplainRequest) -> Explanation {
        explain(&self.shared.routes.load(), request, self.https.map(|address| address.port()), &*self.shared)
    }
}

impl Behind for Shared {
    fn cache(&self, request: CacheRequest<'_>) -> Option<Decision> {
        self.cache.as_ref().map(|cache| cache.explain(request))
    }

    fn instance(&self, entry: &RouteEntry) -> Option<Decision> {
        let Target::Service(service) = &entry.route.to else {
            return Some(decision("one of this node", ["functions and scripts run where the request came in"]));
        };
        let catalog = &self.routes.load().catalog;
        let named = |candidate: &Candidate| match candidate {
            Candidate::Here => "one of this node".to_owned(),
            Candidate::Node(node) => {
                let name = catalog.nodes.get(node).map_or_else(|| node.short(), |node| node.name.clone());
                format!("one of node {name}")
            }
        };
        let Order { placed, spare } = proxy::order(self, entry, service, 0);
        let replicas = placed.len();
        let mut because = vec![format!("{service} is to run on {replicas} of the nodes that are reachable")];
        because.extend(placed.iter().skip(1).map(|other| format!("else {}", named(other))));
        because.extend(spare.first().map(|spare| format!("{} if one of these is gone", named(spare))));
        Some(decision(placed.first().map_or_else(|| "nobody".to_owned(), named), because))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn address_of(listeners: &[TcpListener]) -> Option<SocketAddr> {
    listeners.first().and_then(|listener| listener.local_addr().ok())
}

/// As many listeners on one address as there are threads: the kernel spreads connections over them. One that is not shared is
/// bound first to see that nobody else has the address.
fn bind(
    what: &'static str,
    address: Option<SocketAddr>,
    option: &'static str,
    count: usize,
) -> Result<Vec<TcpListener>, Error> {
    let Some(address) = address else { return Ok(Vec::new()) };
    if address.port() != 0 {
        drop(listen(what, address, option, false)?);
    }
    let first = listen(what, address, option, true)?;
    let bound = first.local_addr().unwrap_or(address);
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(listen(what, bound, option, true)?);
    }
    Ok(listeners)
}

type Catalogs = watch::Receiver<Arc<Catalog>>;

fn start_thread(
    number: usize,
    shared: Arc<Shared>,
    inlets: Inlets,
    catalogs: Option<Catalogs>,
) -> std::io::Result<oneshot::Receiver<usize>> {
    let runtime = Builder::new_current_thread().enable_all().thread_name(format!("front-{number}-disk")).build()?;
    let (tell, ended) = oneshot::channel();
    thread::Builder::new().name(format!("front-{number}")).spawn(move || {
        let cut_off = runtime.block_on(async {
            if let Some(catalogs) = catalogs {
                tokio::spawn(follow(Arc::clone(&shared), catalogs));
            }
            Worker::run(shared, inlets).await
        });
        runtime.shutdown_background();
        // Nobody may be waiting any more.
        let _ = tell.send(cut_off);
    })?;
    Ok(ended)
}

/// Makes new routes whenever the catalog changes, until the thread ends.
async fn follow(shared: Arc<Shared>, mut catalogs: Catalogs) {
    loop {
        let catalog = Arc::clone(&catalogs.borrow_and_update());
        let routes = Arc::new(shared.routes.load().renewed(catalog));
        shared.tls.iter().for_each(|tls| tls.know(Arc::clone(&routes)));
        shared.routes.store(routes);
        shared.routes_version.fetch_add(1, Ordering::Release);
        if catalogs.changed().await.is_err() {
            return;
        }
    }
}
