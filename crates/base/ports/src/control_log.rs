//! Port: the agreed catalog, and proposing changes to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ringway_catalog::{Catalog, Command, Outcome, Refusal};
use ringway_ring::NodeId;
use thiserror::Error;
use tokio::sync::watch;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// The command was understood and refused; nothing changed.
    #[error("{0}")]
    Refused(Refusal),
    /// Nobody leads, most likely because too few nodes are up. It may or may not be done later.
    #[error("the cluster could not agree within {0:?}: are most of its nodes up? `ringway status` shows them")]
    NoQuorum(Duration),
    #[error("this node is stopping")]
    Stopping,
}

pub trait ControlLog: Send + Sync {
    /// What this node knows to be agreed. May lag behind; never goes back. Never waits.
    fn catalog(&self) -> Arc<Catalog>;

    /// Sees every change (the latest; those in between may be skipped).
    fn watch(&self) -> watch::Receiver<Arc<Catalog>>;

    /// Proposes a change and waits until it is agreed on *and* visible in this node's own catalog.
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>>;

    /// Who orders the commands at present.
    fn leader(&self) -> Option<NodeId>;
}
