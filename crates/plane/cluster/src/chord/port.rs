//! Driver: the ring as others call it: the port, and what other machines ask. The loop itself is [`super::driver`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::Catalog;
use ringway_ports::{Membership, PeerHandler, Peers, Priority, Reach, Ring, RingError, Service, VirtualNodeView};
use ringway_ring::{Holders, NodeId, Partition, Point, Step, Via, VirtualNode};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, info};

use super::hosted::Hosted;
use super::places::partition_at;
use super::table::Table;
use super::wire::{Answer, Envelope, Packet, Question, decode, encode};

/// Things for the loop to do that may wait for it.
pub(super) const INPUTS_MAX: usize = 4096;
/// How long a lookup may take with all its repetitions.
const FIND_WITHIN: Duration = Duration::from_secs(3);
/// How long one question to an owner may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Before it is looked for again.
const PAUSE: Duration = Duration::from_millis(50);
/// How many members a node outside the ring asks to look for it.
const HELPERS_MAX: usize = 3;
/// How long neighbours may take to note that this node goes.
const DEPART_WITHIN: Duration = Duration::from_secs(10);

/// What the loop is told.
pub(super) enum Told {
    Messages(NodeId, Vec<Envelope>),
    Places(NodeId, Vec<Point>),
    Lookup { key: Point, reply: oneshot::Sender<Option<VirtualNode>> },
    Depart { reply: oneshot::Sender<()> },
    Emptied,
}

/// One machine's part in the ring. Cheap to clone.
#[derive(Clone)]
pub struct ChordRing {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) own: NodeId,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) membership: Arc<dyn Membership>,
    pub(super) catalog: watch::Receiver<Arc<Catalog>>,
    pub(super) inputs: mpsc::Sender<Told>,
    pub(super) hosted: Mutex<Hosted>,
    pub(super) table: Mutex<Table>,
    pub(super) holders: watch::Sender<Arc<Holders>>,
    /// Nodes whose messages were refused, each told once.
    pub(super) refused: Mutex<std::collections::BTreeSet<NodeId>>,
}

impl Shared {
    pub(super) fn hosted(&self) -> MutexGuard<'_, Hosted> {
        self.hosted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of the holders and tells those who watch, if it is news.
    pub(super) fn change_table(&self, change: impl FnOnce(&mut Table) -> bool) {
        let mut table = self.table();
        if change(&mut table) {
            self.holders.send_replace(Arc::new(table.holders()));
        }
    }

    pub(super) fn is_member(&self, node: NodeId) -> bool {
        self.catalog.borrow().nodes.contains_key(&node)
    }

    fn put(&self, told: Told) {
        // Maintenance asks again by itself.
        if self.inputs.try_send(told).is_err() {
            metrics::counter!("ringway_ring_dropped_total").increment(1);
        }
    }

