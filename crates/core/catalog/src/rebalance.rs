//! Core: how partitions change hands, one by one. What the commands about the ring do.
//!
//! Like moving house room by room with the old address in use until a room is ready. A partition *rests* (one row of holders), or
//! it *moves*: the old row answers, every write goes to the old row and to the next one ([`Catalog::layout`]), whose newcomers
//! fetch what there was. A newcomer that has everything says so ([`crate::Command::Synced`]); when all of a partition's have, the
//! next row answers, in a new epoch. Nothing waits for other partitions, and a change may come while another is under way: it is
//! planned from the rows that are being moved to, so what has been fetched is used.
//!
//! Whether a report is still true is decided by epochs. A row remembers the epoch in which it, or what it is to become, last
//! changed: who says that it is ready must have begun after that, or it may have missed writes that were not meant for it then.

use ringway_ring::{Layout, Member, NodeId, Partition, PartitionSet};

use crate::holders::gainers;
use crate::{Catalog, LAYOUT_REPLICAS, NodeInfo, NodeState, Outcome, Refusal};

type Applied = Result<Outcome, Refusal>;

impl Catalog {
    pub(crate) fn leave(&mut self, node: NodeId) -> Applied {
        self.node_mut(node)?;
        if self.members().iter().all(|member| member.id == node) {
            return Err(Refusal::LastNode);
        }
        self.node_mut(node)?.state = NodeState::Leaving;
        Ok(self.replan())
    }

    pub(crate) fn remove(&mut self, node: NodeId) -> Applied {
        self.node_mut(node)?;
        if self.nodes.len() == 1 {
            return Err(Refusal::LastNode);
        }
        self.nodes.remove(&node);
        Ok(self.replan())
    }

    /// The node has been down for long: what it holds gets copies elsewhere. It stays a member and may come back.
    pub(crate) fn give_up(&mut self, node: NodeId) -> Applied {
        if self.node_mut(node)?.state != NodeState::Active {
            return Ok(Outcome::Done);
        }
        if self.members().len() <= LAYOUT_REPLICAS {
            return Err(Refusal::NoneToReplace { id: node.to_string(), least: LAYOUT_REPLICAS + 1 });
        }
        self.node_mut(node)?.state = NodeState::Away;
        Ok(self.replan())
    }

    /// The node is back. Where its copies have not been replaced yet, they need not be.
    pub(crate) fn take_back(&mut self, node: NodeId) -> Applied {
        if self.node_mut(node)?.state != NodeState::Away {
            return Ok(Outcome::Done);
        }
        self.node_mut(node)?.state = NodeState::Active;
        Ok(self.replan_from(|catalog, partition| {
            let readers = catalog.readers(partition);
            if readers.contains(&node) { readers } else { catalog.layout.owners(partition).collect() }
        }))
    }

    /// Everything stays where it answers now. Newcomers stay members that hold what they have got; who was leaving, stays.
    pub(crate) fn cancel_moves(&mut self) -> Applied {
        if self.moves.is_empty() {
            return Err(Refusal::Settled { epoch: self.epoch });
        }
        let leaving = self.nodes.values_mut().filter(|node| node.state == NodeState::Leaving);
        leaving.for_each(|node| node.state = NodeState::Active);
        let members: Vec<NodeId> = self.members().iter().map(|member| member.id).collect();
        let stays = Layout::from_rows(self.epoch + 1, &members, |partition| {
            self.readers(partition).into_iter().filter(|node| self.nodes.contains_key(node)).collect()
        });
        Ok(self.aim_at(stays))
    }

    /// Evens the ring out: after a cancelled change, or when capacities have changed.
    pub(crate) fn rebalance(&mut self) -> Applied {
        Ok(self.replan())
    }

    /// Plans anew for those that are members now, moving as little as possible of what is held or already on its way.
    pub(crate) fn replan(&mut self) -> Outcome {
        self.replan_from(|catalog, partition| catalog.layout.owners(partition).collect())
    }

    fn replan_from(&mut self, rows: impl Fn(&Catalog, Partition) -> Vec<NodeId>) -> Outcome {
        if self.ring.is_chord() {
            return Outcome::Done;
        }
        let next = Layout::after(self.epoch + 1, |p| rows(self, p), &self.members(), LAYOUT_REPLICAS);
        self.aim_at(next)
    }

