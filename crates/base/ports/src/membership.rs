//! Port: who is reachable right now, as gossip has it. It never moves data and is never agreed on.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringway_ring::NodeId;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Up,
    /// Did not answer a probe; given time to object. Still used, but last.
    Suspect,
    Down,
}

pub trait Membership: Send + Sync {
    /// Every node but this one. Nodes of the catalog that are missing here have not been heard of: treat them as `Down`.
    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Reach>>>;

    /// A connection to `node` was refused or reset: suspect it at once.
    fn report_failure(&self, node: NodeId);

    /// Whether requests may be sent to `node`. This node itself is always reachable.
    fn is_reachable(&self, node: NodeId) -> bool;
}
