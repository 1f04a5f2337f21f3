//! Core: join. A lookup of our own point leads to the node that owns it; its predecessor, once it has said itself that our place is
//! behind it, gives us its list. The arc follows later, from the successor (`owning`).

use std::time::Duration;

use crate::VirtualNode;
use crate::chord::node::{ChordNode, Stage};
use crate::chord::place::{Placed, list_of_joiner, place};
use crate::chord::requests::Purpose;
use crate::chord::{Body, Event};

/// How many members are asked for their state before the lookup starts again.
const STEPS_MAX: u32 = 16;
/// How often a join starts again before it fails.
const ROUNDS_MAX: u32 = 24;

#[derive(Debug, Clone)]
pub struct Joining {
    pub known: VirtualNode,
    steps: u32,
    rounds: u32,
    again_at: Option<Duration>,
}

impl ChordNode {
    pub(super) fn join(&mut self, known: VirtualNode) {
        if matches!(self.stage, Stage::Member) {
            return;
        }
        self.forget_ring();
        self.stage = Stage::Joining(Joining { known, steps: 0, rounds: 0, again_at: None });
        self.start_join_walk();
    }

    pub(super) fn join_again_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Joining(joining) => joining.again_at,
            Stage::Outside | Stage::Member => None,
        }
    }

    pub(super) fn start_join_walk(&mut self) {
        if let Stage::Joining(joining) = &mut self.stage {
            (joining.again_at, joining.steps) = (None, 0);
            self.walk_to_own_place();
        }
    }

    /// The lookup of our point has found its owner.
    pub(super) fn found_owner_of_place(&mut self, owner: VirtualNode) {
        if owner.point == self.own.point {
            return self.point_taken(owner);
        }
        self.ask(owner, Body::GetState, Purpose::Join);
    }

    pub(super) fn point_taken(&mut self, by: VirtualNode) {
        self.forget_ring();
        self.tell(Event::PointTaken { by });
    }

    pub(super) fn try_place(
        &mut self,
        member: VirtualNode,
        predecessor: Option<VirtualNode>,
        successors: Vec<VirtualNode>,
    ) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        joining.steps += 1;
        let is_lost = joining.steps > STEPS_MAX;
        match place(self.own, member, predecessor, &successors) {
            Placed::Here => self.take_place(member, &successors),
            Placed::Ask(next) if !is_lost => self.ask(next, Body::GetState, Purpose::Join),
            // Ourselves in a former life, or somebody else: the owner of the point will say.
            Placed::Taken(_) | Placed::Ask(_) | Placed::Nowhere => self.join_again(),
        }
    }

    fn take_place(&mut self, member: VirtualNode, its: &[VirtualNode]) {
        self.enter(list_of_joiner(self.own, member, its, self.config.successors), Some(member));
        self.stabilise();
    }

    /// Starts again, after a pause.
    pub(super) fn join_again(&mut self) {
        let now = self.now();
        let pause = self.dice.lengthen(self.config.rpc_timeout);
        let Stage::Joining(joining) = &mut self.stage else { return };
        joining.rounds += 1;
        joining.again_at = Some(now + pause);
        if joining.rounds >= ROUNDS_MAX {
            self.join_failed();
        }
    }

    pub(super) fn join_failed(&mut self) {
        self.forget_ring();
        self.tell(Event::JoinFailed);
    }
}
