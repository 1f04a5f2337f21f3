//! Core: how many instances of a service this node is to run.

use ringway_ring::NodeId;

/// This node's share of `replicas`, when `nodes` (best first) are to run them together. Fewer nodes than replicas: the
/// first in the list run one more.
pub fn instances_here(nodes: &[NodeId], own: NodeId, replicas: usize) -> usize {
    let Some(rank) = nodes.iter().position(|node| *node == own) else { return 0 };
    replicas / nodes.len() + usize::from(rank < replicas % nodes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_nodes_are_the_replicas() {
        let nodes: Vec<NodeId> = (0..3).map(|byte| NodeId::from_bytes([byte; 16])).collect();
        let shares = |replicas| nodes.iter().map(|own| instances_here(&nodes, *own, replicas)).collect::<Vec<_>>();
        assert_eq!(shares(0), [0, 0, 0]);
        assert_eq!(shares(1), [1, 0, 0]);
        assert_eq!(shares(3), [1, 1, 1]);
        assert_eq!(shares(8), [3, 3, 2]);
        assert_eq!(instances_here(&nodes, NodeId::from_bytes([9; 16]), 8), 0);
        assert_eq!(instances_here(&[], nodes[0], 8), 0);
    }
}