    /// `next` is of the epoch after this one.
    fn aim_at(&mut self, next: Layout) -> Outcome {
        let epoch = self.epoch + 1;
        self.since.resize(ringway_ring::PARTITION_COUNT, self.epoch);
        let mut changed = self.layout.members() != next.members();
        for partition in Partition::all() {
            // A node that was removed keeps its place: those behind it have not got, by that, what a bucket of fewer copies has.
            let (readers, after) = (self.readers(partition), next.owners(partition).collect::<Vec<_>>());
            let old_next: Vec<NodeId> = self.layout.owners(partition).collect();
            let nobody_is_left = readers.iter().all(|node| !self.nodes.contains_key(node));
            if after == old_next && !(nobody_is_left && self.moves.contains(partition)) {
                continue;
            }
            changed = true;
            self.since[partition.index()] = epoch;
            let synced = self.moves.synced(partition);
            // Who was to come before and is now, at no better place, has had every write since it was marked.
            let place = |row: &[NodeId], node: &NodeId| row.iter().position(|other| other == node);
            let still_true =
                |node: &&NodeId| place(&after, node).is_some_and(|now| Some(now) >= place(&old_next, node));
            let synced: Vec<NodeId> = synced.iter().filter(still_true).copied().collect();
            // Where nobody who answered is left, there is nothing to wait for.
            let is_done = nobody_is_left || gainers(&readers, &after).iter().all(|node| synced.contains(node));
            match is_done {
                true => self.moves.end(partition),
                false => self.moves.set(partition, &readers, &synced),
            }
        }
        if changed {
            (self.epoch, self.layout) = (epoch, next);
            return Outcome::LayoutChanged { epoch };
        }
        Outcome::Done
    }

    /// `partitions`: `None` for all that the node is to get.
    pub(crate) fn note_synced(&mut self, node: NodeId, epoch: u64, partitions: Option<&PartitionSet>) -> Applied {
        self.node_mut(node)?;
        let is_meant = |p: &Partition| partitions.is_none_or(|set| set.contains(*p));
        let gained: Vec<Partition> =
            self.moves.partitions().filter(is_meant).filter(|p| self.gainers(*p).contains(&node)).collect();
        let (valid, outdated): (Vec<Partition>, Vec<Partition>) =
            gained.into_iter().partition(|partition| epoch >= self.since(*partition));
        if valid.is_empty() && !outdated.is_empty() {
            return Err(Refusal::Outdated { id: node.to_string(), epoch, now: self.epoch });
        }
        valid.iter().for_each(|partition| self.moves.mark(*partition, node));
        Ok(self.switch(valid))
    }

    /// Lets the next row answer wherever it is ready.
    fn switch(&mut self, partitions: Vec<Partition>) -> Outcome {
        let is_ready = |p: &Partition| self.gainers(*p).iter().all(|node| self.moves.has_synced(*p, *node));
        let ready: Vec<Partition> = partitions.into_iter().filter(is_ready).collect();
        if ready.is_empty() {
            return Outcome::Done;
        }
        self.epoch += 1;
        for partition in ready {
            self.moves.end(partition);
            self.since[partition.index()] = self.epoch;
        }
        Outcome::LayoutChanged { epoch: self.epoch }
    }

    /// The node has started again and may have lost what it had fetched: what it said counts no more, nor what it says of before.
    pub(crate) fn unsync(&mut self, node: NodeId) -> Applied {
        self.node_mut(node)?;
        let gained: Vec<Partition> = self.moves.partitions().filter(|p| self.gainers(*p).contains(&node)).collect();
        if gained.is_empty() {
            return Ok(Outcome::Done);
        }
        self.epoch += 1;
        for partition in gained {
            self.moves.unmark(partition, node);
            self.since[partition.index()] = self.epoch;
        }
        Ok(Outcome::LayoutChanged { epoch: self.epoch })
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.nodes.values().filter(|node| node.is_active()).map(NodeInfo::as_member).collect()
    }
}

#[cfg(test)]
mod tests;
