//! Core: the balanced layout of a managed ring: which nodes hold each partition, primary first.
//!
//! Like dealing cards to players who come and go: everybody's hand stays as even as the numbers allow, and when a player
//! joins, the others hand over just the cards that make it even again. The measure is K/N, the least that can move.
//!
//! Three passes over the previous table: drop who is gone, fill what is vacant, then level. Replicas of a partition fall into
//! distinct zones while there are enough zones. It is computed in the control log's `apply`, so it is a pure function of its
//! arguments: same table on every node. It does *not* move data; that is the data tier's rebalancing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{NodeId, PARTITION_COUNT, Partition};

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
    /// For each partition the indices into `members`, the primary first. Flat: `replicas` entries a partition.
    table: Vec<u16>,
    replicas: usize,
}

impl Layout {
    /// The layout after `previous` for these members, each partition on `replicas` nodes or on all if there are fewer.
    pub fn next(previous: &Layout, members: &[Member], replicas: usize) -> Layout {
        let mut members = members.to_vec();
        members.sort_by_key(|member| member.id);
        members.dedup_by_key(|member| member.id);
        let replicas = replicas.min(members.len());
        let mut draft = Draft::keep(previous, &members, replicas);
        if replicas > 0 {
            draft.fill();
            draft.level();
            draft.level_primaries();
        }
        Layout {
            epoch: previous.epoch + 1,
            members: members.iter().map(|member| member.id).collect(),
            table: draft.rows.concat(),
            replicas,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.replicas == 0
    }

    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// How many nodes hold each partition.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// The nodes that hold a partition, the primary first.
    pub fn owners(&self, partition: Partition) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        let start = partition.index() * self.replicas;
        self.table
            .get(start..start + self.replicas)
            .unwrap_or_default()
            .iter()
            .map(|index| self.members[usize::from(*index)])
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

/// A table in the making; nodes are indices into the sorted members.
struct Draft<'a> {
    members: &'a [Member],
    replicas: usize,
    rows: Vec<Vec<u16>>,
    held: Vec<usize>,
    quota: Vec<usize>,
}

impl<'a> Draft<'a> {
    fn keep(previous: &Layout, members: &'a [Member], replicas: usize) -> Self {
        let index: BTreeMap<NodeId, u16> = members.iter().zip(0..).map(|(member, at)| (member.id, at)).collect();
        let rows: Vec<Vec<u16>> = Partition::all()
            .map(|p| previous.owners(p).filter_map(|owner| index.get(&owner).copied()).take(replicas).collect())
            .collect();
        let mut held = vec![0; members.len()];
        rows.iter().flatten().for_each(|node| held[usize::from(*node)] += 1);
        Self { quota: quotas(members, PARTITION_COUNT * replicas, PARTITION_COUNT), members, replicas, rows, held }
    }

    /// Gives every vacancy to the node that is furthest below its quota.
    fn fill(&mut self) {
        for row in spread_order() {
            while self.rows[row].len() < self.replicas {
                let Some(node) = self.neediest_for(row) else { break };
                self.rows[row].push(node);
                self.held[usize::from(node)] += 1;
            }
        }
    }

    fn neediest_for(&self, row: usize) -> Option<u16> {
        (0..self.members.len() as u16)
            .filter(|node| !self.rows[row].contains(node))
            .min_by_key(|node| (self.zone_clashes(row, *node, None), std::cmp::Reverse(self.room(*node)), *node))
    }

    /// Moves single copies from nodes above their quota to nodes below it.
    fn level(&mut self) {
        for row in spread_order() {
            for place in 0..self.rows[row].len() {
                let giver = self.rows[row][place];
                if self.room(giver) >= 0 {
                    continue;
                }
                if let Some(taker) = self.taker_for(row, giver) {
                    self.rows[row][place] = taker;
                    self.held[usize::from(giver)] -= 1;
                    self.held[usize::from(taker)] += 1;
                }
            }
        }
    }

    fn taker_for(&self, row: usize, giver: u16) -> Option<u16> {
        let clashes_now = self.zone_clashes(row, giver, Some(giver));
        (0..self.members.len() as u16)
            .filter(|node| self.room(*node) > 0 && !self.rows[row].contains(node))
            .filter(|node| self.zone_clashes(row, *node, Some(giver)) <= clashes_now)
            .max_by_key(|node| (self.room(*node), std::cmp::Reverse(*node)))
    }

    fn room(&self, node: u16) -> isize {
        self.quota[usize::from(node)] as isize - self.held[usize::from(node)] as isize
    }

