//! Core: the catalog's answer to who holds what, now and next.

use std::borrow::Cow;

use ringway_ring::{Holders, Layout, NodeId, Partition, Row};

use crate::Catalog;

impl Catalog {
    /// Who answers for the partition, primary first.
    pub fn readers(&self, partition: Partition) -> Vec<NodeId> {
        self.moves.readers(partition).unwrap_or_else(|| self.layout.owners(partition).collect())
    }

    /// Those of the partition's next row that have to say that they are ready before it may answer: who is not in the present
    /// row, or further back in it. For a bucket of fewer replicas the latter is new, too.
    pub fn gainers(&self, partition: Partition) -> Vec<NodeId> {
        match self.moves.readers(partition) {
            Some(readers) => gainers(&readers, &self.layout.owners(partition).collect::<Vec<_>>()),
            None => Vec::new(),
        }
    }

    /// Whether any partition is changing hands.
    pub fn is_moving(&self) -> bool {
        !self.moves.is_empty()
    }

    /// Whether the node answers for a partition or is to.
    pub fn is_holder(&self, node: NodeId) -> bool {
        Partition::all().any(|partition| self.layout.holds(node, partition))
            || self.moves.partitions().any(|partition| self.readers(partition).contains(&node))
    }

    /// The epoch in which the partition's row last changed, or that it is to change.
    pub fn since(&self, partition: Partition) -> u64 {
        self.since.get(partition.index()).copied().unwrap_or(0)
    }

    /// The rows that answer now, as a layout of their own.
    pub fn read_layout(&self) -> Cow<'_, Layout> {
        if self.moves.is_empty() {
            return Cow::Borrowed(&self.layout);
        }
        Cow::Owned(Layout::from_rows(self.epoch, &[], |partition| self.readers(partition)))
    }

    /// Who answers for each partition and who is to come.
    pub fn holders(&self) -> Holders {
        if self.layout.is_empty() {
            return Holders::default();
        }
        Holders::new(self.epoch, |partition| {
            let next: Vec<NodeId> = self.layout.owners(partition).collect();
            let since = self.since(partition);
            match self.moves.readers(partition) {
                Some(readers) => Row { readers, next, since },
                None => Row { readers: next, next: Vec::new(), since },
            }
        })
    }
}

pub(crate) fn gainers(readers: &[NodeId], next: &[NodeId]) -> Vec<NodeId> {
    let is_new = |place: usize, node: &NodeId| !readers.iter().take(place + 1).any(|reader| reader == node);
    next.iter().enumerate().filter(|(place, node)| is_new(*place, node)).map(|(_, node)| *node).collect()
}
