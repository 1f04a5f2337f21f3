//! Core: in which order to try the nodes for a request to a service.
//!
//! This node first if it is one of those that are to run the service: a hop saved is worth more than a perfect spread. Else the
//! placed nodes in turn, those that failed lately last. Apart from them those that would take over if the placed ones were
//! gone: a node that has just died is still believed to be alive by most.

use ringway_ring::NodeId;

/// Who is to have a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// An instance on this node.
    Here,
    Node(NodeId),
}

/// Whom to try, first to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Those that are to run the service.
    pub placed: Vec<Candidate>,
    /// Each may stand in for one that is gone, never for one whose app only failed: it would start an instance where none
    /// belongs, perhaps with another database.
    pub spare: Vec<Candidate>,
}

/// `ranked`: all reachable nodes, best first, of which the first `placed` are to run the service. `turn` grows by one with each
/// request.
pub fn order(
    own: NodeId,
    ranked: &[NodeId],
    placed: usize,
    turn: usize,
    failed_lately: impl Fn(NodeId) -> bool,
) -> Order {
    let (placed, spare) = ranked.split_at(placed.min(ranked.len()));
    let mut nodes: Vec<NodeId> = placed.to_vec();
    if !nodes.is_empty() {
        let by = turn % nodes.len();
        nodes.rotate_left(by);
    }
    nodes.sort_by_key(|node| (*node != own, failed_lately(*node)));
    if nodes.is_empty() {
        nodes.push(own);
    }
    let candidate = |node| if node == own { Candidate::Here } else { Candidate::Node(node) };
    Order {
        placed: nodes.into_iter().map(candidate).collect(),
        spare: spare.iter().copied().filter(|node| !failed_lately(*node)).map(candidate).collect(),
    }
}

#[cfg(test)]
mod tests;