    /// One that was removed may not know it yet. A newcomer may be ahead of our catalog: it asks again.
    fn is_welcome(&self, from: NodeId) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_member(from) {
            refused.remove(&from);
            return true;
        }
        if refused.insert(from) {
            info!(peer = %from.short(), "ring messages from a node that is no member, or not yet, are dropped");
        }
        false
    }

    async fn ask(&self, node: NodeId, question: Question, within: Duration) -> Option<Answer> {
        let body = encode(&Packet::Ask(question));
        match self.peers.call(node, Priority::Control, Service::Ring, body, within).await {
            Ok(body) => decode(&body).map_err(|why| debug!(peer = %node.short(), why, "unreadable answer")).ok(),
            Err(why) => {
                debug!(peer = %node.short(), %why, "no answer about the ring");
                None
            }
        }
    }

    /// The places of other members in the ring, of those that answer.
    pub(super) async fn ask_places(&self, node: NodeId) -> Option<Vec<VirtualNode>> {
        match self.ask(node, Question::Places, ANSWER_WITHIN).await? {
            Answer::Places(points) => Some(points.into_iter().map(|point| VirtualNode { point, node }).collect()),
            Answer::Holders { .. } | Answer::Nobody => None,
        }
    }

    /// Who holds `key`, owner first, by the owner's own word.
    async fn find(&self, key: Point) -> Result<Answer, RingError> {
        let looking = async {
            loop {
                let answer = match self.is_inside() {
                    true => self.find_inside(key).await?,
                    false => self.find_through_others(key).await,
                };
                if let Some(answer @ Answer::Holders { .. }) = answer {
                    return Ok(answer);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let not_found = || RingError::NotFound(partition_at(key).0);
        tokio::time::timeout(FIND_WITHIN, looking).await.unwrap_or_else(|_| Err(not_found()))
    }

    fn is_inside(&self) -> bool {
        !self.hosted().joined().is_empty()
    }

    async fn find_inside(&self, key: Point) -> Result<Option<Answer>, RingError> {
        if let Some((arc, nodes)) = self.hosted().arc_of(key) {
            return Ok(Some(Answer::Holders { arc, nodes }));
        }
        let (reply, found) = oneshot::channel();
        self.inputs.send(Told::Lookup { key, reply }).await.map_err(|_| RingError::Stopping)?;
        match found.await.map_err(|_| RingError::Stopping)? {
            Some(owner) if owner.node != self.own => {
                Ok(self.ask(owner.node, Question::Holders { key }, ANSWER_WITHIN).await)
            }
            _ => Ok(None),
        }
    }

    async fn find_through_others(&self, key: Point) -> Option<Answer> {
        let reach = self.membership.watch().borrow().clone();
        let helpers = reach.iter().filter(|(node, reach)| **reach == Reach::Up && self.is_member(**node));
        let mut helpers: Vec<NodeId> = helpers.map(|(node, _)| *node).collect();
        let skip = ringway_rt::random::number() as usize % helpers.len().max(1);
        helpers.rotate_left(skip);
        for helper in helpers.into_iter().take(HELPERS_MAX) {
            if let Some(answer @ Answer::Holders { .. }) = self.ask(helper, Question::Find { key }, FIND_WITHIN).await {
                return Some(answer);
            }
        }
        None
    }

    async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Places => Answer::Places(self.hosted().joined()),
            Question::Holders { key } => match self.hosted().arc_of(key) {
                Some((arc, nodes)) => Answer::Holders { arc, nodes },
                None => Answer::Nobody,
            },
            // Not through others again: two that are outside would send each other on for ever.
            Question::Find { key } => match tokio::time::timeout(FIND_WITHIN, self.find_inside(key)).await {
                Ok(Ok(Some(answer))) => answer,
                _ => Answer::Nobody,
            },
        }
    }
}

impl Ring for ChordRing {
    fn watch(&self) -> watch::Receiver<Arc<Holders>> {
        self.shared.holders.subscribe()
    }

    fn find(&self, partition: Partition) -> BoxFuture<'static, Result<Vec<NodeId>, RingError>> {
        let shared = self.shared.clone();
        async move {
            let started = Instant::now();
            let found = shared.find(partition.end()).await;
            metrics::histogram!("ringway_ring_find_seconds").record(started.elapsed().as_secs_f64());
            match found? {
                Answer::Holders { arc, nodes } if !nodes.is_empty() => {
                    if nodes[0] != shared.own {
                        shared.change_table(|table| table.learn(arc, nodes.clone()));
                    }
                    Ok(nodes)
                }
                _ => Err(RingError::NotFound(partition.0)),
            }
        }
        .boxed()
    }

    fn forget(&self, partition: Partition) {
        self.shared.change_table(|table| table.forget(partition));
    }

    fn virtual_nodes(&self) -> Vec<VirtualNodeView> {
        self.shared.hosted().views()
    }

    fn step(&self, via: Via, key: Point) -> Step<VirtualNode> {
        self.shared.hosted().step(via, key)
    }

    fn depart(&self) -> BoxFuture<'static, ()> {
        let inputs = self.shared.inputs.clone();
        async move {
            let (reply, departed) = oneshot::channel();
            if inputs.send(Told::Depart { reply }).await.is_ok() {
                // Gone or late: the neighbours find out.
                let _ = tokio::time::timeout(DEPART_WITHIN, departed).await.map(|told| told.map(drop));
            }
        }
        .boxed()
    }

    fn note_emptied(&self) {
        self.shared.put(Told::Emptied);
    }
}

// Weak: the shared part owns the peers, which own this.
pub(super) struct Door(pub(super) Weak<Shared>);

impl PeerHandler for Door {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let shared = self.0.upgrade();
        async move {
            let shared = shared.ok_or("the ring has stopped")?;
            if !shared.is_welcome(from) {
                return Err("you are no member of this cluster".to_owned());
            }
            match decode(&body)? {
                Packet::Messages(envelopes) => shared.put(Told::Messages(from, envelopes)),
                Packet::Places(points) => shared.put(Told::Places(from, points)),
                Packet::Ask(question) => return Ok(encode(&shared.answer(question).await)),
            }
            Ok(Bytes::new())
        }
        .boxed()
    }
}
