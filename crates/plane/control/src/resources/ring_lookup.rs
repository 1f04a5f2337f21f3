//! Driver: `GET /v1/ring/lookup`: a walk to the owner of a key, by one router or by all; and `GET /v1/ring/sample`: many walks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringway_catalog::Catalog;
use ringway_ports::{LookupError, LookupWish, Stop, Walk, Walked};
use ringway_ring::{NodeId, Via, partition_of, point_of, slot_of};
use ringway_rt::{clock, random};

use crate::Error;
use crate::api::{Hop, Lookup, LookupSample, NodeRef, Owner, WalkView};
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::nodes::node_named;
use crate::resources::status::{self, Reports};
use crate::ring_state;

const SAMPLE_MAX: usize = 1000;
/// Then what has been found so far is answered.
const SAMPLE_WITHIN: Duration = Duration::from_secs(20);

pub(crate) async fn lookup(control: Arc<Control>, call: Call) -> Reply {
    let (key, bucket) = (call.required("key")?, call.query("bucket")?);
    let catalog = control.catalog();
    let (via, walk) = (routers(&catalog, &call)?, walk(&call)?);
    let from = from(&control, &catalog, &call)?;
    let copies = copies(&catalog, bucket.as_deref())?;
    let mut walks = Vec::new();
    for via in via {
        let wish = LookupWish { key: Bytes::from(key.clone()), bucket: bucket.clone(), via, walk, from };
        walks.push(view(&control, &catalog, walk, control.deps.lookups.walk(wish).await?));
    }
    // Only a peer-to-peer ring has to be asked who holds what.
    let reports = match catalog.ring.is_chord() {
        true => status::reports(control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await),
        false => Reports::new(),
    };
    let holders = ring_state::holders(&catalog, &reports);
    let (slot, partition) = (slot_of(key.as_bytes()), partition_of(key.as_bytes()));
    let owners = |nodes: &[NodeId]| nodes.iter().copied().take(copies).collect::<Vec<_>>();
    let (now, next) = (owners(holders.readers(partition)), owners(holders.next(partition)));
    let owners_next = if next == now { Vec::new() } else { next };
    json(&Lookup {
        slot: slot.0,
        partition: partition.0,
        point: format!("{:016x}", point_of(key.as_bytes()).0),
        epoch: catalog.epoch,
        path: walks.first().map(|walk| walk.path.clone()).unwrap_or_default(),
        owners: now.into_iter().map(|id| owner(&control, &catalog, id)).collect(),
        owners_next: owners_next.into_iter().map(|id| control.node_ref(&catalog, id)).collect(),
        walks,
        key,
    })
}

/// `via=all` is every router that the ring has; without it, the one that is usual.
fn routers(catalog: &Catalog, call: &Call) -> Result<Vec<Via>, Error> {
    let is_chord = catalog.ring.is_chord();
    match call.query("via")?.as_deref() {
        None if is_chord => Ok(vec![Via::Fingers]),
        None => Ok(vec![Via::Table]),
        Some("all") => Ok(Via::all().into_iter().filter(|via| !is_chord || *via != Via::Table).collect()),
        Some("table") if is_chord => Err(Error::BadRequest(
            "no node of a peer-to-peer ring has a table of all: look up via fingers, neighbours or index".to_owned(),
        )),
        Some(word) => word.parse().map(|via| vec![via]).map_err(|_| {
            Error::BadRequest(format!("`via={word}` is no router: it is index, table, neighbours, fingers or all"))
        }),
    }
}

fn walk(call: &Call) -> Result<Walk, Error> {
    match call.query("walk")?.as_deref() {
        None | Some("node") => Ok(Walk::Node),
        Some("virtual") => Ok(Walk::Virtual),
        Some(word) => Err(Error::BadRequest(format!("`walk={word}` is not known: it is node or virtual"))),
    }
}

fn from(control: &Control, catalog: &Catalog, call: &Call) -> Result<NodeId, Error> {
    call.query("from")?.map_or(Ok(control.own_id()), |name| node_named(catalog, &name))
}

