//! Messages between nodes as function calls. A node that is cut off answers nothing and reaches nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::{Membership, PeerError, PeerHandler, PeerStream, Peers, Priority, Reach, Service};
use ringway_ring::NodeId;
use tokio::sync::watch;

pub type Reached = Arc<BTreeMap<NodeId, Reach>>;

#[derive(Default)]
pub struct Network {
    handlers: Mutex<BTreeMap<(NodeId, u8), Arc<dyn PeerHandler>>>,
    cut_off: Mutex<BTreeSet<NodeId>>,
    cut_links: Mutex<BTreeSet<(NodeId, NodeId)>>,
    reach: Mutex<BTreeMap<NodeId, watch::Sender<Reached>>>,
    /// Of all messages.
    bytes: AtomicU64,
}

impl Network {
    /// How much all nodes have said to one another.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn join(self: &Arc<Self>, node: NodeId) -> Arc<Endpoint> {
        self.cut_off.lock().unwrap().remove(&node);
        let reach =
            self.reach.lock().unwrap().entry(node).or_insert_with(|| watch::channel(Reached::default()).0).subscribe();
        Arc::new(Endpoint { own: node, network: self.clone(), reach })
    }

    /// As if it had been killed: nobody is told, messages fail.
    pub fn cut_off(&self, node: NodeId) {
        self.cut_off.lock().unwrap().insert(node);
        self.handlers.lock().unwrap().retain(|(owner, _), _| *owner != node);
        self.reach.lock().unwrap().remove(&node);
    }

    /// These two do not reach each other; everybody else does.
    pub fn cut_link(&self, one: NodeId, other: NodeId) {
        self.cut_links.lock().unwrap().extend([(one, other), (other, one)]);
    }

    /// They do again.
    pub fn mend_link(&self, one: NodeId, other: NodeId) {
        self.cut_links.lock().unwrap().retain(|link| *link != (one, other) && *link != (other, one));
    }

    /// Gossip tells one node of another one.
    pub fn tell(&self, observer: NodeId, node: NodeId, news: Reach) {
        self.reach.lock().unwrap()[&observer].send_modify(|reach| {
            let mut changed = (**reach).clone();
            changed.insert(node, news);
            *reach = Arc::new(changed);
        });
    }

    /// Gossip tells everybody who is up.
    pub fn gossip(&self, up: &[NodeId]) {
        for (own, sender) in self.reach.lock().unwrap().iter() {
            let known: BTreeMap<NodeId, Reach> = up.iter().filter(|n| *n != own).map(|n| (*n, Reach::Up)).collect();
            sender.send_if_modified(|reach| {
                let changed = **reach != known;
                *reach = Arc::new(known);
                changed
            });
        }
    }

    async fn deliver(&self, from: NodeId, to: NodeId, service: Service, body: Bytes) -> Result<Bytes, PeerError> {
        let is_cut = |node| self.cut_off.lock().unwrap().contains(&node);
        let handler = self.handlers.lock().unwrap().get(&(to, service as u8)).cloned();
        match handler {
            Some(handler) if !is_cut(from) && !is_cut(to) && !self.cut_links.lock().unwrap().contains(&(from, to)) => {
                let asked = body.len();
                let answer = handler.handle(from, body).await.map_err(|why| PeerError::Remote(to, why));
                let answered = answer.as_ref().map_or(0, Bytes::len);
                self.bytes.fetch_add((asked + answered) as u64, Ordering::Relaxed);
                // Nobody hears the answer of one that was killed meanwhile, even if it has started again.
                let now = self.handlers.lock().unwrap().get(&(to, service as u8)).cloned();
                match now.is_some_and(|now| Arc::ptr_eq(&now, &handler)) {
                    true => answer,
                    false => Err(PeerError::Unreachable(to, "connection reset".to_owned())),
                }
            }
            _ => Err(PeerError::Unreachable(to, "connection refused".to_owned())),
        }
    }
}

pub struct Endpoint {
    own: NodeId,
    network: Arc<Network>,
    reach: watch::Receiver<Reached>,
}

impl Peers for Endpoint {
    fn call(
        &self,
        to: NodeId,
        _priority: Priority,
        service: Service,
        body: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        assert!(body.len() <= ringway_ports::peers::MESSAGE_MAX);
        let (own, network) = (self.own, self.network.clone());
        async move {
            // In a task of its own, as on a network: the handler goes on when the caller gives up.
            let call = tokio::spawn(async move { network.deliver(own, to, service, body).await });
            match tokio::time::timeout(within, call).await {
                Ok(answer) => answer.map_err(|_| PeerError::Unreachable(to, "it stopped".to_owned()))?,
                Err(_) => Err(PeerError::TimedOut(to, within)),
            }
        }
        .boxed()
    }

    fn tell(&self, to: NodeId, priority: Priority, service: Service, body: Bytes) {
        tokio::spawn(self.call(to, priority, service, body, Duration::from_secs(1)).map(drop));
    }

    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>> {
        async move { Err(PeerError::Unreachable(to, "no front end here".to_owned())) }.boxed()
    }

    fn serve(&self, service: Service, handler: Arc<dyn PeerHandler>) {
        self.network.handlers.lock().unwrap().insert((self.own, service as u8), handler);
    }

    fn own_id(&self) -> NodeId {
        self.own
    }
}

impl Membership for Endpoint {
    fn watch(&self) -> watch::Receiver<Reached> {
        self.reach.clone()
    }

    fn report_failure(&self, node: NodeId) {
        let reach = self.network.reach.lock().unwrap();
        // It may have been killed in the middle of a message.
        let Some(own) = reach.get(&self.own) else { return };
        own.send_if_modified(|known| {
            if known.get(&node) != Some(&Reach::Up) {
                return false;
            }
            let mut changed = (**known).clone();
            changed.insert(node, Reach::Suspect);
            *known = Arc::new(changed);
            true
        });
    }

    fn is_reachable(&self, node: NodeId) -> bool {
        node == self.own || self.reach.borrow().get(&node).is_some_and(|reach| *reach != Reach::Down)
    }
}
