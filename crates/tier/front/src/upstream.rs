//! Driver: connections to instances on this node and to other nodes' front ends, kept for the next request.
//!
//! One pool a thread, so that nothing is passed between threads. The protocol is HTTP/1.1 by hyper's client; a codec of our own
//! would go in here, behind [`Pool::send`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use ringway_ports::{Body, PeerStream, Peers, empty};
use ringway_ring::NodeId;
use ringway_rt::net;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

/// Idle connections kept to one upstream.
const IDLE_MAX: usize = 32;
/// Shorter than the servers people run keep theirs (Node.js: 5 s), so that we hang up first.
const IDLE_TIME_INSTANCE: Duration = Duration::from_secs(4);
/// Shorter than our own front end keeps one.
const IDLE_TIME_NODE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upstream {
    Instance(SocketAddr),
    Node(NodeId),
}

/// Why there is no answer, and whether somebody else may be asked.
pub enum Failure {
    /// Not a byte went out: here is the request back.
    Unsent(Box<Request<Body>>, String),
    /// It may have been done.
    Sent(String),
}

/// An answer, and the connection it came on, to be given back once it is read.
pub type Answered = (Response<Incoming>, SendRequest<Body>);

pub struct Pool {
    peers: Arc<dyn Peers>,
    connect_timeout: Duration,
    /// `None` when the thread is stopping.
    idle: Mutex<Option<HashMap<Upstream, Vec<Idle>>>>,
}

struct Idle {
    sender: SendRequest<Body>,
    until: Instant,
}

impl Pool {
    pub fn new(peers: Arc<dyn Peers>, connect_timeout: Duration) -> Self {
        Self { peers, connect_timeout, idle: Mutex::new(Some(HashMap::new())) }
    }

    /// Sends a request and waits until its answer begins.
    pub async fn send(&self, upstream: Upstream, mut request: Request<Body>) -> Result<Answered, Failure> {
        while let Some(mut sender) = self.take(upstream) {
            if sender.ready().await.is_err() {
                continue;
            }
            let again = replay(&request);
            match send_on(sender, request).await {
                // The server hung up as we sent. That is nobody's failure, and asking again is safe.
                Err(Failure::Sent(why)) => match again {
                    Some(again) => request = again,
                    None => return Err(Failure::Sent(why)),
                },
                Err(Failure::Unsent(back, _)) => request = *back,
                answered => return answered,
            }
        }
        match self.connect(upstream).await {
            Ok(sender) => send_on(sender, request).await,
            Err(why) => Err(Failure::Unsent(Box::new(request), why)),
        }
    }

    /// Keeps a connection whose last answer was read to the end.
    pub fn keep(&self, upstream: Upstream, sender: SendRequest<Body>) {
        let time = if matches!(upstream, Upstream::Node(_)) { IDLE_TIME_NODE } else { IDLE_TIME_INSTANCE };
        if let Some(idle) = self.idle().as_mut() {
            let kept = idle.entry(upstream).or_default();
            if kept.len() < IDLE_MAX && !sender.is_closed() {
                kept.push(Idle { sender, until: Instant::now() + time });
            }
        }
    }

    /// Closes what was not used for long.
    pub fn sweep(&self) {
        let now = Instant::now();
        if let Some(idle) = self.idle().as_mut() {
            idle.values_mut().for_each(|kept| kept.retain(|one| one.until > now && !one.sender.is_closed()));
            idle.retain(|_, kept| !kept.is_empty());
        }
    }

    /// Closes all, and keeps none from now on.
    pub fn close(&self) {
        self.idle().take();
    }

    /// The one that was used last: the others may grow old.
    fn take(&self, upstream: Upstream) -> Option<SendRequest<Body>> {
        let now = Instant::now();
        let mut idle = self.idle();
        let kept = idle.as_mut()?.get_mut(&upstream)?;
        while let Some(one) = kept.pop() {
            if one.until > now && !one.sender.is_closed() {
                return Some(one.sender);
            }
        }
        None
    }

    async fn connect(&self, upstream: Upstream) -> Result<SendRequest<Body>, String> {
        match upstream {
            Upstream::Instance(address) => {
                handshake(net::connect(address, self.connect_timeout).await.map_err(|error| error.to_string())?).await
            }
            Upstream::Node(node) => {
                let opened = tokio::time::timeout(self.connect_timeout, self.peers.open_http(node)).await;
                let stream: Box<dyn PeerStream> =
                    opened.map_err(|_| "no stream in time".to_owned())?.map_err(|error| error.to_string())?;
                handshake(stream).await
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Option<HashMap<Upstream, Vec<Idle>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Body>, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        Builder::new().handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with its sender, which the pool or an answer's body owns.
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "a connection to an upstream broke");
        }
    });
    Ok(sender)
}

async fn send_on(mut sender: SendRequest<Body>, request: Request<Body>) -> Result<Answered, Failure> {
    match sender.try_send_request(request).await {
        Ok(response) => Ok((response, sender)),
        Err(mut failed) => {
            let back = failed.take_message();
            let why = error_text(failed.error());
            Err(match back {
                Some(back) => Failure::Unsent(Box::new(back), why),
                None => Failure::Sent(why),
            })
        }
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

fn error_text(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
