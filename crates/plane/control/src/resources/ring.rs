//! Driver: `GET /v1/ring`: who holds which part, how much that is, and what moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringway_catalog::Catalog;
use ringway_ring::NodeId;

use crate::api::{KeysHeld, RingView, TransferView};
use crate::arcs::arcs;
use crate::control::Control;
use crate::peer_messages::{Ask, Fetch, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::status::{self, Reports};
use crate::ring_state;

pub(crate) async fn show(control: Arc<Control>, _call: Call) -> Reply {
    let catalog = control.catalog();
    let answers = control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await;
    json(&view(&control, &catalog, &status::reports(answers)))
}

/// The ring that answers now.
pub(crate) fn view(control: &Control, catalog: &Catalog, reports: &Reports) -> RingView {
    let holders = ring_state::holders(catalog, reports);
    let members = ring_state::members(&holders);
    let shares = ring_state::shares(&holders);
    let arcs = arcs(&holders, &members);
    let places = ring_state::places(&members, reports);
    let epoch = catalog.epoch;
    RingView {
        summary: status::ring_summary(catalog, reports, &control.most_moving),
        epoch,
        version: ring_state::version(epoch, &members, &arcs, &places),
        kind: catalog.ring,
        shares: members.iter().map(|id| shares.get(id).copied().unwrap_or_default()).collect(),
        held: members.iter().map(|id| reports.get(id).map(held)).collect(),
        members: members.into_iter().map(|id| control.node_ref(catalog, id)).collect(),
        arcs,
        virtual_nodes: places,
        transfers: transfers(control, catalog, reports),
    }
}

pub(crate) fn held(report: &Report) -> KeysHeld {
    report
        .usage
        .iter()
        .fold(KeysHeld::default(), |sum, part| KeysHeld { keys: sum.keys + part.keys, bytes: sum.bytes + part.bytes })
}

/// What is on its way, as those say who fetch it; of those who say nothing (yet), what is still to come to them.
pub(crate) fn transfers(control: &Control, catalog: &Catalog, reports: &Reports) -> Vec<TransferView> {
    let told = reports.iter().flat_map(|(to, report)| report.fetches.iter().map(|fetch| (*to, fetch.clone())));
    let mut fetches: Vec<(NodeId, Fetch)> = told.collect();
    let silent: Vec<(NodeId, Fetch)> =
        to_come(catalog).into_iter().filter(|(to, _)| !fetches.iter().any(|(node, _)| node == to)).collect();
    fetches.extend(silent);
    let view = |(to, fetch): (NodeId, Fetch)| TransferView {
        from: control.node_ref(catalog, fetch.from),
        to: control.node_ref(catalog, to),
        partitions_done: fetch.partitions_done,
        partitions_total: fetch.partitions_total,
        bytes_done: fetch.bytes_done,
        bytes_total: fetch.bytes_total,
        bytes_per_second: fetch.bytes_per_second,
        eta_ms: fetch.eta_ms,
        state: fetch.state,
    };
    let mut transfers: Vec<TransferView> = fetches.into_iter().map(view).collect();
    transfers.sort_by(|a, b| (&a.to.name, &a.from.name).cmp(&(&b.to.name, &b.from.name)));
    transfers
}

/// By the agreed catalog, what nodes have not said yet that they have, and from whom they are to get it.
fn to_come(catalog: &Catalog) -> Vec<(NodeId, Fetch)> {
    let mut counts: BTreeMap<(NodeId, NodeId), u64> = BTreeMap::new();
    for partition in catalog.moves.partitions() {
        let readers = catalog.readers(partition);
        let Some(from) = readers.first().copied() else { continue };
        let missing = |node: &NodeId| !readers.contains(node) && !catalog.moves.has_synced(partition, *node);
        for to in catalog.gainers(partition).into_iter().filter(missing) {
            *counts.entry((to, from)).or_default() += 1;
        }
    }
    let fetch = |((to, from), partitions_total)| {
        (to, Fetch { from, partitions_total, state: "waiting".to_owned(), ..Fetch::default() })
    };
    counts.into_iter().map(fetch).collect()
}
