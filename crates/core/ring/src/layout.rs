//! Core: the balanced layout of a managed ring: which nodes hold each partition, primary first.
//!
//! Like dealing cards to players who come and go: everybody's hand stays as even as the numbers allow, and when a player
//! joins, the others hand over just the cards that make it even again. The measure is K/N, the least that can move.
//!
//! Passes over the previous table (`draft`): drop who is gone, fill what is vacant, then level copies, then primaries. Replicas
//! of a partition fall into distinct zones while there are enough zones. It is computed in the control log's `apply`, so it is a pure function of its
//! arguments: same table on every node. It does *not* move data; that is the data tier's rebalancing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{NodeId, Partition};

use draft::Draft;

mod draft;

/// Fills up the row of a partition that fewer nodes hold than others.
const NOBODY: u16 = u16::MAX;

/// A node as the layout sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: NodeId,
    /// Replicas avoid sharing a zone (a rack, a data centre). Nodes without one share the empty zone.
    pub zone: String,
    /// Relative share of the partitions, at least 1.
    pub capacity: u32,
}

/// Who holds what, in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layout {
    pub epoch: u64,
    members: Vec<NodeId>,
    /// For each partition the indices into `members`, the primary first. Flat: `replicas` entries a partition, [`NOBODY`] where a
    /// row is shorter.
    table: Vec<u16>,
    replicas: usize,
}

impl Layout {
    /// The layout after `previous` for these members, each partition on `replicas` nodes or on all if there are fewer.
    pub fn next(previous: &Layout, members: &[Member], replicas: usize) -> Layout {
        let rows = |partition| previous.owners(partition).collect();
        Layout::after(previous.epoch + 1, rows, members, replicas)
    }

    /// The same, after rows that need not be one layout's: some partitions may have moved already and others not.
    pub fn after(epoch: u64, rows: impl Fn(Partition) -> Vec<NodeId>, members: &[Member], replicas: usize) -> Layout {
        let mut members = members.to_vec();
        members.sort_by_key(|member| member.id);
        members.dedup_by_key(|member| member.id);
        let replicas = replicas.min(members.len());
        let mut draft = Draft::keep(rows, &members, replicas);
        if replicas > 0 {
            draft.deal();
        }
        Layout {
            epoch,
            members: members.iter().map(|member| member.id).collect(),
            table: draft.into_rows().concat(),
            replicas,
        }
    }

    /// Exactly these rows, of different lengths perhaps. `members` may name more nodes than the rows do.
    pub fn from_rows(epoch: u64, members: &[NodeId], rows: impl Fn(Partition) -> Vec<NodeId>) -> Layout {
        let rows: Vec<Vec<NodeId>> = Partition::all().map(rows).collect();
        let members: BTreeSet<NodeId> = rows.iter().flatten().chain(members).copied().collect();
        let members: Vec<NodeId> = members.into_iter().collect();
        let replicas = rows.iter().map(Vec::len).max().unwrap_or(0);
        let index = |node| members.binary_search(&node).expect("members are all nodes of the rows") as u16;
        let padded = |row: Vec<NodeId>| row.into_iter().map(index).chain(std::iter::repeat(NOBODY)).take(replicas);
        Layout { epoch, table: rows.into_iter().flat_map(padded).collect(), members, replicas }
    }

    pub fn is_empty(&self) -> bool {
        self.replicas == 0
    }

    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// How many nodes hold each partition, at most.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// The nodes that hold a partition, the primary first.
    pub fn owners(&self, partition: Partition) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        let start = partition.index() * self.replicas;
        let row = self.table.get(start..start + self.replicas).unwrap_or_default();
        let len = row.iter().position(|index| *index == NOBODY).unwrap_or(row.len());
        row[..len].iter().map(|index| self.members[usize::from(*index)])
    }

    pub fn primary(&self, partition: Partition) -> Option<NodeId> {
        self.owners(partition).next()
    }

    pub fn holds(&self, node: NodeId, partition: Partition) -> bool {
        self.owners(partition).any(|owner| owner == node)
    }

    /// How many partitions each member is primary of, and how many it holds in all.
    pub fn shares(&self) -> BTreeMap<NodeId, Share> {
        let mut shares: BTreeMap<NodeId, Share> = self.members.iter().map(|id| (*id, Share::default())).collect();
        for partition in Partition::all() {
            for (place, owner) in self.owners(partition).enumerate() {
                let share = shares.entry(owner).or_default();
                share.held += 1;
                share.primary += usize::from(place == 0);
            }
        }
        shares
    }

    /// How many copies of partitions are in `next` on a node that does not hold them here.
    pub fn moves_to(&self, next: &Layout) -> usize {
        Partition::all().map(|p| next.owners(p).filter(|owner| !self.holds(*owner, p)).count()).sum()
    }
}

/// A member's part of the ring, in partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    pub primary: usize,
    pub held: usize,
}

#[cfg(test)]
mod tests;
