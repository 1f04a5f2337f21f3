//! Driver: connections to instances on this node and to other nodes' front ends, kept for the next request.
//!
//! One pool a thread, so that nothing is passed between threads. The protocol is HTTP/1.1, spoken by [`sending`] and
//! [`answer_body`]: no task and no channel, whoever waits for the answer does the reading.

mod answer_body;
mod h2c;
mod sending;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use ringway_ports::{Body, PeerStream, Peers, empty};
use ringway_ring::NodeId;
use ringway_rt::net;

pub use answer_body::{AnswerBody, AnswerEnd};
pub use sending::{Answered, Interim};
pub use wire::{UpstreamIo, Wire};

use h2c::H2cPool;
use sending::Sending;

/// Idle connections kept to one upstream.
const IDLE_MAX: usize = 128;
/// Shorter than the servers people run keep theirs (Node.js: 5 s), so that we hang up first.
const IDLE_TIME_INSTANCE: Duration = Duration::from_secs(4);
/// Shorter than our own front end keeps one.
const IDLE_TIME_NODE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upstream {
    Instance(SocketAddr),
    /// One that speaks HTTP/2 with prior knowledge.
    InstanceH2c(SocketAddr),
    Node(NodeId),
}

/// Why there is no answer, and whether somebody else may be asked.
pub enum Failure {
    /// Not a byte went out: here is the request back.
    Unsent(Box<Request<Body>>, String),
    /// It may have been done.
    Sent(String),
}

pub struct Pool {
    peers: Arc<dyn Peers>,
    connect_timeout: Duration,
    /// `None` when the thread is stopping.
    idle: Mutex<Option<HashMap<Upstream, Vec<Idle>>>>,
    h2c: H2cPool,
}

struct Idle {
    wire: Wire,
    until: Instant,
}

impl Pool {
    pub fn new(peers: Arc<dyn Peers>, connect_timeout: Duration) -> Self {
        Self { peers, connect_timeout, idle: Mutex::new(Some(HashMap::new())), h2c: H2cPool::default() }
    }

    /// Sends a request and waits until its answer begins. `interim` hears of answers before that (103).
    pub async fn send(
        &self,
        upstream: Upstream,
        mut request: Request<Body>,
        interim: Option<&Interim<'_>>,
    ) -> Result<Answered, Failure> {
        while let Some(wire) = self.take(upstream) {
            let again = replay(&request);
            match Sending::new(wire, request, interim).await {
                // The server hung up as we sent. That is nobody's failure, and asking again is safe.
                Err(Failure::Sent(why)) => match again {
                    Some(again) => request = again,
                    None => return Err(Failure::Sent(why)),
                },
                Err(Failure::Unsent(back, _)) => request = *back,
                Ok(answered) => return Ok(answered),
            }
        }
        match self.connect(upstream).await {
            Ok(io) => Sending::new(Wire::new(io), request, interim).await,
            Err(why) => Err(Failure::Unsent(Box::new(request), why)),
        }
    }

    /// The same for who speaks HTTP/2.
    pub async fn send_h2c(&self, address: SocketAddr, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        self.h2c.send(address, request, self.connect_timeout).await
    }

    /// Keeps a connection whose last answer was read to the end.
    pub fn keep(&self, upstream: Upstream, wire: Wire) {
        let time = if matches!(upstream, Upstream::Node(_)) { IDLE_TIME_NODE } else { IDLE_TIME_INSTANCE };
        if let Some(idle) = self.idle().as_mut() {
            let kept = idle.entry(upstream).or_default();
            if kept.len() < IDLE_MAX {
                kept.push(Idle { wire, until: Instant::now() + time });
            }
        }
    }

    /// Closes what was not used for long.
    pub fn sweep(&self) {
        let now = Instant::now();
        if let Some(idle) = self.idle().as_mut() {
            idle.values_mut().for_each(|kept| kept.retain(|one| one.until > now && one.wire.is_open()));
            idle.retain(|_, kept| !kept.is_empty());
        }
        self.h2c.sweep();
    }

    /// Closes all, and keeps none from now on.
    pub fn close(&self) {
        self.idle().take();
        self.h2c.close();
    }

    /// The one that was used last: the others may grow old.
    fn take(&self, upstream: Upstream) -> Option<Wire> {
        let now = Instant::now();
        let mut idle = self.idle();
        let kept = idle.as_mut()?.get_mut(&upstream)?;
        while let Some(one) = kept.pop() {
            if one.until > now && one.wire.is_open() {
                return Some(one.wire);
            }
        }
        None
    }

    async fn connect(&self, upstream: Upstream) -> Result<UpstreamIo, String> {
        match upstream {
            Upstream::Instance(address) | Upstream::InstanceH2c(address) => {
                let connected = net::connect(address, self.connect_timeout).await;
                connected.map(UpstreamIo::Tcp).map_err(|error| error.to_string())
            }
            Upstream::Node(node) => {
                let opened = tokio::time::timeout(self.connect_timeout, self.peers.open_http(node)).await;
                let stream: Box<dyn PeerStream> =
                    opened.map_err(|_| "no stream in time".to_owned())?.map_err(|error| error.to_string())?;
                Ok(UpstreamIo::Peer(stream))
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Option<HashMap<Upstream, Vec<Idle>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same request once more, if doing it twice is the same as doing it once.
fn replay(request: &Request<Body>) -> Option<Request<Body>> {
    is_repeatable(request.method(), request.body()).then(|| {
        let mut again = Request::new(empty());
        *again.method_mut() = request.method().clone();
        *again.uri_mut() = request.uri().clone();
        *again.headers_mut() = request.headers().clone();
        again
    })
}

/// Whether a request may be sent twice: without a body, and by a method that changes nothing.
pub fn is_repeatable(method: &Method, body: &Body) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) && body.is_end_stream()
}
