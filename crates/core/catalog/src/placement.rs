//! Core: which nodes run the instances of a service.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998): every node gives each (service, node) pair the same score and the highest
//! scores win, so all who see the same reachable nodes agree without asking, and a lost node moves only its own instances.

use ringway_ring::NodeId;
use xxhash_rust::xxh3::xxh3_64;

use crate::Catalog;

/// The nodes that are to run `replicas` instances of `app`'s `service`, best first. Fewer nodes than replicas: all of them, and
/// the caller gives each several. `reachable` says who counts.
pub fn nodes_for(
    catalog: &Catalog,
    reachable: impl Fn(NodeId) -> bool,
    app: &str,
    service: &str,
    replicas: usize,
) -> Vec<NodeId> {
    let mut scored: Vec<(u64, NodeId)> = catalog
        .nodes
        .values()
        .filter(|node| node.is_active() && reachable(node.id))
        .map(|node| (score(node.id, app, service), node.id))
        .collect();
    scored.sort_by(|a, b| b.cmp(a));
    scored.into_iter().take(replicas.max(1)).map(|(_, node)| node).collect()
}

fn score(node: NodeId, app: &str, service: &str) -> u64 {
    xxh3_64(format!("{app}\0{service}\0{node}").as_bytes())
}
