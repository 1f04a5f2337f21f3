//! Port: messages to other nodes and streams to their front ends. Who calls is authenticated; nobody else gets in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ringway_ring::NodeId;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// What goes first when a connection is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Consensus and membership.
    Control,
    /// Somebody is waiting for an answer.
    Client,
    /// Transfers and repair.
    Bulk,
}

/// Which part of the other node a message is for. The number is on the wire: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Service {
    Membership = 1,
    Consensus = 2,
    Propose = 3,
    Data = 4,
    Transfer = 5,
    Blobs = 6,
    Control = 7,
    Ring = 8,
    Lookup = 9,
    Cache = 10,
}

impl Service {
    pub fn from_wire(number: u8) -> Option<Self> {
        use Service::*;
        [Membership, Consensus, Propose, Data, Transfer, Blobs, Control, Ring, Lookup, Cache]
            .into_iter()
            .find(|s| *s as u8 == number)
    }
}

/// The largest message body. Larger things are sent in pieces.
pub const MESSAGE_MAX: usize = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    #[error("node {0} is not reachable: {1}")]
    Unreachable(NodeId, String),
    /// It may or may not have been done there.
    #[error("node {0} did not answer within {1:?}")]
    TimedOut(NodeId, Duration),
    /// Too much is under way to that node; nothing was sent. Safe to try again.
    #[error("too many messages are under way to node {0}")]
    Busy(NodeId),
    #[error("node {0} answered with an error: {1}")]
    Remote(NodeId, String),
    #[error("message of {0} bytes is over the limit of {MESSAGE_MAX}")]
    TooLarge(usize),
}

/// A byte stream to another node's front end (HTTP/1.1 inside), already authenticated.
pub trait PeerStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> PeerStream for T {}

/// Serves the messages for one [`Service`].
pub trait PeerHandler: Send + Sync {
    /// `Err` is told to the caller as text ([`PeerError::Remote`]).
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>>;
}

pub trait Peers: Send + Sync {
    /// Sends a request and waits for its answer, `within` at most.
    fn call(
        &self,
        to: NodeId,
        priority: Priority,
        service: Service,
        body: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>>;

    /// Sends without waiting for an answer; may be lost.
    fn tell(&self, to: NodeId, priority: Priority, service: Service, body: Bytes);

    /// Opens a stream to the front end of another node, for forwarding HTTP requests.
    fn open_http(&self, to: NodeId) -> BoxFuture<'static, Result<Box<dyn PeerStream>, PeerError>>;

    /// Who serves messages for `service` on this node. One handler a service; set while the node is built, before it listens.
    fn serve(&self, service: Service, handler: Arc<dyn PeerHandler>);

    /// This node.
    fn own_id(&self) -> NodeId;
}
