//! Core: the members that gossip shows, as one node uses them.

use crate::chord::young;
use crate::{NodeId, VirtualNode};

/// How many of the table are kept, for each entry of a successor list.
const KEPT_PER_SUCCESSOR: usize = 4;
/// How many silent peers are remembered even with a small table.
const SILENT_MIN: usize = 256;

/// Clockwise from a node, without itself.
#[derive(Debug, Default, Clone)]
pub struct Table {
    near: Vec<VirtualNode>,
    /// How many there are in all, the node itself included.
    count: usize,
    /// Of these, who did not answer since the table came.
    silent: Vec<VirtualNode>,
}

impl Table {
    pub fn new(own: VirtualNode, mut members: Vec<VirtualNode>, length: usize) -> Self {
        members.retain(|peer| peer.point != own.point);
        members.sort_unstable_by_key(|peer| (own.point.distance_to(peer.point), *peer));
        members.dedup_by_key(|peer| peer.point);
        let count = members.len() + 1;
        members.truncate(KEPT_PER_SUCCESSOR * length);
        Self { near: members, count, silent: Vec::new() }
    }

    /// Whether this ring is too young for its lists. Without any table nobody knows, and the lists are all there is.
    pub fn is_young(&self, length: usize) -> bool {
        self.count > 0 && young::is_young(self.count, length)
    }

    /// Those who have not failed to answer.
    pub fn near(&self) -> Vec<VirtualNode> {
        self.near.iter().copied().filter(|peer| !self.silent.contains(peer)).collect()
    }

    /// All others; nobody, if there are too many to be kept.
    pub fn everybody(&self) -> &[VirtualNode] {
        if self.count == self.near.len() + 1 { &self.near } else { &[] }
    }

    pub fn is_silent(&self, peer: VirtualNode) -> bool {
        self.silent.contains(&peer)
    }

    pub fn silence(&mut self, peer: VirtualNode) {
        if !self.silent.contains(&peer) && self.silent.len() < 2 * self.near.len() + SILENT_MIN {
            self.silent.push(peer);
        }
    }

    pub fn is_heard(&mut self, peer: VirtualNode) {
        self.silent.retain(|silent| *silent != peer);
    }

    pub fn bury(&mut self, node: NodeId) {
        let before = self.near.len();
        self.near.retain(|peer| peer.node != node);
        self.count -= (before - self.near.len()).min(self.count);
    }
}