    /// How many other holders of the row are in the zone of `node`, not counting `without`.
    fn zone_clashes(&self, row: usize, node: u16, without: Option<u16>) -> usize {
        let zone = &self.members[usize::from(node)].zone;
        self.rows[row]
            .iter()
            .filter(|other| {
                Some(**other) != without && **other != node && self.members[usize::from(**other)].zone == *zone
            })
            .count()
    }

    /// Puts primaries where they are even. Only the order of a row changes, so no data moves.
    fn level_primaries(&mut self) {
        let quota = quotas(self.members, PARTITION_COUNT, PARTITION_COUNT);
        let mut primary = vec![0; self.members.len()];
        self.rows.iter().for_each(|row| primary[usize::from(row[0])] += 1);
        while let Some(path) = self.path_from_surplus(&primary, &quota) {
            for (from, row, to) in path {
                let place =
                    self.rows[row].iter().position(|node| *node == to).expect("a path goes through holders of the row");
                self.rows[row].swap(0, place);
                primary[usize::from(from)] -= 1;
                primary[usize::from(to)] += 1;
            }
        }
    }

    /// A shortest chain of hand-overs (who, partition, to whom) from a node with too many primaries to one with too few.
    fn path_from_surplus(&self, primary: &[usize], quota: &[usize]) -> Option<Vec<(u16, usize, u16)>> {
        let mut reached: BTreeMap<u16, Option<(u16, usize)>> = BTreeMap::new();
        let mut queue = VecDeque::new();
        for node in (0..self.members.len() as u16).filter(|n| primary[usize::from(*n)] > quota[usize::from(*n)]) {
            reached.insert(node, None);
            queue.push_back(node);
        }
        let rows_of = self.rows_by_primary();
        while let Some(node) = queue.pop_front() {
            if primary[usize::from(node)] < quota[usize::from(node)] {
                return Some(unwind(&reached, node));
            }
            for row in &rows_of[usize::from(node)] {
                for other in &self.rows[*row][1..] {
                    if !reached.contains_key(other) {
                        reached.insert(*other, Some((node, *row)));
                        queue.push_back(*other);
                    }
                }
            }
        }
        None
    }

    fn rows_by_primary(&self) -> Vec<Vec<usize>> {
        let mut rows_of = vec![Vec::new(); self.members.len()];
        self.rows.iter().enumerate().for_each(|(at, row)| rows_of[usize::from(row[0])].push(at));
        rows_of
    }
}

fn unwind(reached: &BTreeMap<u16, Option<(u16, usize)>>, end: u16) -> Vec<(u16, usize, u16)> {
    let mut path = Vec::new();
    let mut at = end;
    while let Some(Some((from, row))) = reached.get(&at) {
        path.push((*from, *row, at));
        at = *from;
    }
    path
}

/// `total` split by capacity (largest remainder), nobody above `cap_each`: what does not fit goes to the others.
fn quotas(members: &[Member], total: usize, cap_each: usize) -> Vec<usize> {
    let mut quota = vec![0; members.len()];
    let mut open: BTreeSet<usize> = (0..members.len()).collect();
    let mut left = total;
    while left > 0 && !open.is_empty() {
        let weight: u64 = open.iter().map(|at| u64::from(members[*at].capacity.max(1))).sum();
        let share = |at: usize| left as u64 * u64::from(members[at].capacity.max(1));
        let full: Vec<usize> = open.iter().copied().filter(|at| share(*at) / weight >= cap_each as u64).collect();
        if full.is_empty() {
            let mut by_remainder: Vec<usize> = open.iter().copied().collect();
            by_remainder.sort_by_key(|at| (std::cmp::Reverse(share(*at) % weight), *at));
            by_remainder.iter().for_each(|at| quota[*at] = (share(*at) / weight) as usize);
            let given: usize = by_remainder.iter().map(|at| quota[*at]).sum();
            by_remainder.iter().take(left - given).for_each(|at| quota[*at] += 1);
            return quota;
        }
        for at in full {
            quota[at] = cap_each;
            left -= cap_each.min(left);
            open.remove(&at);
        }
    }
    quota
}

/// All rows in bit-reversed order, so that what moves first is spread around the ring.
fn spread_order() -> impl Iterator<Item = usize> {
    const BITS: u32 = PARTITION_COUNT.trailing_zeros();
    (0..PARTITION_COUNT as u32).map(|row| (row.reverse_bits() >> (32 - BITS)) as usize)
}

#[cfg(test)]
mod tests;
