//! Core: who holds what, put together: from the agreed catalog, or in a peer-to-peer ring from what the nodes say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use ringway_catalog::Catalog;
use ringway_ring::{Holders, NodeId, Partition, Point, Row, VirtualNode};

use crate::api::{RingArc, RingPlace, ShareView};
use crate::peer_messages::{OwnPlace, Report};
use crate::resources::status::Reports;

/// Who answers for each partition now, and who is to come.
pub(crate) fn holders(catalog: &Catalog, reports: &Reports) -> Holders {
    if !catalog.ring.is_chord() {
        return catalog.holders();
    }
    let places: BTreeMap<Point, &OwnPlace> =
        reports.values().flat_map(|report| &report.places).map(|place| (place.point, place)).collect();
    if places.is_empty() {
        return Holders::default();
    }
    Holders::new(0, |partition| {
        let key = partition.end();
        let place = places.range(key..).next().or(places.first_key_value()).map(|(_, place)| *place);
        let owners = place.filter(|place| place.after.is_some()).map(|place| place.owners.clone());
        Row { readers: owners.unwrap_or_default(), ..Row::default() }
    })
}

/// Everybody who holds something or is about to, by id.
pub(crate) fn members(holders: &Holders) -> Vec<NodeId> {
    let mut members = BTreeSet::new();
    for partition in Partition::all() {
        members.extend(holders.readers(partition).iter().chain(holders.next(partition)));
    }
    members.into_iter().collect()
}

pub(crate) fn shares(holders: &Holders) -> BTreeMap<NodeId, ShareView> {
    count(|partition| holders.readers(partition).to_vec())
}

/// When everything has moved.
pub(crate) fn shares_next(holders: &Holders) -> BTreeMap<NodeId, ShareView> {
    count(|partition| {
        let next = holders.next(partition);
        if next.is_empty() { holders.readers(partition).to_vec() } else { next.to_vec() }
    })
}

fn count(owners: impl Fn(Partition) -> Vec<NodeId>) -> BTreeMap<NodeId, ShareView> {
    let mut shares: BTreeMap<NodeId, ShareView> = BTreeMap::new();
    for partition in Partition::all() {
        for (place, owner) in owners(partition).into_iter().enumerate() {
            let share = shares.entry(owner).or_default();
            share.held += 1;
            share.primary += usize::from(place == 0);
        }
    }
    shares
}

/// The virtual nodes of a peer-to-peer ring, by point.
pub(crate) fn places(members: &[NodeId], reports: &Reports) -> Vec<RingPlace> {
    let mut places: Vec<RingPlace> = Vec::new();
    for (id, report) in reports {
        let Some(node) = members.iter().position(|member| member == id) else { continue };
        let own = report.places.iter().map(|place| format!("{:016x}", place.point.0));
        places.extend(own.map(|point| RingPlace { point, node: node as u16 }));
    }
    places.sort_by(|a, b| a.point.cmp(&b.point));
    places
}

/// The same, as the ring's own.
pub(crate) fn virtual_nodes(reports: &Reports) -> Vec<VirtualNode> {
    let of = |(id, report): (&NodeId, &Report)| -> Vec<VirtualNode> {
        report.places.iter().map(|place| VirtualNode { point: place.point, node: *id }).collect()
    };
    reports.iter().flat_map(of).collect()
}

/// Differs when what is drawn does. Not kept anywhere: it may change from one version of Ringway to another. Fits a JavaScript
/// number.
pub(crate) fn version(epoch: u64, members: &[NodeId], arcs: &[RingArc], places: &[RingPlace]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (epoch, members, arcs, places).hash(&mut hasher);
    hasher.finish() >> 11
}
