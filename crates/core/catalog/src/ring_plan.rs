//! Core: what a change of the ring would move, before anybody makes it. The same function plans that makes the change.

use std::collections::BTreeMap;

use ringway_ring::{Layout, Member, NodeId, Partition};

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
    let before = catalog.layout.clone();
    let after = Layout::next(&before, &members, LAYOUT_REPLICAS);
    Ok(compare(before, after, joining, &dead))
}

fn take_out(members: &mut Vec<Member>, catalog: &Catalog, node: NodeId) -> Result<(), Refusal> {
    if !catalog.nodes.contains_key(&node) {
        return Err(Refusal::NoNode { id: node.to_string() });
    }
    members.retain(|member| member.id != node);
    Ok(())
}

fn compare(before: Layout, after: Layout, joining: Vec<NodeId>, dead: &[NodeId]) -> RingPlan {
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
