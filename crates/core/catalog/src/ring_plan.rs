//! Core: what a change of the ring would move, before anybody makes it. The same function plans that makes the change.

use std::collections::{BTreeMap, BTreeSet};

use ringway_ring::{Layout, Member, NodeId, PARTITION_COUNT, Partition, Point, VirtualNode};

use crate::{Catalog, LAYOUT_REPLICAS, Refusal};

/// Nodes that could join in one plan.
pub const JOIN_COUNT_MAX: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many new nodes of capacity 1, without a zone.
    Join { count: usize },
    /// It dies: its copies are made again from the others'.
    Kill { node: NodeId },
    /// It gives away what it has.
    Leave { node: NodeId },
}

/// Who fetches which partitions from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub from: NodeId,
    pub to: NodeId,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RingPlan {
    /// What the ring is, or is being moved to now.
    pub before: Layout,
    pub after: Layout,
    /// Invented ids of the nodes that would join.
    pub joining: Vec<NodeId>,
    /// By receiver, then by source.
    pub flows: Vec<Flow>,
    /// Partitions of which no copy would be left to fetch from: only for a ring with one copy.
    pub lost: Vec<Partition>,
    /// Copies of partitions that would move, the lost ones included.
    pub moved: usize,
    /// The least that any placement with the same shares has to move.
    pub ideal: usize,
}

impl RingPlan {
    /// 1.0 is the best there is; `None`: nothing has to move.
    pub fn moved_over_ideal(&self) -> Option<f64> {
        (self.ideal > 0).then(|| self.moved as f64 / self.ideal as f64)
    }
}

/// What one change would move from where the ring is, or is being moved to.
pub fn plan(catalog: &Catalog, change: &Change) -> Result<RingPlan, Refusal> {
    plan_all(catalog, std::slice::from_ref(change))
}

/// Several changes at once.
pub fn plan_all(catalog: &Catalog, changes: &[Change]) -> Result<RingPlan, Refusal> {
    let cast = Cast::of(catalog, changes)?;
    let before = catalog.layout.clone();
    let after = Layout::next(&before, &cast.members, LAYOUT_REPLICAS);
    Ok(compare(before, after, cast))
}

/// The same for a peer-to-peer ring whose virtual nodes stand at `places`. Newcomers will draw theirs by lot: what is told of them is
/// one case of many, and always the same.
pub fn plan_places(catalog: &Catalog, places: &[VirtualNode], changes: &[Change]) -> Result<RingPlan, Refusal> {
    let cast = Cast::of(catalog, changes)?;
    let now: BTreeMap<Point, NodeId> = places.iter().map(|place| (place.point, place.node)).collect();
    let stays = |node: &NodeId| cast.members.iter().any(|member| member.id == *node);
    let mut then: BTreeMap<Point, NodeId> = now.clone();
    then.retain(|_, node| stays(node));
    for (number, node) in (0..).zip(&cast.joining) {
        let count = u64::from(catalog.ring.vnodes());
        let free = |point: &Point| !then.contains_key(point);
        let drawn: Vec<Point> = (0..count).filter_map(|lot| drawn(number * count + lot).find(free)).collect();
        then.extend(drawn.into_iter().map(|point| (point, *node)));
    }
    Ok(compare(rows(&now), rows(&then), cast))
}

/// The ends of all partitions, from one on that depends on the lot.
fn drawn(lot: u64) -> impl Iterator<Item = Point> {
    let first = (lot.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % PARTITION_COUNT;
    (first..first + PARTITION_COUNT).map(|at| Partition((at % PARTITION_COUNT) as u16).end())
}

/// Who holds what if each partition falls to the first place at or past its end, and its copies to the next other machines.
fn rows(places: &BTreeMap<Point, NodeId>) -> Layout {
    let machines: BTreeSet<NodeId> = places.values().copied().collect();
    let members: Vec<NodeId> = machines.into_iter().collect();
    Layout::from_rows(0, &members, |partition| {
        let mut row: Vec<NodeId> = Vec::with_capacity(LAYOUT_REPLICAS);
        for (_, node) in places.range(partition.end()..).chain(places) {
            if row.len() == LAYOUT_REPLICAS {
                break;
            }
            if !row.contains(node) {
                row.push(*node);
            }
        }
        row
    })
}

/// Who is there afterwards, and what became of the others.
struct Cast {
    members: Vec<Member>,
    joining: Vec<NodeId>,
    dead: Vec<NodeId>,
}

impl Cast {
    fn of(catalog: &Catalog, changes: &[Change]) -> Result<Self, Refusal> {
        let (mut members, mut joining, mut dead) = (catalog.members(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Join { count } => {
                    let first = joining.len() as u64;
                    joining.extend((first..first + (*count).min(JOIN_COUNT_MAX) as u64).map(newcomer));
                }
                Change::Kill { node } | Change::Leave { node } => {
                    take_out(&mut members, catalog, *node)?;
                    dead.extend(matches!(change, Change::Kill { .. }).then_some(*node));
                }
            }
        }
        members.extend(joining.iter().map(|id| Member { id: *id, zone: String::new(), capacity: 1 }));
        if members.is_empty() {
            return Err(Refusal::LastNode);
        }
        Ok(Self { members, joining, dead })
    }
}

fn take_out(members: &mut Vec<Member>, catalog: &Catalog, node: NodeId) -> Result<(), Refusal> {
    if !catalog.nodes.contains_key(&node) {
        return Err(Refusal::NoNode { id: node.to_string() });
    }
    members.retain(|member| member.id != node);
    Ok(())
}

fn compare(before: Layout, after: Layout, Cast { joining, dead, .. }: Cast) -> RingPlan {
    let mut flows: BTreeMap<(NodeId, NodeId), Vec<Partition>> = BTreeMap::new();
    let (mut lost, mut moved) = (Vec::new(), 0);
    for partition in Partition::all() {
        let sources: Vec<NodeId> = before.owners(partition).filter(|node| !dead.contains(node)).collect();
        for to in after.owners(partition).filter(|node| !before.holds(*node, partition)) {
            moved += 1;
            match sources.first() {
                // Whoever answers for it.
                Some(from) => flows.entry((to, *from)).or_default().push(partition),
                None => lost.push(partition),
            }
        }
    }
    lost.dedup();
    let (had, has) = (before.shares(), after.shares());
    let more = |(node, share): (&NodeId, &ringway_ring::layout::Share)| {
        share.held.saturating_sub(had.get(node).map_or(0, |share| share.held))
    };
    let ideal = has.iter().map(more).sum();
    let flows = flows.into_iter().map(|((to, from), partitions)| Flow { from, to, partitions }).collect();
    RingPlan { before, after, joining, flows, lost, moved, ideal }
}

/// An id that no node has: those are hashes.
fn newcomer(number: u64) -> NodeId {
    let mut bytes = [0xFF; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

#[cfg(test)]
mod tests;
