//! Driver: `GET /v1/status`: the catalog, what gossip says, and what each node says about itself, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringway_catalog::{Catalog, LAYOUT_REPLICAS, NodeInfo};
use ringway_ring::{Holders, NodeId, PARTITION_COUNT};
use ringway_rt::clock;

use crate::api::{Moving, NodeView, RingSummary, ShareView, Status};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::ring::held;
use crate::ring_state;

/// What those nodes said that answered.
pub(crate) type Reports = BTreeMap<NodeId, Report>;

pub(crate) async fn show(control: Arc<Control>, _call: Call) -> Reply {
    let catalog = control.catalog();
    let answers = control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await;
    json(&view(&control, &catalog, &reports(answers)))
}

pub(crate) fn reports(answers: Vec<Answer<Report>>) -> Reports {
    answers.into_iter().filter_map(|answer| Some((answer.node.id, answer.result.ok()?))).collect()
}

pub(crate) fn view(control: &Control, catalog: &Catalog, reports: &Reports) -> Status {
    let leader = control.deps.control_log.leader();
    let shares = Shares::of(&ring_state::holders(catalog, reports));
    let mut nodes: Vec<NodeView> = catalog
        .nodes
        .values()
        .map(|node| NodeView {
            reach: control.cluster.reach(node.id),
            is_self: node.id == control.own_id(),
            is_leader: leader == Some(node.id),
            ..node_view(node, &shares, reports.get(&node.id))
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Status {
        cluster_id: catalog.cluster_id.clone(),
        version: control.config.version.clone(),
        node: control.node_ref(catalog, control.own_id()),
        started_ms: control.config.started_ms,
        now_ms: clock::wall_ms(),
        leader: leader.map(|id| control.node_ref(catalog, id)),
        revision: catalog.revision,
        ring: ring_summary(catalog, reports, &control.most_moving),
        nodes,
    }
}

/// `most` remembers how much there was to move, as partitions that have changed hands are in no list any more.
pub(crate) fn ring_summary(catalog: &Catalog, reports: &Reports, most: &AtomicU64) -> RingSummary {
    RingSummary {
        epoch: catalog.epoch,
        partitions: PARTITION_COUNT,
        replicas: match catalog.ring.is_chord() {
            true => LAYOUT_REPLICAS.min(catalog.nodes.len()),
            false => catalog.layout.replicas(),
        },
        moving: if catalog.is_moving() { Some(moving(catalog, reports, most)) } else { settled(most) },
    }
}

fn settled(most: &AtomicU64) -> Option<Moving> {
    most.store(0, Ordering::Relaxed);
    None
}

fn moving(catalog: &Catalog, reports: &Reports, most: &AtomicU64) -> Moving {
    let (mut left, mut waiting, mut from_epoch) = (0, BTreeSet::new(), catalog.epoch);
    for partition in catalog.moves.partitions() {
        let readers = catalog.readers(partition);
        from_epoch = from_epoch.min(catalog.since(partition));
        for node in catalog.gainers(partition) {
            if !catalog.moves.has_synced(partition, node) {
                waiting.insert(node);
                left += u64::from(!readers.contains(&node));
            }
        }
    }
    // Those who fetch know how much it was when they began, maybe before anybody looked.
    let told: u64 = reports.values().flat_map(|report| &report.fetches).map(|fetch| fetch.partitions_total).sum();
    let total = most.fetch_max(left.max(told), Ordering::Relaxed).max(left).max(told);
    // By name: people read them.
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let name = |id: &NodeId| catalog.nodes.get(id).map_or_else(|| id.short(), |node| node.name.clone());
    Moving {
        from_epoch: from_epoch.saturating_sub(1),
        to_epoch: catalog.epoch,
        synced: sorted(catalog.layout.members().iter().filter(|id| !waiting.contains(*id)).map(name).collect()),
        waiting_for: sorted(waiting.iter().map(name).collect()),
        copies_done: total - left,
        copies_total: total,
    }
}

struct Shares {
    now: BTreeMap<NodeId, ShareView>,
    next: Option<BTreeMap<NodeId, ShareView>>,
}

impl Shares {
    fn of(holders: &Holders) -> Self {
        let next = (holders.moving() > 0).then(|| ring_state::shares_next(holders));
        Self { now: ring_state::shares(holders), next }
    }
}

fn node_view(node: &NodeInfo, shares: &Shares, report: Option<&Report>) -> NodeView {
    NodeView {
        id: node.id,
        name: node.name.clone(),
        zone: node.zone.clone(),
        capacity: node.capacity,
        state: node.state,
        reach: crate::api::Reach::Down,
        is_self: false,
        is_leader: false,
        addresses: node.addresses.clone(),
        joined_ms: node.joined_ms,
        share: shares.now.get(&node.id).copied().unwrap_or_default(),
        share_next: shares.next.as_ref().map(|next| next.get(&node.id).copied().unwrap_or_default()),
        version: report.map(|report| report.version.clone()),
        started_ms: report.map(|report| report.started_ms),
        memory_bytes: report.map(|report| report.memory_bytes),
        requests_per_second: report.and_then(|report| report.rates.counts.last().copied()),
        held: report.map(held),
    }
}

#[cfg(test)]
mod tests;
