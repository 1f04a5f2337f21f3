//! Core: who has missed writes in which partitions (the hints).
//!
//! Not the writes themselves: a partition is compared and its cells are sent when the peer is back. Bounded; when it overflows,
//! the periodic comparison finds the rest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ringway_ring::{NodeId, Partition};

/// Entries (peer, bucket, partition) that are kept.
const ENTRIES_MAX: usize = 1 << 16;

/// What is owed to one peer, by bucket.
pub(crate) type Owed = BTreeMap<Arc<str>, Stamped>;
/// Partitions, each with the number of the last mark: one that comes while the partition is being brought counts.
pub(crate) type Stamped = BTreeMap<Partition, u64>;

#[derive(Debug, Default)]
pub(crate) struct Dirty(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    peers: BTreeMap<NodeId, Owed>,
    len: usize,
    marks: u64,
}

impl Dirty {
    pub(crate) fn mark(&self, peer: NodeId, bucket: &Arc<str>, partitions: impl IntoIterator<Item = Partition>) {
        let mut entries = self.lock();
        let Entries { peers, len, marks } = &mut *entries;
        let owed = peers.entry(peer).or_default().entry(bucket.clone()).or_default();
        for partition in partitions {
            if *len >= ENTRIES_MAX {
                metrics::counter!("ringway_data_hints_dropped_total").increment(1);
                return;
            }
            *marks += 1;
            *len += usize::from(owed.insert(partition, *marks).is_none());
        }
    }

    /// What is owed to `peer`. It stays on the list until [`Dirty::settle`] says that it was brought.
    pub(crate) fn owed(&self, peer: NodeId) -> Owed {
        self.lock().peers.get(&peer).cloned().unwrap_or_default()
    }

    /// `peer` has got what was here when that mark was made.
    pub(crate) fn settle(&self, peer: NodeId, bucket: &str, partition: Partition, mark: u64) {
        let mut entries = self.lock();
        let Entries { peers, len, .. } = &mut *entries;
        let owed = peers.get_mut(&peer).and_then(|buckets| buckets.get_mut(bucket));
        if let Some(owed) = owed.filter(|owed| owed.get(&partition) == Some(&mark)) {
            owed.remove(&partition);
            *len -= 1;
        }
    }

    /// Nothing is owed to `peer` any more.
    pub(crate) fn forgive(&self, peer: NodeId) {
        let mut entries = self.lock();
        let gone = entries.peers.remove(&peer).unwrap_or_default();
        entries.len -= gone.values().map(BTreeMap::len).sum::<usize>();
    }

    /// Who has missed writes of a bucket, in how many partitions.
    pub(crate) fn behind(&self, bucket: &str) -> Vec<(NodeId, u64)> {
        let entries = self.lock();
        let of = |(peer, buckets): (&NodeId, &Owed)| {
            let partitions = buckets.get(bucket)?.len() as u64;
            (partitions > 0).then_some((*peer, partitions))
        };
        entries.peers.iter().filter_map(of).collect()
    }

    /// Whether anybody has missed a write of this partition.
    pub(crate) fn has(&self, bucket: &str, partition: Partition) -> bool {
        let is_in = |buckets: &Owed| buckets.get(bucket).is_some_and(|owed| owed.contains_key(&partition));
        self.lock().peers.values().any(is_in)
    }

    /// It is no longer here to be brought to anybody.
    pub(crate) fn forget(&self, bucket: &str, partition: Partition) {
        let mut entries = self.lock();
        let Entries { peers, len, .. } = &mut *entries;
        for owed in peers.values_mut().filter_map(|buckets| buckets.get_mut(bucket)) {
            *len -= usize::from(owed.remove(&partition).is_some());
        }
    }

    /// Forgets what is owed to nodes that are not coming back.
    pub(crate) fn keep(&self, is_member: impl Fn(NodeId) -> bool) {
        let gone: Vec<NodeId> = self.lock().peers.keys().copied().filter(|node| !is_member(*node)).collect();
        gone.into_iter().for_each(|node| self.forgive(node));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    #[test]
    fn hints_are_bounded_and_forgiven_as_a_whole() {
        let (dirty, bucket) = (Dirty::default(), Arc::from("b"));
        (0..20).for_each(|n| dirty.mark(peer(n), &bucket, Partition::all()));
        assert_eq!(dirty.lock().len, ENTRIES_MAX);
        dirty.forgive(peer(0));
        assert_eq!(dirty.lock().len, ENTRIES_MAX - 4096);
        assert!(dirty.owed(peer(0)).is_empty());
    }

    #[test]
    fn a_write_that_is_missed_while_the_partition_is_being_brought_is_still_owed() {
        let (dirty, bucket) = (Dirty::default(), Arc::from("b"));
        dirty.mark(peer(1), &bucket, [Partition(7)]);
        let mark = dirty.owed(peer(1))["b"][&Partition(7)];
        dirty.mark(peer(1), &bucket, [Partition(7)]);
        dirty.settle(peer(1), "b", Partition(7), mark);
        assert!(dirty.has("b", Partition(7)));
        dirty.settle(peer(1), "b", Partition(7), mark + 1);
        assert!(!dirty.has("b", Partition(7)) && dirty.lock().len == 0);
    }
}
