//! Driver: `GET /v1/ring` and `GET /v1/ring/lookup`.

use std::sync::Arc;
use std::time::Instant;

use ringway_catalog::Catalog;
use ringway_ring::{NodeId, partition_of, point_of, slot_of};
use ringway_rt::clock;

use crate::Error;
use crate::api::{Hop, KeysHeld, Lookup, NodeRef, Owner, RingView, ShareView};
use crate::arcs::arcs;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::status;

pub(crate) async fn show(control: Arc<Control>, _call: Call) -> Reply {
    let catalog = control.catalog();
    let answers = control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await;
    json(&view(&control, &catalog, &status::reports(answers)))
}

/// The ring that answers now.
pub(crate) fn view(control: &Control, catalog: &Catalog, reports: &status::Reports) -> RingView {
    let layout = catalog.read_layout();
    let shares = layout.shares();
    RingView {
        summary: status::ring_summary(catalog, reports),
        epoch: layout.epoch,
        members: layout.members().iter().map(|id| control.node_ref(catalog, *id)).collect(),
        arcs: arcs(layout),
        shares: shares.values().map(|share| ShareView { primary: share.primary, held: share.held }).collect(),
        held: layout.members().iter().map(|id| reports.get(id).map(held)).collect(),
    }
}

fn held(report: &Report) -> KeysHeld {
    report
        .usage
        .iter()
        .fold(KeysHeld::default(), |sum, part| KeysHeld { keys: sum.keys + part.keys, bytes: sum.bytes + part.bytes })
}

pub(crate) async fn lookup(control: Arc<Control>, call: Call) -> Reply {
    let (key, bucket) = (call.required("key")?, call.query("bucket")?);
    let catalog = control.catalog();
    let copies = copies(&catalog, bucket)?;
    let (slot, partition) = (slot_of(key.as_bytes()), partition_of(key.as_bytes()));
    let now: Vec<NodeId> = catalog.read_layout().owners(partition).take(copies).collect();
    let next: Vec<NodeId> = catalog.layout.owners(partition).take(copies).collect();
    let owners_next = if next == now { Vec::new() } else { next };
    json(&Lookup {
        slot: slot.0,
        partition: partition.0,
        point: format!("{:016x}", point_of(key.as_bytes()).0),
        epoch: catalog.read_layout().epoch,
        path: path(&control, &catalog, &now).await,
        owners: now.into_iter().map(|id| owner(&control, &catalog, id)).collect(),
        owners_next: owners_next.into_iter().map(|id| control.node_ref(&catalog, id)).collect(),
        key,
    })
}

fn copies(catalog: &Catalog, bucket: Option<String>) -> Result<usize, Error> {
    let Some(name) = bucket else { return Ok(usize::MAX) };
    let found = catalog.buckets.get(&name).ok_or_else(|| Error::NotFound(format!("there is no bucket {name}")))?;
    Ok(usize::from(found.spec.replicas))
}

fn owner(control: &Control, catalog: &Catalog, id: NodeId) -> Owner {
    let NodeRef { id, name } = control.node_ref(catalog, id);
    Owner { id, name, reach: control.cluster.reach(id), is_self: id == control.own_id() }
}

/// From here to the primary, measured: the node table makes every lookup one hop at most.
async fn path(control: &Control, catalog: &Catalog, owners: &[NodeId]) -> Vec<Hop> {
    let start = Hop { node: control.node_ref(catalog, control.own_id()), round_trip_us: None, failure: None };
    let Some(primary) = owners.first().filter(|primary| **primary != control.own_id()) else { return vec![start] };
    let asked: Instant = clock::now();
    let answer = control.cluster.ask::<()>(*primary, Ask::Ping).await;
    let round_trip_us = answer.is_ok().then(|| asked.elapsed().as_micros() as u64);
    vec![start, Hop { node: control.node_ref(catalog, *primary), round_trip_us, failure: answer.err() }]
}
