//! Core: the node that fetches an address for all: the first reachable holder of its point on the ring.

use std::sync::Arc;

use ringway_ports::{CacheKey, Membership, Placement};
use ringway_ring::{Holders, NodeId, Partition, Point};
use tokio::sync::watch;
use xxhash_rust::xxh3::Xxh3;

pub(crate) struct Owners {
    own: NodeId,
    holders: watch::Receiver<Arc<Holders>>,
    membership: Arc<dyn Membership>,
}

/// What is known of an address's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This node, or nobody who could be asked.
    Own,
    Other(NodeId),
    /// Has to be looked up first, as in a ring that nobody agrees on.
    Unknown(Partition),
}

impl Owners {
    pub(crate) fn new(own: NodeId, placement: &dyn Placement, membership: Arc<dyn Membership>) -> Self {
        Self { own, holders: placement.watch(), membership }
    }

    pub(crate) fn of(&self, key: &CacheKey) -> Owner {
        let partition = partition_of(key);
        let holders = self.holders.borrow();
        let readers = holders.readers(partition);
        if readers.is_empty() {
            return if holders.is_empty() { Owner::Own } else { Owner::Unknown(partition) };
        }
        match readers.iter().find(|node| **node == self.own || self.membership.is_reachable(**node)) {
            Some(node) if *node != self.own => Owner::Other(*node),
            _ => Owner::Own,
        }
    }
}

/// The same on all nodes, whatever their version. Both schemes are together, so that a purge of an address concerns one owner.
pub(crate) fn hash_of(key: &CacheKey) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(key.host.as_bytes());
    hash.update(b"\n");
    hash.update(key.target.as_bytes());
    hash.digest()
}

fn partition_of(key: &CacheKey) -> Partition {
    Point(hash_of(key)).slot().partition()
}
