//! Driver: node to node. One mutually authenticated, multiplexed connection per direction, and streams to front ends.
//!
//! Each side dials its own connection for what it asks; answers come back on the same one. So there is no question of who may
//! close which connection, and a broken direction heals by itself. The parts: [`frame`] (what is said), [`wire`] (how it gets
//! through a socket), [`link`] (the asking side), [`serve`] (the answering side), [`dial`] and [`listener`] (getting connected).

pub mod dial;
pub mod frame;
pub mod link;
pub mod listener;
pub mod serve;
pub mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::peers::MESSAGE_MAX;
use ringway_ports::{PeerError, PeerHandler, PeerStream, Peers, Priority, Service};
use ringway_ring::NodeId;
use ringway_rt::Tasks;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::certificates::TlsSettings;
use crate::roster::Roster;
use crate::wall_clock::WallClock;
use link::Link;

/// Requests of the consensus and of membership that may be handled at once; they wait for nobody else.
const CONTROL_HANDLERS_MAX: usize = 256;
/// All other requests that may be handled at once.
const HANDLERS_MAX: usize = 1024;

/// Told how connections fare.
pub trait Observer: Send + Sync {
    /// A connection to `node` could not be had, or was lost.
    fn lost(&self, node: NodeId);
    /// There is a connection to `node`.
    fn connected(&self, node: NodeId);
    /// `node`, a member, says that this node is none.
    fn refused_by(&self, node: NodeId);
}

pub type OnHttp = Arc<dyn Fn(NodeId, Box<dyn PeerStream>) + Send + Sync>;
/// Serves one joiner to the end.
pub type OnJoin =
    Arc<dyn Fn(tokio_rustls::server::TlsStream<TcpStream>, SocketAddr) -> BoxFuture<'static, ()> + Send + Sync>;
/// Asks the members that we know about a node that we do not know.
pub type Vouch = Arc<dyn Fn(NodeId) -> BoxFuture<'static, Option<SocketAddr>> + Send + Sync>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    inner: Arc<Inner>,
}

struct Inner {
    own_id: NodeId,
    /// What we tell others about where we are.
    own_address: SocketAddr,
    clock: WallClock,
    tls: TlsSettings,
    roster: Arc<Roster>,
    tasks: Tasks,
    links: Mutex<HashMap<NodeId, Arc<Link>>>,
    handlers: ArcSwap<HashMap<u8, Arc<dyn PeerHandler>>>,
    control_permits: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    observer: OnceLock<Arc<dyn Observer>>,
    on_http: OnceLock<OnHttp>,
    on_join: OnceLock<OnJoin>,
    vouch: OnceLock<Vouch>,
}

