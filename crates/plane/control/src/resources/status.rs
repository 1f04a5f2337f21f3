//! Driver: `GET /v1/status`: the catalog, what gossip says, and what each node says about itself, put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringway_catalog::{Catalog, NodeInfo};
use ringway_ring::{Layout, NodeId, PARTITION_COUNT, Partition};
use ringway_rt::clock;

use crate::api::{Moving, NodeView, RingSummary, ShareView, Status};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;

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
    let shares = Shares::of(catalog);
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
        ring: ring_summary(catalog, reports),
        nodes,
    }
}

pub(crate) fn ring_summary(catalog: &Catalog, reports: &Reports) -> RingSummary {
    RingSummary {
        epoch: catalog.layout.epoch,
        partitions: PARTITION_COUNT,
        replicas: catalog.layout.replicas(),
        moving: catalog.moving_from.as_ref().map(|from| moving(catalog, from, reports)),
    }
}

fn moving(catalog: &Catalog, from: &Layout, reports: &Reports) -> Moving {
    let name = |id: &NodeId| catalog.nodes.get(id).map_or_else(|| id.short(), |node| node.name.clone());
    let (synced, waiting): (Vec<&NodeId>, Vec<&NodeId>) =
        catalog.layout.members().iter().partition(|member| catalog.synced.contains(member));
    let to_fetch = |node: NodeId| {
        Partition::all().filter(|p| catalog.layout.holds(node, *p) && !from.holds(node, *p)).count() as u64
    };
    let fetched_of_waiting: u64 = waiting.iter().map(|node| fetched(to_fetch(**node), reports.get(node))).sum();
    let fetched_of_synced: u64 = synced.iter().map(|node| to_fetch(**node)).sum();
    Moving {
        from_epoch: from.epoch,
        to_epoch: catalog.layout.epoch,
        synced: synced.into_iter().map(name).collect(),
        waiting_for: waiting.into_iter().map(name).collect(),
        copies_done: fetched_of_waiting + fetched_of_synced,
        copies_total: from.moves_to(&catalog.layout) as u64,
    }
}

/// What a node that is not done has fetched of `to_fetch`, by what it says of itself.
fn fetched(to_fetch: u64, report: Option<&Report>) -> u64 {
    let Some((done, total)) = report.and_then(|report| report.transfer) else { return 0 };
    (to_fetch * done.min(total)).checked_div(total).unwrap_or(0)
}

struct Shares {
    now: BTreeMap<NodeId, ShareView>,
    next: Option<BTreeMap<NodeId, ShareView>>,
}

impl Shares {
    fn of(catalog: &Catalog) -> Self {
        let views = |layout: &Layout| {
            let shares = layout.shares().into_iter();
            shares.map(|(id, share)| (id, ShareView { primary: share.primary, held: share.held })).collect()
        };
        Self { now: views(catalog.read_layout()), next: catalog.moving_from.as_ref().map(|_| views(&catalog.layout)) }
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
    }
}

#[cfg(test)]
mod tests;
