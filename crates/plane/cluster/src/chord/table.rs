//! Core: who holds what, as far as this machine knows. Its own arcs it knows; of others it keeps what their owners said last.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::chord::KeyArc;
use ringway_ring::{Holders, NodeId, PARTITION_COUNT, Partition, Point, Row};

use super::places::partition_at;

#[derive(Debug, Default)]
pub struct Table {
    own: Vec<(KeyArc, Vec<NodeId>)>,
    /// By the arc's end. Arcs are whole partitions, so there are never more than there are partitions.
    hints: BTreeMap<Point, (KeyArc, Vec<NodeId>)>,
}

impl Table {
    /// Whether that is news.
    pub fn set_own(&mut self, own: Vec<(KeyArc, Vec<NodeId>)>) -> bool {
        let is_new = self.own != own;
        self.own = own;
        is_new
    }

    /// The owner of `arc` said so. Older hints about the same partitions give way.
    pub fn learn(&mut self, arc: KeyArc, nodes: Vec<NodeId>) -> bool {
        if self.hints.get(&arc.until).is_some_and(|known| *known == (arc, nodes.clone())) {
            return false;
        }
        let covered: BTreeSet<Partition> = partitions(arc).collect();
        self.hints.retain(|_, (old, _)| !partitions(*old).any(|partition| covered.contains(&partition)));
        self.hints.insert(arc.until, (arc, nodes));
        true
    }

    pub fn forget(&mut self, partition: Partition) -> bool {
        let before = self.hints.len();
        self.hints.retain(|_, (arc, _)| !arc.contains(partition.end()));
        self.hints.len() != before
    }

    /// Forgets what these machines said of their arcs.
    pub fn forget_owners(&mut self, gone: impl Fn(NodeId) -> bool) -> bool {
        let before = self.hints.len();
        self.hints.retain(|_, (_, nodes)| nodes.first().is_some_and(|owner| !gone(*owner)));
        self.hints.len() != before
    }

    pub fn owner_hinted(&self, partition: Partition) -> Option<NodeId> {
        let (_, nodes) = self.hints.values().find(|(arc, _)| arc.contains(partition.end()))?;
        nodes.first().copied()
    }

    pub fn holders(&self) -> Holders {
        let mut rows = vec![Row::default(); PARTITION_COUNT];
        // What this machine owns it knows best.
        for (arc, nodes) in self.hints.values().chain(&self.own) {
            for partition in partitions(*arc) {
                rows[partition.index()].readers.clone_from(nodes);
            }
        }
        Holders::new(0, |partition| std::mem::take(&mut rows[partition.index()]))
    }
}

/// The partitions of an arc, clockwise. (Its ends are ends of partitions.)
pub fn partitions(arc: KeyArc) -> impl Iterator<Item = Partition> {
    let count = PARTITION_COUNT as u16;
    let (after, until) = (partition_at(arc.after).0, partition_at(arc.until).0);
    let len = match (until + count - after) % count {
        0 => count,
        len => len,
    };
    (1..=len).map(move |step| Partition((after + step) % count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn arc(after: u16, until: u16) -> KeyArc {
        KeyArc { after: Partition(after).end(), until: Partition(until).end() }
    }

    fn readers(table: &Table, partition: u16) -> Vec<NodeId> {
        table.holders().readers(Partition(partition)).to_vec()
    }

    #[test]
    fn arcs_are_whole_partitions_also_around_zero() {
        assert_eq!(partitions(arc(4094, 1)).map(|p| p.0).collect::<Vec<_>>(), [4095, 0, 1]);
        assert_eq!(partitions(arc(7, 7)).count(), PARTITION_COUNT);
        assert_eq!(partitions(arc(7, 6)).count(), PARTITION_COUNT - 1);
    }

    #[test]
    fn a_new_hint_replaces_all_that_it_overlaps() {
        let mut table = Table::default();
        assert!(table.learn(arc(10, 20), vec![node(1), node(2)]));
        assert!(!table.learn(arc(10, 20), vec![node(1), node(2)]));
        assert_eq!(readers(&table, 11), [node(1), node(2)]);
        assert!(table.learn(arc(15, 30), vec![node(3)]), "somebody took over a part");
        assert_eq!(readers(&table, 11), [], "half of an old hint is no hint");
        assert_eq!(readers(&table, 16), [node(3)]);
    }

    #[test]
    fn own_arcs_come_before_hints_about_them() {
        let mut table = Table::default();
        table.learn(arc(10, 20), vec![node(9)]);
        assert!(table.set_own(vec![(arc(12, 18), vec![node(1), node(9)])]));
        assert!(!table.set_own(vec![(arc(12, 18), vec![node(1), node(9)])]));
        assert_eq!(readers(&table, 12), [node(9)]);
        assert_eq!(readers(&table, 13), [node(1), node(9)]);
    }

    #[test]
    fn what_has_proved_wrong_is_forgotten_for_the_whole_arc() {
        let mut table = Table::default();
        table.learn(arc(10, 20), vec![node(1)]);
        table.learn(arc(20, 30), vec![node(2)]);
        assert!(table.forget(Partition(15)) && !table.forget(Partition(15)));
        assert_eq!((readers(&table, 11), readers(&table, 21)), (vec![], vec![node(2)]));
        assert!(table.forget_owners(|owner| owner == node(2)));
        assert!(table.holders().is_empty());
    }
}