impl Transport {
    pub fn new(
        own_id: NodeId,
        own_address: SocketAddr,
        clock: WallClock,
        tls: TlsSettings,
        roster: Arc<Roster>,
        tasks: Tasks,
    ) -> Self {
        let inner = Inner {
            own_id,
            own_address,
            clock,
            tls,
            roster,
            tasks,
            links: Mutex::default(),
            handlers: ArcSwap::default(),
            control_permits: Arc::new(Semaphore::new(CONTROL_HANDLERS_MAX)),
            permits: Arc::new(Semaphore::new(HANDLERS_MAX)),
            observer: OnceLock::new(),
            on_http: OnceLock::new(),
            on_join: OnceLock::new(),
            vouch: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The following are set once, while the node is built; later calls change nothing.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.inner.observer.set(observer);
    }

    pub fn set_on_http(&self, on_http: OnHttp) {
        let _ = self.inner.on_http.set(on_http);
    }

    pub fn set_on_join(&self, on_join: OnJoin) {
        let _ = self.inner.on_join.set(on_join);
    }

    pub fn set_vouch(&self, vouch: Vouch) {
        let _ = self.inner.vouch.set(vouch);
    }

    /// The link to a member, made when first needed.
    fn link(&self, to: NodeId) -> Result<Arc<Link>, PeerError> {
        let mut links = self.links();
        if let Some(link) = links.get(&to) {
            return Ok(link.clone());
        }
        if self.inner.roster.addresses(to).is_empty() {
            return Err(PeerError::Unreachable(to, "it is not a member that this node knows of".into()));
        }
        if self.inner.tasks.is_stopping() {
            return Err(PeerError::Unreachable(to, "this node is stopping".into()));
        }
        let (link, outbox) = Link::new(to);
        let link = Arc::new(link);
        self.inner.tasks.spawn("link", link::run(self.clone(), link.clone(), outbox));
        links.insert(to, link.clone());
        Ok(link)
    }

    /// `peer` has just connected to us: if we were waiting before trying it again, there is no need to.
    fn retry_soon(&self, peer: NodeId) {
        if let Some(link) = self.links().get(&peer) {
            link.retry_soon();
        }
    }

    fn links(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Link>>> {
        self.inner.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handler(&self, service: u8) -> Option<Arc<dyn PeerHandler>> {
        self.inner.handlers.load().get(&service).cloned()
    }

    fn permits_for(&self, service: Service) -> &Arc<Semaphore> {
        match wire::priority_of(service) {
            Priority::Control => &self.inner.control_permits,
            Priority::Client | Priority::Bulk => &self.inner.permits,
        }
    }
}

impl Peers for Transport {
    fn call(
        &self,
        to: NodeId,
        priority: Priority,
        service: Service,
        body: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        if body.len() > MESSAGE_MAX {
            return futures_util::future::ready(Err(PeerError::TooLarge(body.len()))).boxed();
        }
        if to == self.inner.own_id {
            return call_self(to, self.handler(service as u8), body, within).boxed();
        }
        match self.link(to) {
            Ok(link) => async move { link.call(priority, service, body, within).await }.boxed(),
            Err(error) => futures_util::future::ready(Err(error)).boxed(),
        }
    }

    fn tell(&self, to: NodeId, priority: Priority, service: Service, body: Bytes) {
        let sent = body.len() <= MESSAGE_MAX && self.link(to).is_ok_and(|link| link.tell(priority, service, body));
        if !sent {
            metrics::counter!("ringway_cluster_dropped_total").increment(1);
        }
    }

    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>> {
        let transport = self.clone();
        async move {
            let stream = transport.dial(to, transport.inner.tls.http_client.clone()).await;
            let stream = stream.map_err(|e| {
                transport.observe(|observer| observer.lost(to));
                PeerError::Unreachable(to, e.to_string())
            })?;
            Ok(Box::new(stream) as Box<dyn PeerStream>)
        }
        .boxed()
    }

    fn serve(&self, service: Service, handler: Arc<dyn PeerHandler>) {
        self.inner.handlers.rcu(|old| {
            let mut handlers = HashMap::clone(old);
            handlers.insert(service as u8, handler.clone());
            handlers
        });
    }

    fn own_id(&self) -> NodeId {
        self.inner.own_id
    }
}

impl Transport {
    fn observe(&self, tell: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = self.inner.observer.get()
            && !self.inner.tasks.is_stopping()
        {
            tell(observer.as_ref());
        }
    }
}

/// So that callers need not care whether the node they ask is their own.
async fn call_self(
    to: NodeId,
    handler: Option<Arc<dyn PeerHandler>>,
    body: Bytes,
    within: Duration,
) -> Result<Bytes, PeerError> {
    let Some(handler) = handler else {
        return Err(PeerError::Remote(to, "nobody here serves that".into()));
    };
    match tokio::time::timeout(within, handler.handle(to, body)).await {
        Ok(answer) => answer.map_err(|text| PeerError::Remote(to, text)),
        Err(_) => Err(PeerError::TimedOut(to, within)),
    }
}

#[cfg(test)]
mod tests;
