//! Core: who has missed writes in which partitions (the hints).
//!
//! Not the writes themselves: a partition is compared and its cells are sent when the peer is back. Bounded; when it overflows,
//! the periodic comparison finds the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ringway_ring::{NodeId, Partition};

/// Entries (peer, bucket, partition) that are kept.
const ENTRIES_MAX: usize = 1 << 16;

type Entries = BTreeMap<NodeId, BTreeMap<Arc<str>, BTreeSet<Partition>>>;

#[derive(Debug, Default)]
pub(crate) struct Dirty {
    entries: Mutex<(Entries, usize)>,
}

impl Dirty {
    pub(crate) fn mark(&self, peer: NodeId, bucket: &Arc<str>, partitions: impl IntoIterator<Item = Partition>) {
        let mut guard = self.lock();
        let (entries, len) = &mut *guard;
        let set = entries.entry(peer).or_default().entry(bucket.clone()).or_default();
        for partition in partitions {
            if *len >= ENTRIES_MAX {
                metrics::counter!("ringway_data_hints_dropped_total").increment(1);
                return;
            }
            *len += usize::from(set.insert(partition));
        }
    }

    /// Takes what is owed to `peer` off the list.
    pub(crate) fn take(&self, peer: NodeId) -> Vec<(Arc<str>, Vec<Partition>)> {
        let mut guard = self.lock();
        let (entries, len) = &mut *guard;
        let taken: Vec<(Arc<str>, Vec<Partition>)> = entries
            .remove(&peer)
            .into_iter()
            .flatten()
            .map(|(bucket, set)| (bucket, set.into_iter().collect()))
            .collect();
        *len -= taken.iter().map(|(_, partitions)| partitions.len()).sum::<usize>();
        taken
    }

    /// Forgets what is owed to nodes that are not coming back.
    pub(crate) fn keep(&self, is_member: impl Fn(NodeId) -> bool) {
        let gone: Vec<NodeId> = self.lock().0.keys().copied().filter(|node| !is_member(*node)).collect();
        gone.into_iter().for_each(|node| drop(self.take(node)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Entries, usize)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_bounded_and_taken_once() {
        let (dirty, bucket) = (Dirty::default(), Arc::from("b"));
        let peer = |n: u8| NodeId::from_bytes([n; 16]);
        (0..20).for_each(|n| dirty.mark(peer(n), &bucket, Partition::all()));
        assert_eq!(dirty.lock().1, ENTRIES_MAX);
        assert_eq!(dirty.take(peer(0))[0].1.len(), 4096);
        assert_eq!(dirty.lock().1, ENTRIES_MAX - 4096);
        assert!(dirty.take(peer(0)).is_empty());
    }
}