fn copies(catalog: &Catalog, bucket: Option<&str>) -> Result<usize, Error> {
    let Some(name) = bucket else { return Ok(usize::MAX) };
    let found = catalog.buckets.get(name).ok_or_else(|| Error::NotFound(format!("there is no bucket {name}")))?;
    Ok(usize::from(found.spec.replicas))
}

fn owner(control: &Control, catalog: &Catalog, id: NodeId) -> Owner {
    let NodeRef { id, name } = control.node_ref(catalog, id);
    Owner { id, name, reach: control.cluster.reach(id), is_self: id == control.own_id() }
}

fn view(control: &Control, catalog: &Catalog, walk: Walk, walked: Walked) -> WalkView {
    let hop = |stop: Stop| Hop {
        node: control.node_ref(catalog, stop.node),
        round_trip_us: (!stop.is_local && stop.failure.is_none()).then_some(stop.round_trip.as_micros() as u64),
        failure: stop.failure,
        at: stop.at.map(|point| format!("{:016x}", point.0)),
        is_local: stop.is_local,
        entries: stop.entries,
        knew: stop.knew,
    };
    WalkView {
        via: walked.via,
        walk,
        hops: walked.hops,
        steps: walked.steps,
        took_us: walked.took.as_micros() as u64,
        owner: walked.owner.map(|id| control.node_ref(catalog, id)),
        path: walked.stops.into_iter().map(hop).collect(),
        failure: walked.failure,
    }
}

/// One after the other, so that the times are those of a lookup alone.
pub(crate) async fn sample(control: Arc<Control>, call: Call) -> Reply {
    let count = call.number("count")?.unwrap_or(SAMPLE_MAX).min(SAMPLE_MAX);
    let seed = call.number("seed")?.unwrap_or_else(random::number);
    let catalog = control.catalog();
    let (via, walk) = (routers(&catalog, &call)?, walk(&call)?);
    let &[via] = &via[..] else {
        return Err(Error::BadRequest("a sample is of one router: index, table, neighbours or fingers".to_owned()));
    };
    let from = from(&control, &catalog, &call)?;
    let bucket = call.query("bucket")?;
    let mut sample = LookupSample {
        via,
        walk,
        nodes: catalog.nodes.len(),
        hops: Vec::new(),
        times_us: Vec::new(),
        failed: 0,
        failure: None,
        state_entries: 0,
    };
    let keys = keys(&control, via, bucket.as_deref(), count, seed).await?;
    let began: Instant = clock::now();
    for key in keys {
        if began.elapsed() > SAMPLE_WITHIN {
            break;
        }
        let wish = LookupWish { key, bucket: bucket.clone(), via, walk, from };
        note(&mut sample, control.deps.lookups.walk(wish).await?);
    }
    json(&sample)
}

/// By lot; but a directory knows only keys that exist.
async fn keys(control: &Control, via: Via, bucket: Option<&str>, count: usize, seed: u64) -> Result<Vec<Bytes>, Error> {
    if via != Via::Index {
        return Ok((0..count).map(|number| Bytes::from(format!("sample:{seed:x}:{number}"))).collect());
    }
    let Some(bucket) = bucket else {
        return Err(Error::BadRequest("the key index knows the keys of buckets: name one with `bucket`".to_owned()));
    };
    let found = control.deps.kv.scan(bucket, 0, count).await?.keys;
    if found.is_empty() {
        return Err(Error::Refused(format!("bucket {bucket} has no keys to look up")));
    }
    Ok(found.into_iter().cycle().take(count).collect())
}

fn note(sample: &mut LookupSample, walked: Walked) {
    sample.state_entries = sample.state_entries.max(walked.stops.iter().map(|stop| stop.entries).max().unwrap_or(0));
    if walked.owner.is_none() {
        sample.failed += 1;
        sample.failure = sample.failure.take().or(walked.failure);
        return;
    }
    sample.hops.push(walked.hops);
    sample.times_us.push(u32::try_from(walked.took.as_micros()).unwrap_or(u32::MAX));
}

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NoBucket(_) => Error::NotFound(error.to_string()),
            LookupError::Invalid(_) => Error::BadRequest(error.to_string()),
            LookupError::Unavailable(_) => Error::Unavailable(error.to_string()),
        }
    }
}
