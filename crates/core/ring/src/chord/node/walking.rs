//! Core: the lookups that a node makes itself: for its place, for its fingers, and for whoever asks.

use std::time::Duration;

use crate::chord::node::{ChordNode, Stage};
use crate::chord::requests::Purpose;
use crate::chord::{Body, Output};
use crate::lookup::{Action, Limits, Lookup};
use crate::router::{Peer, Step};
use crate::{Point, VirtualNode};

/// How many lookups a node has under way. One more fails at once.
const WALKS_MAX: usize = 64;

/// A place on the ring, which answers for itself alone: two of one machine are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing(VirtualNode);

impl Peer for Standing {
    fn point(&self) -> Point {
        self.0.point
    }

    fn is_same_node(&self, other: &Self) -> bool {
        self == other
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    Place,
    Finger(usize),
    Ticket(u64),
}

#[derive(Debug, Clone)]
pub struct Walk {
    number: u64,
    goal: Goal,
    lookup: Lookup<Standing>,
    pause: Option<(Duration, Standing)>,
}

impl Walk {
    pub fn paused_until(&self) -> Option<Duration> {
        self.pause.map(|(at, _)| at)
    }

    /// Its node has left the ring.
    pub fn abandon(self, out: &mut Vec<Output>) {
        if let Goal::Ticket(ticket) = self.goal {
            let (hops, timeouts) = (self.lookup.hops(), self.lookup.timeouts());
            out.push(Output::Found { ticket, key: self.lookup.key(), owner: None, hops, timeouts });
        }
    }
}

impl ChordNode {
    pub(super) fn look_up(&mut self, ticket: u64, key: Point) {
        self.start_walk(Goal::Ticket(ticket), key);
    }

    pub(super) fn walk_to_own_place(&mut self) {
        self.start_walk(Goal::Place, self.own.point);
    }

    pub(super) fn walk_to_finger(&mut self, slot: usize, target: Point) {
        if !self.walks.iter().any(|walk| matches!(walk.goal, Goal::Finger(_))) {
            self.start_walk(Goal::Finger(slot), target);
        }
    }

    fn start_walk(&mut self, goal: Goal, key: Point) {
        self.next_walk += 1;
        let (lookup, action) = Lookup::start(Standing(self.own), key, Limits::default());
        let walk = Walk { number: self.next_walk, goal, lookup, pause: None };
        match self.walks.len() < WALKS_MAX {
            true => self.go_on(walk, action),
            false => self.walk_failed(walk),
        }
    }

    fn go_on(&mut self, mut walk: Walk, mut action: Action<Standing>) {
        loop {
            match action {
                Action::Ask(peer) if peer.0 == self.own => {
                    let step = self.own_step(&walk);
                    action = answered(&mut walk.lookup, peer.0, &step);
                }
                Action::Ask(peer) => {
                    let key = walk.lookup.key();
                    self.ask(peer.0, Body::Step { key }, Purpose::Walk(walk.number));
                    return self.walks.push(walk);
                }
                Action::Wait(peer) => {
                    walk.pause = Some((self.now() + self.config.rpc_timeout / 2, peer));
                    return self.walks.push(walk);
                }
                Action::Found(found) => return self.arrived(&walk, found.owner.0),
                Action::Failed(_) => return self.walk_failed(walk),
            }
        }
    }

    fn own_step(&self, walk: &Walk) -> Step<VirtualNode> {
        match (&self.stage, walk.goal) {
            (Stage::Joining(joining), Goal::Place) => Step::Ask(vec![joining.known]),
            _ => self.step(walk.lookup.key()),
        }
    }

    fn take_walk(&mut self, number: u64) -> Option<Walk> {
        let at = self.walks.iter().position(|walk| walk.number == number)?;
        Some(self.walks.swap_remove(at))
    }

    pub(super) fn walk_answered(&mut self, number: u64, from: VirtualNode, step: &Step<VirtualNode>) {
        if let Some(mut walk) = self.take_walk(number) {
            let action = answered(&mut walk.lookup, from, step);
            self.go_on(walk, action);
        }
    }

    pub(super) fn walk_timed_out(&mut self, number: u64, peer: VirtualNode) {
        if let Some(mut walk) = self.take_walk(number) {
            let action = walk.lookup.timed_out(Standing(peer));
            self.go_on(walk, action);
        }
    }

    pub(super) fn resume_walks(&mut self) {
        while let Some(at) = self.walks.iter().position(|walk| walk.paused_until().is_some_and(|at| at <= self.now())) {
            let mut walk = self.walks.swap_remove(at);
            if let Some((_, peer)) = walk.pause.take() {
                self.go_on(walk, Action::Ask(peer));
            }
        }
    }

    fn arrived(&mut self, walk: &Walk, owner: VirtualNode) {
        match walk.goal {
            Goal::Place => self.found_owner_of_place(owner),
            Goal::Finger(slot) => self.found_finger(slot, owner),
            Goal::Ticket(ticket) => {
                let (key, hops, timeouts) = (walk.lookup.key(), walk.lookup.hops(), walk.lookup.timeouts());
                self.out.push(Output::Found { ticket, key, owner: Some(owner), hops, timeouts });
            }
        }
    }

    fn walk_failed(&mut self, walk: Walk) {
        match walk.goal {
            Goal::Place => self.join_failed(),
            Goal::Finger(slot) => self.finger_not_found(slot),
            Goal::Ticket(_) => walk.abandon(&mut self.out),
        }
    }
}

fn answered(lookup: &mut Lookup<Standing>, from: VirtualNode, step: &Step<VirtualNode>) -> Action<Standing> {
    let step = match step {
        Step::Mine => Step::Mine,
        Step::Ask(peers) => Step::Ask(peers.iter().copied().map(Standing).collect()),
        Step::Busy => Step::Busy,
        Step::Unknown => Step::Unknown,
    };
    lookup.answered(Standing(from), &step)
}
