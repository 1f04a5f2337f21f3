//! Core: the layout's table of 4096 partitions, told as arcs: runs of neighbours that have the same owners.

use std::collections::BTreeMap;

use ringway_ring::{Layout, NodeId, Partition};

use crate::api::RingArc;

/// The arcs of a layout in order, without gaps. Owners are places in [`Layout::members`]. None for an empty layout.
pub fn arcs(layout: &Layout) -> Vec<RingArc> {
    if layout.is_empty() {
        return Vec::new();
    }
    let places: BTreeMap<NodeId, u16> = layout.members().iter().copied().zip(0..).collect();
    let mut arcs: Vec<RingArc> = Vec::new();
    for partition in Partition::all() {
        let owners: Vec<u16> = layout.owners(partition).filter_map(|owner| places.get(&owner).copied()).collect();
        match arcs.last_mut() {
            Some(last) if last.owners == owners => last.to_partition = partition.0,
            _ => arcs.push(RingArc { from_partition: partition.0, to_partition: partition.0, owners }),
        }
    }
    arcs
}

#[cfg(test)]
mod tests;
