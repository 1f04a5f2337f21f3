//! Core: the ring as cluster-aware Redis clients see it: slots, and at which address each is served.
//!
//! Any node answers for any key, so nobody is ever sent elsewhere; a client that knows the slots saves a hop. Addresses are always
//! explicit: ioredis and phpredis fail on an empty host.

use std::net::SocketAddr;

use ringway_catalog::NodeInfo;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::request::parse_int;
use ringway_ring::{NodeId, Partition, SLOT_COUNT, slot_of};

use crate::DataTier;
use crate::door::command::{Args, NOT_AN_INTEGER};
use crate::door::session::unknown_subcommand;
use crate::view::View;

/// A run of slots with the same node: first, last, who.
type Range = (u16, u16, NodeId);

pub(super) fn run(tier: &DataTier, bucket: Option<&str>, local: SocketAddr, args: Args<'_>) -> Reply {
    let view = tier.view();
    let replicas = bucket.and_then(|name| view.buckets.get(name)).map_or(1, |bucket| bucket.replicas());
    match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"SLOTS", []) => slots(&view, replicas, local),
        (b"SHARDS", []) => shards(&view, replicas, local),
        (b"NODES", []) => Reply::Verbatim(nodes(&view, replicas, local)),
        (b"INFO", []) => Reply::Verbatim(cluster_info(&view, replicas)),
        (b"MYID", []) => Reply::text(id(tier.own)),
        (b"KEYSLOT", [key]) => Reply::Int(i64::from(slot_of(key).0)),
        (b"COUNTKEYSINSLOT", [slot]) if parse_int(slot).is_none() => NOT_AN_INTEGER,
        (b"COUNTKEYSINSLOT", [_]) => Reply::error("ERR keys are counted by bucket: use DBSIZE"),
        _ => unknown_subcommand(args),
    }
}

fn ranges(view: &View, replicas: usize) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for partition in Partition::all() {
        let Some(node) = view.acting(partition, replicas) else { continue };
        let (first, last) = partition.slots();
        match ranges.last_mut() {
            Some((_, end, owner)) if *owner == node && *end + 1 == first.0 => *end = last.0,
            _ => ranges.push((first.0, last.0, node)),
        }
    }
    ranges
}

/// Where clients reach a node. One that listens on all its addresses is reached at the one its peers use, or for this node the
/// one this client has used.
fn address(view: &View, node: &NodeInfo, local: SocketAddr) -> Option<SocketAddr> {
    let mut address = node.addresses.redis?;
    if address.ip().is_unspecified() {
        let ip = if node.id == view.own { local.ip() } else { node.addresses.peer.ip() };
        address.set_ip(ip);
    }
    Some(address)
}

/// Redis' node ids have 40 digits, ours 32.
fn id(node: NodeId) -> String {
    format!("{node}00000000")
}

fn slots(view: &View, replicas: usize, local: SocketAddr) -> Reply {
    let entry = |(first, last, node): Range| {
        let address = address(view, view.catalog.nodes.get(&node)?, local)?;
        let place = vec![
            Reply::text(address.ip().to_string()),
            Reply::Int(i64::from(address.port())),
            Reply::text(id(node)),
            Reply::Array(Vec::new()),
        ];
        Some(Reply::Array(vec![Reply::Int(i64::from(first)), Reply::Int(i64::from(last)), Reply::Array(place)]))
    };
    Reply::Array(ranges(view, replicas).into_iter().filter_map(entry).collect())
}

fn shards(view: &View, replicas: usize, local: SocketAddr) -> Reply {
    let ranges = ranges(view, replicas);
    let text = |text: &str| Reply::text(text);
    let shard = |node: &NodeInfo| {
        let address = address(view, node, local)?;
        let own = ranges.iter().filter(|(_, _, owner)| *owner == node.id);
        let slots =
            own.flat_map(|(first, last, _)| [Reply::Int(i64::from(*first)), Reply::Int(i64::from(*last))]).collect();
        let health = if view.is_reachable(node.id) { "online" } else { "failed" };
        let member = Reply::Map(vec![
            (text("id"), Reply::text(id(node.id))),
            (text("port"), Reply::Int(i64::from(address.port()))),
            (text("ip"), Reply::text(address.ip().to_string())),
            (text("endpoint"), Reply::text(address.ip().to_string())),
            (text("role"), text("master")),
            (text("replication-offset"), Reply::Int(0)),
            (text("health"), text(health)),
        ]);
        Some(Reply::Map(vec![(text("slots"), Reply::Array(slots)), (text("nodes"), Reply::Array(vec![member]))]))
    };
    Reply::Array(view.catalog.nodes.values().filter_map(shard).collect())
}

fn nodes(view: &View, replicas: usize, local: SocketAddr) -> String {
    let ranges = ranges(view, replicas);
    let line = |node: &NodeInfo| {
        let address = address(view, node, local)?;
        let myself = if node.id == view.own { "myself," } else { "" };
        let state = if view.is_reachable(node.id) { "connected" } else { "disconnected" };
        let own = ranges.iter().filter(|(_, _, owner)| *owner == node.id);
        let slots: Vec<String> = own.map(|(first, last, _)| format!("{first}-{last}")).collect();
        let (bus, epoch) = (node.addresses.peer.port(), view.catalog.layout.epoch);
        let place = format!("{}:{}@{bus}", address.ip(), address.port());
        Some(format!("{} {place} {myself}master - 0 0 {epoch} {state} {}\n", id(node.id), slots.join(" ")))
    };
    view.catalog.nodes.values().filter_map(line).collect()
}

fn cluster_info(view: &View, replicas: usize) -> String {
    let served: usize = ranges(view, replicas).iter().map(|(first, last, _)| usize::from(last - first) + 1).sum();
    let state = if served == SLOT_COUNT { "ok" } else { "fail" };
    let nodes = view.catalog.nodes.len();
    format!(
        "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{SLOT_COUNT}\r\ncluster_slots_ok:{served}\r\n\
         cluster_slots_pfail:0\r\ncluster_slots_fail:{}\r\ncluster_known_nodes:{nodes}\r\ncluster_size:{nodes}\r\n\
         cluster_current_epoch:{}\r\n",
        SLOT_COUNT - served,
        view.catalog.layout.epoch
    )
}
