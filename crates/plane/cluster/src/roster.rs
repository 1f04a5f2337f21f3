//! Core: who is a member, and where. What the catalog says, and what stands in for it until it says it.
//!
//! The catalog is the authority, but a node can be behind it: a fresh joiner has none, and a node that was down may not know who
//! leads by now, and must let that one in to learn it. So there are three more sources, each of which a member stands behind:
//! the peers named in the answer to a join, the consensus group, and *vouching* (a known member is asked about an unknown node).
//!
//! **Invariant**: a removed node is out. Nobody but members can vouch, and a node id cannot be claimed without its key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ringway_catalog::Catalog;
use ringway_ring::NodeId;
use tokio::sync::watch;

/// Vouched and self-told entries kept; more than a cluster can have nodes.
const EXTRAS_MAX: usize = 4096;

#[derive(Debug)]
pub struct Roster {
    own_id: NodeId,
    catalog: watch::Receiver<Arc<Catalog>>,
    extras: RwLock<Extras>,
}

#[derive(Debug, Default)]
struct Extras {
    /// From the answer to the join.
    first_peers: BTreeMap<NodeId, SocketAddr>,
    /// Voters and learners of the consensus group.
    group: BTreeSet<NodeId>,
    /// Not in our catalog, but in a member's.
    vouched: BTreeMap<NodeId, SocketAddr>,
    /// Where a member said itself that it is, when it last connected: it may have moved.
    told: BTreeMap<NodeId, SocketAddr>,
}

impl Roster {
    pub fn new(
        own_id: NodeId,
        catalog: watch::Receiver<Arc<Catalog>>,
        first_peers: BTreeMap<NodeId, SocketAddr>,
    ) -> Self {
        let extras = Extras { first_peers, ..Extras::default() };
        Self { own_id, catalog, extras: RwLock::new(extras) }
    }

    /// Whether this node has not learnt yet that it is a member.
    pub fn is_newcomer(&self) -> bool {
        !self.catalog.borrow().nodes.contains_key(&self.own_id)
    }

    pub fn is_member(&self, id: NodeId) -> bool {
        if self.catalog.borrow().nodes.contains_key(&id) {
            return true;
        }
        let extras = self.read();
        extras.group.contains(&id)
            || extras.vouched.contains_key(&id)
            || (extras.first_peers.contains_key(&id) && self.is_newcomer())
    }

    /// Where `id` may be found, likeliest first.
    pub fn addresses(&self, id: NodeId) -> Vec<SocketAddr> {
        let agreed = self.catalog.borrow().nodes.get(&id).map(|node| node.addresses.peer);
        let extras = self.read();
        let sources = [extras.told.get(&id), agreed.as_ref(), extras.vouched.get(&id), extras.first_peers.get(&id)];
        let mut found: Vec<SocketAddr> = Vec::with_capacity(sources.len());
        for address in sources.into_iter().flatten() {
            if !found.contains(address) {
                found.push(*address);
            }
        }
        found
    }

    /// How far this node's catalog goes.
    pub fn revision(&self) -> u64 {
        self.catalog.borrow().revision
    }

    /// Every other node that we know of.
    pub fn others(&self) -> BTreeSet<NodeId> {
        let mut ids: BTreeSet<NodeId> = self.catalog.borrow().nodes.keys().copied().collect();
        if !ids.contains(&self.own_id) {
            ids.extend(self.read().first_peers.keys());
        }
        ids.remove(&self.own_id);
        ids
    }

    /// A member said where it is.
    pub fn note_told(&self, id: NodeId, address: SocketAddr) {
        let mut extras = self.write();
        if extras.told.len() < EXTRAS_MAX {
            extras.told.insert(id, address);
        }
    }

    /// A member of our catalog has `id` in its own.
    pub fn note_vouched(&self, id: NodeId, address: SocketAddr) {
        let mut extras = self.write();
        if extras.vouched.len() < EXTRAS_MAX {
            extras.vouched.insert(id, address);
        }
    }

    /// Who is in the consensus group. Called whenever that changes, and with it what was vouched for is settled: by then our own
    /// catalog knows better.
    pub fn set_group(&self, group: BTreeSet<NodeId>) {
        let known: BTreeSet<NodeId> = self.catalog.borrow().nodes.keys().copied().collect();
        let mut extras = self.write();
        extras.vouched.retain(|id, _| !known.contains(id) && group.contains(id));
        extras.told.retain(|id, _| known.contains(id) || group.contains(id));
        extras.group = group;
    }

    pub fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalog.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Extras> {
        self.extras.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Extras> {
        self.extras.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ringway_catalog::{Addresses, NodeInfo, NodeState};

    use super::*;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn catalog_of(numbers: &[u8]) -> Arc<Catalog> {
        let node = |n: u8| NodeInfo {
            id: id(n),
            name: format!("n{n}"),
            zone: String::new(),
            capacity: 1,
            addresses: Addresses { peer: at(u16::from(n)), http: None, https: None, redis: None, admin: at(1) },
            joined_ms: 0,
            state: NodeState::Active,
        };
        Arc::new(Catalog { nodes: numbers.iter().map(|n| (id(*n), node(*n))).collect(), ..Catalog::default() })
    }

    #[test]
    fn the_peers_named_at_joining_count_only_until_the_catalog_arrives() {
        let (publish, catalog) = watch::channel(catalog_of(&[]));
        let roster = Roster::new(id(1), catalog, BTreeMap::from([(id(2), at(2)), (id(3), at(3))]));
        assert!(roster.is_newcomer() && roster.is_member(id(2)) && !roster.is_member(id(4)));
        publish.send_replace(catalog_of(&[1, 2]));
        assert!(!roster.is_newcomer() && roster.is_member(id(2)) && !roster.is_member(id(3)));
        assert_eq!(roster.others(), BTreeSet::from([id(2)]));
    }

    #[test]
    fn who_was_vouched_for_is_out_when_the_group_says_otherwise() {
        let (_publish, catalog) = watch::channel(catalog_of(&[1, 2]));
        let roster = Roster::new(id(1), catalog, BTreeMap::new());
        roster.note_vouched(id(9), at(9));
        assert!(roster.is_member(id(9)));
        roster.set_group(BTreeSet::from([id(1), id(2)]));
        assert!(!roster.is_member(id(9)));
    }

    #[test]
    fn where_a_node_says_it_is_comes_before_where_it_was() {
        let (_publish, catalog) = watch::channel(catalog_of(&[1, 2]));
        let roster = Roster::new(id(1), catalog, BTreeMap::new());
        roster.note_told(id(2), at(99));
        assert_eq!(roster.addresses(id(2)), [at(99), at(2)]);
    }
}
