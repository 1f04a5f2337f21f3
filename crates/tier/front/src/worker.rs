//! Driver: one thread of the front end: its listeners, its connections, its upstreams.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ringway_ports::{HttpCache, Invoke, Membership, PeerStream, Peers, Telemetry};
use ringway_ring::NodeId;
use ringway_rt::clock::wall_ms;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, debug_span, warn};

use crate::claim::{Claim, Claims, Place};
use crate::config::Config;
use crate::connection;
use crate::connection_state::ConnectionState;
use crate::hot::HotTable;
use crate::http1::{Roll, with_scratch};
use crate::meters::Meters;
use crate::rate_gate::RateGate;
use crate::routes::Routes;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::upstream::Pool;

/// After accepting failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long a node that failed is tried last.
const FAILURE_MEMORY: Duration = Duration::from_secs(5);

/// What all threads see.
pub struct Shared {
    pub config: Config,
    pub invoke: Arc<dyn Invoke>,
    pub peers: Arc<dyn Peers>,
    pub membership: Arc<dyn Membership>,
    pub telemetry: Arc<dyn Telemetry>,
    pub cache: Option<Arc<dyn HttpCache>>,
    pub routes: ArcSwap<Routes>,
    /// Grows with each change of `routes`, after it.
    pub routes_version: AtomicU64,
    pub tls: Option<Tls>,
    pub requests: Arc<AtomicU64>,
    pub claims: Claims,
    pub failures: Failures,
    pub rates: RateGate,
    pub stop: CancellationToken,
    /// How long connections may take to finish after `stop`.
    pub drain: OnceLock<Duration>,
}

/// What one thread has for itself.
pub struct Worker {
    pub shared: Arc<Shared>,
    pub pool: Pool,
    pub meters: Meters,
    pub roll: Roll,
    /// Connections and tunnels, and those who accept them.
    pub tracker: TaskTracker,
    pub stop: CancellationToken,
    pub turn: AtomicUsize,
}

/// A stream from another node's front end.
pub struct FromPeer {
    pub node: NodeId,
    pub stream: Box<dyn PeerStream>,
}

/// What a thread is started with.
pub struct Inlets {
    pub http: Option<std::net::TcpListener>,
    pub https: Option<std::net::TcpListener>,
    pub peers: mpsc::Receiver<FromPeer>,
}

/// Nodes to which a request could not be handed lately.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<NodeId, Instant>>);

impl Failures {
    pub fn note(&self, node: NodeId) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| now.duration_since(*at) < FAILURE_MEMORY);
        known.insert(node, now);
    }

    pub fn lately(&self, node: NodeId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&node).is_some_and(|at| at.elapsed() < FAILURE_MEMORY)
    }
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        let pool = Pool::new(Arc::clone(&shared.peers), shared.config.limits.connect_timeout);
        let stop = shared.stop.clone();
        let roll = Roll::new(shared.config.limits.shortest());
        let (meters, tracker, turn) = (Meters::new(), TaskTracker::new(), AtomicUsize::new(0));
        Self { pool, meters, roll, tracker, stop, turn, shared }
    }

    /// Runs until the front end stops and its connections have ended or their time is up. Returns how many were cut off.
    pub async fn run(shared: Arc<Shared>, inlets: Inlets) -> usize {
        let worker = Arc::new(Worker::new(shared));
        let hot_bytes_max = worker.shared.config.hot_bytes_max / worker.shared.config.thread_count();
        with_scratch(|scratch| scratch.hot = HotTable::new(hot_bytes_max));
        let listeners = [(inlets.http, false), (inlets.https, true)].into_iter();
        let listeners = listeners.filter_map(|(listener, tls)| listener.map(|listener| (listener, tls)));
        let accepting: Vec<_> =
            listeners.map(|(listener, tls)| worker.tracker.spawn(Arc::clone(&worker).accept(listener, tls))).collect();
        worker.tracker.spawn(Arc::clone(&worker).accept_peers(inlets.peers));
        worker.tracker.spawn(Arc::clone(&worker).sweep());
        worker.stop.cancelled().await;
        worker.tracker.close();
        // Whoever is let go does not find anybody here any more.
        for accepting in accepting {
            if let Err(error) = accepting.await {
                warn!(%error, "accepting connections had panicked");
            }
        }
        worker.roll.wake_all();
        let drain = worker.shared.drain.get().copied().unwrap_or_default();
        let in_time = timeout(drain, worker.drained()).await.is_ok();
        worker.pool.close();
        if in_time { 0 } else { worker.tracker.len() }
    }

    /// All connections have ended. Until then they are still timed.
    async fn drained(&self) {
        let mut ticks = interval(self.roll.tick());
        loop {
            tokio::select! {
                () = self.tracker.wait() => return,
                _ = ticks.tick() => self.roll.sweep(),
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: std::net::TcpListener, tls: bool) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return warn!(%error, "a listener cannot be used"),
        };
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => self.take(stream, client, tls),
                Err(error) if is_about_one(&error) => {}
                Err(error) => {
                    warn!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream, client: SocketAddr, tls: bool) {
        let claim = Claim::new(self, client.ip());
        if claim.place == Place::Refused {
            return;
        }
        let Ok(server) = stream.local_addr() else { return };
        let mut state = ConnectionState::new(client, server);
        (state.tls, state.surplus) = (tls, claim.place == Place::Surplus);
        let worker = Arc::clone(self);
        let serve = async move {
            let _claim = claim;
            // Small answers must not wait for an acknowledgement of the one before.
            if stream.set_nodelay(true).is_ok()
                && let Some(socket) = worker.secure(stream, tls).await
            {
                Box::pin(connection::serve(worker, socket, state)).await;
            }
        };
        self.tracker.spawn(serve.instrument(debug_span!("connection", %client)));
    }

    async fn secure(&self, stream: TcpStream, tls: bool) -> Option<Socket> {
        let Some(tls) = self.shared.tls.as_ref().filter(|_| tls) else { return Some(Socket::Plain(stream)) };
        match timeout(self.shared.config.limits.head_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    async fn accept_peers(self: Arc<Self>, mut peers: mpsc::Receiver<FromPeer>) {
        loop {
            let FromPeer { node, stream } = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                from = peers.recv() => match from {
                    Some(from) => from,
                    None => return,
                },
            };
            let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
            let server = self.shared.config.http.or(self.shared.config.https).unwrap_or(nowhere);
            let mut state = ConnectionState::new(nowhere, server);
            state.peer = Some(node);
            let serve = connection::serve(Arc::clone(&self), Socket::Peer(stream), state);
            self.tracker.spawn(Box::pin(serve.instrument(debug_span!("peer connection", node = %node))));
        }
    }

    async fn sweep(self: Arc<Self>) {
        let (mut ticks, mut pools) = (interval(self.roll.tick()), interval(SWEEP_INTERVAL));
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = ticks.tick() => self.roll.sweep(),
                _ = pools.tick() => {
                    self.pool.sweep();
                    with_scratch(|scratch| scratch.hot.sweep(self.shared.cache.as_ref().map_or_else(wall_ms, |cache| cache.now_ms())));
                }
            }
        }
    }
}

/// Errors of one connection that was gone before it was accepted.
fn is_about_one(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted)
}
