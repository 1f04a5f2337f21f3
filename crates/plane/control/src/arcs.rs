//! Core: the table of 4096 partitions, told as arcs: runs of neighbours that have the same owners.

use std::collections::BTreeMap;

use ringway_ring::{Holders, NodeId, Partition};

use crate::api::RingArc;

/// The arcs in order, without gaps: those who answer now. Owners are places in `members`. None for an empty ring.
pub fn arcs(holders: &Holders, members: &[NodeId]) -> Vec<RingArc> {
    if holders.is_empty() {
        return Vec::new();
    }
    let places: BTreeMap<NodeId, u16> = members.iter().copied().zip(0..).collect();
    let mut arcs: Vec<RingArc> = Vec::new();
    for partition in Partition::all() {
        let owners: Vec<u16> =
            holders.readers(partition).iter().filter_map(|owner| places.get(owner).copied()).collect();
        match arcs.last_mut() {
            Some(last) if last.owners == owners => last.to_partition = partition.0,
            _ => arcs.push(RingArc { from_partition: partition.0, to_partition: partition.0, owners }),
        }
    }
    arcs
}

#[cfg(test)]
mod tests;
