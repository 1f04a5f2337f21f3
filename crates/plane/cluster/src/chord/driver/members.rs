//! Driver: the other machines: who is a member (the catalog), who is alive (membership), where they stand (their own word); and
//! what the virtual nodes of this one hear of it.

use std::collections::BTreeSet;
use std::time::Duration;

use ringway_ports::Reach;
use ringway_ring::chord::Input;
use ringway_ring::{NodeId, Point, VirtualNode};
use tokio::time::Instant;
use tracing::info;

use super::Driver;
use crate::chord::hosted::Effects;

/// Places of others are forgotten if they have not been told for so long.
const PLACES_AGE_MAX: Duration = Duration::from_secs(60);
/// Whoever has died in between is known by then, and arcs have settled.
const HINT_OF_THE_DEAD_AGE: Duration = Duration::from_secs(4);

impl Driver {
    pub(super) fn note_catalog(&mut self) {
        let catalog = self.catalog();
        let members: BTreeSet<NodeId> = catalog.nodes.keys().copied().collect();
        let before = std::mem::replace(&mut self.members, members);
        let mut effects = Effects::default();
        let own = self.deps.own;
        let gone: Vec<NodeId> = before.difference(&self.members).copied().filter(|node| *node != own).collect();
        for node in gone {
            self.bury(node, &mut effects);
        }
        self.down.retain(|node, _| catalog.nodes.contains_key(node));
        self.told_removed.retain(|node| !catalog.nodes.contains_key(node));
        self.give_members(&mut effects);
        self.perform(effects);
    }

    pub(super) fn note_reach(&mut self) {
        let reach = self.deps.membership.watch().borrow().clone();
        let mut effects = Effects::default();
        let now = Instant::now();
        for (node, reach) in reach.iter() {
            match reach {
                Reach::Down if !self.down.contains_key(node) => {
                    self.down.insert(*node, now);
                    self.bury(*node, &mut effects);
                }
                Reach::Down => {}
                Reach::Up | Reach::Suspect => {
                    self.down.remove(node);
                    self.stale_hints.remove(node);
                }
            }
        }
        self.give_members(&mut effects);
        self.perform(effects);
    }

    pub(super) fn note_places(&mut self, from: NodeId, points: Vec<Point>, effects: &mut Effects) {
        let stood = self.others.get(&from).is_some_and(|(points, _)| !points.is_empty());
        if stood && points.is_empty() && self.is_leaving(from) {
            return self.let_go(from, effects);
        }
        let known = self.others.insert(from, (points.clone(), Instant::now()));
        if known.is_none_or(|(before, _)| before != points) {
            self.give_members(effects);
        }
    }

    pub(super) fn forget_old_places(&mut self) {
        self.others.retain(|_, (_, said)| said.elapsed() < PLACES_AGE_MAX);
    }

    pub(super) fn forget_hints_of_the_dead(&mut self, now: Instant) {
        let dead: BTreeSet<NodeId> =
            self.stale_hints.iter().filter(|(_, at)| **at <= now).map(|(node, _)| *node).collect();
        if dead.is_empty() {
            return;
        }
        self.stale_hints.retain(|node, _| !dead.contains(node));
        self.shared.change_table(|table| table.forget_owners(|owner| dead.contains(&owner)));
    }

    /// Young rings and rings that fell apart are put together from this.
    pub(super) fn give_members(&mut self, effects: &mut Effects) {
        let own = self.deps.own;
        let mut members: Vec<VirtualNode> =
            self.shared.hosted().joined().into_iter().map(|point| VirtualNode { point, node: own }).collect();
        let alive =
            self.others.iter().filter(|(node, _)| !self.down.contains_key(node) && self.shared.is_member(**node));
        members.extend(
            alive.flat_map(|(node, (points, _))| points.iter().map(|at| VirtualNode { point: *at, node: *node })),
        );
        let now = self.now();
        self.shared.hosted().give_all(now, &Input::Members(members), effects);
    }

    fn bury(&mut self, node: NodeId, effects: &mut Effects) {
        self.others.remove(&node);
        self.stale_hints.insert(node, Instant::now() + HINT_OF_THE_DEAD_AGE);
        let now = self.now();
        self.shared.hosted().give_all(now, &Input::Down(node), effects);
    }

    fn is_leaving(&self, node: NodeId) -> bool {
        self.catalog().nodes.get(&node).is_some_and(|info| !info.is_active())
    }

    /// It has handed over all its arcs: nobody need wait for its places any more.
    fn let_go(&mut self, node: NodeId, effects: &mut Effects) {
        info!(peer = %node.short(), "a node that leaves is out of the ring");
        self.bury(node, effects);
        self.stale_hints.remove(&node);
        self.shared.change_table(|table| table.forget_owners(|owner| owner == node));
        self.give_members(effects);
    }
}
