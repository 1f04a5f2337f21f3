//! Core: who serves which slots, and at which addresses a client reaches them.
//!
//! Slots that have the same acting primary and the same other replicas are one range. Every node is a primary of something in a
//! settled ring, so in Redis' words all are masters, and each is a replica of the others' slots as well. One that holds copies
//! only, because the ring has just changed or a capacity is small, is told as a replica of the node whose slots it shares most.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ringway_catalog::NodeInfo;
use ringway_ports::Reach;
use ringway_ring::{NodeId, Partition};

use crate::view::View;

pub(in crate::door) struct SlotMap<'a> {
    pub(super) view: &'a View,
    pub(super) ranges: Vec<SlotRange>,
    /// The address that the asking client has used for this node.
    local: SocketAddr,
}

/// A run of slots with the same nodes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::door) struct SlotRange {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: NodeId,
    /// The others that hold them, down or not.
    pub(super) others: Vec<NodeId>,
}

impl<'a> SlotMap<'a> {
    pub(in crate::door) fn new(view: &'a View, replicas: usize, local: SocketAddr) -> Self {
        let mut ranges: Vec<SlotRange> = Vec::new();
        for partition in Partition::all() {
            let Some(primary) = view.acting(partition, replicas).or_else(|| view.own_if_unknown(partition)) else {
                continue;
            };
            let mut others: Vec<NodeId> = view.readers(partition, replicas).filter(|node| *node != primary).collect();
            // Their order says nothing to a client, and sorted there are fewer ranges.
            others.sort_unstable();
            let (first, last) = (partition.slots().0.0, partition.slots().1.0);
            match ranges.last_mut() {
                Some(range) if range.last + 1 == first && range.primary == primary && range.others == others => {
                    range.last = last;
                }
                _ => ranges.push(SlotRange { first, last, primary, others }),
            }
        }
        Self { view, ranges, local }
    }

    /// The ranges a node is the acting primary of; neighbours that differ in their other replicas are one.
    pub(super) fn of_primary(&self, node: NodeId) -> Vec<(u16, u16)> {
        let mut own: Vec<(u16, u16)> = Vec::new();
        for range in self.ranges.iter().filter(|range| range.primary == node) {
            match own.last_mut() {
                Some((_, last)) if *last + 1 == range.first => *last = range.last,
                _ => own.push((range.first, range.last)),
            }
        }
        own
    }

    /// The node whose slots `node` holds most copies of, if it is primary of none itself.
    pub(super) fn master_of(&self, node: NodeId) -> Option<NodeId> {
        let mut shared: BTreeMap<NodeId, u32> = BTreeMap::new();
        for range in &self.ranges {
            if range.primary == node {
                return None;
            }
            if range.others.contains(&node) {
                *shared.entry(range.primary).or_default() += u32::from(range.last - range.first) + 1;
            }
        }
        shared.into_iter().max_by_key(|(primary, slots)| (*slots, *primary)).map(|(primary, _)| primary)
    }

    pub(super) fn slots_served(&self) -> usize {
        self.ranges.iter().map(|range| usize::from(range.last - range.first) + 1).sum()
    }

    /// The nodes that a client can reach, with their addresses.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a NodeInfo, SocketAddr)> + '_ {
        let view = self.view;
        view.catalog.nodes.values().filter_map(|node| Some((node, self.address(node.id)?)))
    }

    pub(super) fn reach_of(&self, node: NodeId) -> Reach {
        if node == self.view.own { Reach::Up } else { self.view.reach.get(&node).copied().unwrap_or(Reach::Down) }
    }

    pub(super) fn address(&self, node: NodeId) -> Option<SocketAddr> {
        address_of(self.view, node, self.local)
    }
}

/// Where clients reach a node; `None` if it has no Redis door. One that listens on all its addresses is reached at the one its
/// peers use, or for this node the one this client has used.
pub(in crate::door) fn address_of(view: &View, node: NodeId, local: SocketAddr) -> Option<SocketAddr> {
    let addresses = &view.catalog.nodes.get(&node)?.addresses;
    let mut address = addresses.redis?;
    if address.ip().is_unspecified() {
        let ip = if node == view.own { local.ip() } else { addresses.peer.ip() };
        address.set_ip(ip);
    }
    Some(address)
}
