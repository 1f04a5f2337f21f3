//! Core: the slot map in Redis' formats: CLUSTER SLOTS, SHARDS, NODES, REPLICAS and INFO.
//!
//! Their shapes are those of the Redis 7 command reference; what clients make of them was tried with redis-py, ioredis, redis-cli
//! and redis-benchmark.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ringway_catalog::NodeInfo;
use ringway_ports::Reach;
use ringway_protocol::resp::Reply;
use ringway_ring::{NodeId, SLOT_COUNT};

use super::id;
use super::slot_map::SlotMap;

impl SlotMap<'_> {
    /// For each range the acting primary, then, if wanted, the other replicas that are not down.
    pub(super) fn slots(&self, with_replicas: bool) -> Reply {
        let ranges = self.ranges.iter().filter_map(|range| {
            let others = range.others.iter().copied().filter(|node| with_replicas && self.view.is_reachable(*node));
            let places: Vec<Reply> =
                std::iter::once(range.primary).chain(others).filter_map(|node| self.place(node)).collect();
            let slots = [range.first, range.last].map(|slot| Reply::Int(slot.into()));
            (!places.is_empty()).then(|| Reply::Array(slots.into_iter().chain(places).collect()))
        });
        Reply::Array(ranges.collect())
    }

    fn place(&self, node: NodeId) -> Option<Reply> {
        let address = self.address(node)?;
        Some(Reply::Array(vec![
            Reply::text(address.ip().to_string()),
            Reply::Int(address.port().into()),
            Reply::text(id(node)),
            Reply::Array(Vec::new()),
        ]))
    }

    /// A shard is a primary with its slots, and the nodes that hold copies of any of them.
    pub(super) fn shards(&self) -> Reply {
        let shard = |(node, address): (&NodeInfo, SocketAddr)| {
            if self.master_of(node.id).is_some() {
                return None;
            }
            let slots = self.of_primary(node.id).into_iter().flat_map(|(first, last)| [first, last]);
            let mut members = vec![self.shard_member(node.id, address, "master")];
            members.extend(
                self.copies_of(node.id)
                    .into_iter()
                    .filter_map(|other| Some(self.shard_member(other, self.address(other)?, "replica"))),
            );
            Some(Reply::Map(vec![
                (Reply::text("slots"), Reply::Array(slots.map(|slot| Reply::Int(slot.into())).collect())),
                (Reply::text("nodes"), Reply::Array(members)),
            ]))
        };
        Reply::Array(self.members().filter_map(shard).collect())
    }

    fn shard_member(&self, node: NodeId, address: SocketAddr, role: &'static str) -> Reply {
        let text = |text: &str| Reply::text(text.to_owned());
        let health = if self.view.is_reachable(node) { "online" } else { "failed" };
        Reply::Map(vec![
            (text("id"), Reply::text(id(node))),
            (text("port"), Reply::Int(address.port().into())),
            (text("ip"), Reply::text(address.ip().to_string())),
            (text("endpoint"), Reply::text(address.ip().to_string())),
            (text("role"), text(role)),
            (text("replication-offset"), Reply::Int(0)),
            (text("health"), text(health)),
        ])
    }

    /// Who holds copies of slots that `node` is the acting primary of.
    fn copies_of(&self, node: NodeId) -> BTreeSet<NodeId> {
        self.ranges.iter().filter(|range| range.primary == node).flat_map(|range| range.others.clone()).collect()
    }

    pub(super) fn nodes(&self) -> String {
        self.members().map(|(node, address)| self.line(node, address) + "\n").collect()
    }

    /// `id ip:port@bus flags master ping-sent pong-received epoch link-state slots...`
    fn line(&self, node: &NodeInfo, address: SocketAddr) -> String {
        let (own, epoch) = (self.view.own, self.view.holders.epoch());
        let master = self.master_of(node.id);
        let myself = if node.id == own { "myself," } else { "" };
        let role = if master.is_some() { "slave" } else { "master" };
        let (fault, link) = match self.reach_of(node.id) {
            Reach::Up => ("", "connected"),
            Reach::Suspect => (",fail?", "connected"),
            Reach::Down => (",fail", "disconnected"),
        };
        let place = format!("{}:{}@{}", address.ip(), address.port(), node.addresses.peer.port());
        let master = master.map_or_else(|| "-".to_owned(), id);
        let slots: String =
            self.of_primary(node.id).into_iter().map(|(first, last)| format!(" {first}-{last}")).collect();
        format!("{} {place} {myself}{role}{fault} {master} 0 0 {epoch} {link}{slots}", id(node.id))
    }

    /// One line as in NODES for each node that holds copies of what the named one is the acting primary of.
    pub(super) fn replicas(&self, named: &[u8]) -> Reply {
        let Some((master, _)) = self.members().find(|(node, _)| id(node.id).as_bytes() == named) else {
            return Reply::Error(format!("ERR Unknown node {}", String::from_utf8_lossy(named)).into());
        };
        let copies = self.copies_of(master.id);
        let holders = self.members().filter(|(node, _)| copies.contains(&node.id));
        Reply::Array(holders.map(|(node, address)| Reply::text(self.line(node, address))).collect())
    }

    pub(super) fn info(&self) -> String {
        let served = self.slots_served();
        let state = if served == SLOT_COUNT { "ok" } else { "fail" };
        let known = self.members().count();
        let size = self.members().filter(|(node, _)| !self.of_primary(node.id).is_empty()).count();
        format!(
            "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{SLOT_COUNT}\r\ncluster_slots_ok:{served}\r\n\
             cluster_slots_pfail:0\r\ncluster_slots_fail:{}\r\ncluster_known_nodes:{known}\r\ncluster_size:{size}\r\n\
             cluster_current_epoch:{epoch}\r\ncluster_my_epoch:{epoch}\r\n",
            SLOT_COUNT - served,
            epoch = self.view.holders.epoch(),
        )
    }
}
