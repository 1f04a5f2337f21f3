//! Port: a peer-to-peer ring as this node sees it. A managed ring has none: there the catalog says who holds what.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ringway_ring::chord::KeyArc;
use ringway_ring::{Holders, NodeId, Partition, Point, Step, Via, VirtualNode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;

/// One of this node's places on the ring, and whom it knows from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualNodeView {
    pub point: Point,
    /// What it answers for; None before its arc has been handed over, and after it has handed it on.
    pub arc: Option<KeyArc>,
    pub predecessor: Option<VirtualNode>,
    /// Nearest first.
    pub successors: Vec<VirtualNode>,
    /// Further nodes that it would ask, each once, clockwise.
    pub fingers: Vec<VirtualNode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RingError {
    /// Safe to try again: the arc is changing hands, or whoever had it has just died.
    #[error("nobody was found who answers for partition {0}")]
    NotFound(u16),
    #[error("this node is not in the ring yet")]
    Outside,
    #[error("this node is stopping")]
    Stopping,
}

pub trait Ring: Send + Sync {
    /// Who holds what, as far as this node knows: its own arcs exactly, others as they were when they were looked up last, the rest
    /// not at all (no readers). The owner comes first; a hint may be old, which the owner says when it is asked.
    fn watch(&self) -> watch::Receiver<Arc<Holders>>;

    /// Looks over the network for the owner and asks it who holds the partition, owner first. What comes of it is remembered for
    /// the whole arc. Ends within a few seconds.
    fn find(&self, partition: Partition) -> BoxFuture<'static, Result<Vec<NodeId>, RingError>>;

    /// What was known of the partition's holders has proved wrong.
    fn forget(&self, partition: Partition);

    /// This node's places.
    fn virtual_nodes(&self) -> Vec<VirtualNodeView>;

    /// One step of a lookup, from what this node's virtual nodes know together: their neighbours, or their fingers as well.
    fn step(&self, via: Via, key: Point) -> Step<VirtualNode>;

    /// Hands all arcs of this node to their successors, for good. Returns when these know, or when they had time enough.
    fn depart(&self) -> BoxFuture<'static, ()>;

    /// A node that departed has nothing left that the others lack: it may be taken out of the cluster.
    fn note_emptied(&self);
}
