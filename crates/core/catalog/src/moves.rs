//! Core: the partitions that are changing hands, and who of those to come has said that it is ready.
//!
//! Nodes are numbered, so that thousands of rows stay small where the catalog is stored.

use std::collections::BTreeMap;

use ringway_ring::{NodeId, Partition};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Moves {
    nodes: Vec<NodeId>,
    rows: BTreeMap<u16, Move>,
}

/// Indices into `nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Move {
    /// Who answers until then, primary first.
    readers: Vec<u16>,
    synced: Vec<u16>,
}

impl Moves {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn partitions(&self) -> impl Iterator<Item = Partition> + '_ {
        self.rows.keys().copied().map(Partition)
    }

    pub fn contains(&self, partition: Partition) -> bool {
        self.rows.contains_key(&partition.0)
    }

    /// Who answers while the partition moves; `None` if it rests.
    pub fn readers(&self, partition: Partition) -> Option<Vec<NodeId>> {
        self.rows.get(&partition.0).map(|row| self.named(&row.readers))
    }

    /// Who has said that it has what it is to get.
    pub fn synced(&self, partition: Partition) -> Vec<NodeId> {
        self.rows.get(&partition.0).map(|row| self.named(&row.synced)).unwrap_or_default()
    }

    pub fn has_synced(&self, partition: Partition, node: NodeId) -> bool {
        self.synced(partition).contains(&node)
    }

    pub(crate) fn set(&mut self, partition: Partition, readers: &[NodeId], synced: &[NodeId]) {
        let mut numbers = |nodes: &[NodeId]| nodes.iter().map(|node| self.number(*node)).collect();
        let row = Move { readers: numbers(readers), synced: numbers(synced) };
        self.rows.insert(partition.0, row);
    }

    pub(crate) fn mark(&mut self, partition: Partition, node: NodeId) {
        let number = self.number(node);
        if let Some(row) = self.rows.get_mut(&partition.0).filter(|row| !row.synced.contains(&number)) {
            row.synced.push(number);
        }
    }

    /// Whether there was a mark.
    pub(crate) fn unmark(&mut self, partition: Partition, node: NodeId) -> bool {
        let number = self.number(node);
        let Some(row) = self.rows.get_mut(&partition.0) else { return false };
        let before = row.synced.len();
        row.synced.retain(|marked| *marked != number);
        row.synced.len() < before
    }

    pub(crate) fn end(&mut self, partition: Partition) {
        self.rows.remove(&partition.0);
        if self.rows.is_empty() {
            self.nodes.clear();
        }
    }

    fn named(&self, numbers: &[u16]) -> Vec<NodeId> {
        numbers.iter().map(|number| self.nodes[usize::from(*number)]).collect()
    }

    fn number(&mut self, node: NodeId) -> u16 {
        let known = self.nodes.iter().position(|known| *known == node);
        known.unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        }) as u16
    }
}
