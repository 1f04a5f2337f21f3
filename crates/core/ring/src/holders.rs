//! Core: who holds each partition now, and who is about to: the one thing the data tier asks about placement.
//!
//! A managed ring derives it from the agreed catalog, a Chord ring from a node's own neighbours; who reads and writes keys need
//! not know which. A row names the nodes that answer (primary first) and, while the partition moves, the row that is to answer
//! when all of its nodes have the data. Until then every write goes to both.
//!
//! Rows carry the epoch of their last change, so that two nodes that talk about a partition can tell who of them knows more.
//! A ring without agreed epochs leaves them 0: then nobody knows more than anybody else.

use crate::{NodeId, PARTITION_COUNT, Partition};

/// One partition's holders, as they are handed in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Row {
    /// Who answers, primary first.
    pub readers: Vec<NodeId>,
    /// Who is to answer next, primary first; empty while the partition rests.
    pub next: Vec<NodeId>,
    /// The epoch in which `readers` or `next` last changed; 0 where epochs are not agreed on.
    pub since: u64,
}

/// All rows. Made anew when one changes, never modified.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Holders {
    epoch: u64,
    /// All rows' readers and next nodes, one after another.
    nodes: Vec<NodeId>,
    /// `PARTITION_COUNT` of them, or none: the ring is not formed.
    places: Vec<Place>,
    moving: usize,
}

/// Where a row is in `nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: u32,
    readers: u16,
    next: u16,
    since: u64,
}

impl Holders {
    /// `row` is asked for every partition.
    pub fn new(epoch: u64, mut row: impl FnMut(Partition) -> Row) -> Self {
        let mut holders = Self { epoch, ..Self::default() };
        for partition in Partition::all() {
            let Row { readers, next, since } = row(partition);
            let place = Place {
                start: holders.nodes.len() as u32,
                readers: readers.len() as u16,
                next: next.len() as u16,
                since,
            };
            holders.moving += usize::from(!next.is_empty());
            holders.nodes.extend(readers.into_iter().chain(next));
            holders.places.push(place);
        }
        holders
    }

    /// Grows with every change of any row; 0 where epochs are not agreed on.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch in which the partition's row last changed.
    pub fn since(&self, partition: Partition) -> u64 {
        self.place(partition).map_or(0, |place| place.since)
    }

    /// Whether nobody holds anything: the ring is not formed yet.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many partitions are to change hands.
    pub fn moving(&self) -> usize {
        self.moving
    }

    pub fn is_settled(&self) -> bool {
        self.moving == 0 && !self.is_empty()
    }

    /// Who answers, primary first.
    pub fn readers(&self, partition: Partition) -> &[NodeId] {
        self.place(partition).map_or(&[], |place| self.slice(place.start, place.readers))
    }

    /// Who is to answer next, primary first; empty while the partition rests.
    pub fn next(&self, partition: Partition) -> &[NodeId] {
        self.place(partition).map_or(&[], |place| self.slice(place.start + u32::from(place.readers), place.next))
    }

    /// Who gets the writes of a bucket with so many replicas: the readers and those to come, each once.
    pub fn writers(&self, partition: Partition, replicas: usize) -> impl Iterator<Item = NodeId> + '_ {
        let readers = first(self.readers(partition), replicas);
        let coming = first(self.next(partition), replicas).iter().filter(move |node| !readers.contains(node));
        readers.iter().chain(coming).copied()
    }

    fn place(&self, partition: Partition) -> Option<Place> {
        debug_assert!(partition.index() < PARTITION_COUNT);
        self.places.get(partition.index()).copied()
    }

    fn slice(&self, start: u32, len: u16) -> &[NodeId] {
        &self.nodes[start as usize..start as usize + usize::from(len)]
    }
}

fn first(nodes: &[NodeId], count: usize) -> &[NodeId] {
    &nodes[..nodes.len().min(count)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    #[test]
    fn writes_go_to_those_who_answer_and_those_to_come_each_once() {
        let holders = Holders::new(7, |partition| match partition.0 {
            5 => Row { readers: vec![node(1), node(2)], next: vec![node(3), node(1)], since: 7 },
            _ => Row { readers: vec![node(1)], ..Row::default() },
        });
        let writers = |partition, replicas| holders.writers(Partition(partition), replicas).collect::<Vec<_>>();
        assert_eq!(writers(5, 3), [node(1), node(2), node(3)]);
        assert_eq!(writers(5, 1), [node(1), node(3)]);
        assert_eq!(writers(4, 3), [node(1)]);
        assert_eq!(holders.next(Partition(5)), [node(3), node(1)]);
        assert_eq!((holders.since(Partition(5)), holders.since(Partition(4))), (7, 0));
        assert_eq!((holders.moving(), holders.is_settled()), (1, false));
    }

    #[test]
    fn a_ring_that_is_not_formed_has_no_holders() {
        assert!(Holders::default().is_empty() && !Holders::default().is_settled());
        assert!(Holders::default().readers(Partition(0)).is_empty());
    }
}
