//! Core: accidents: what can befall the nodes of a world and the network between them.

use std::time::Duration;

use ringway_ring::VirtualNode;
use ringway_ring::chord::Input;

use super::{Event, GROUPS_MAX, Id, Phase, World};

/// A node that has not heard from its neighbours by then stops all the same.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);
/// A leaver still answers that long after its arc is in other hands, for those who have not heard.
const LEAVE_LINGER: Duration = Duration::from_millis(500);
/// Before a joiner that found nobody asks somebody else.
const JOIN_PAUSE: Duration = Duration::from_millis(500);

/// What a node that comes back remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// Nothing: a new life of the same identity, that joins again.
    EmptyDisk,
    /// Nothing, and its clock has been put back: its new life has a smaller number than the one before.
    OldEpoch,
}

impl World {
    /// The node is gone at once, without a word.
    pub fn crash(&mut self, id: Id) {
        if self.machine(id.0).phase == Phase::Gone {
            return;
        }
        self.stop(id.0);
        self.tally.crashed += 1;
        self.spread_crash(id.0);
        self.trace.note(self.now, self.machine(id.0).core.own(), "crashes");
    }

    /// The node tells its neighbours, and goes when they know.
    pub fn leave(&mut self, id: Id) {
        let machine = &mut self.machines[id.0 as usize];
        if machine.phase != Phase::Running {
            return;
        }
        machine.phase = Phase::Leaving;
        let life = machine.life;
        self.trace.note(self.now, self.machine(id.0).core.own(), "is told to leave");
        self.queue.schedule(self.now + LEAVE_PATIENCE, Event::Stop { node: id.0, life });
        self.input(id.0, Input::Leave);
    }

    /// A crashed node comes back under its old identity and place, and joins again.
    pub fn restart(&mut self, id: Id, comeback: Comeback) {
        if self.machine(id.0).phase != Phase::Gone {
            return;
        }
        let own = self.machine(id.0).core.own();
        let incarnation = match comeback {
            Comeback::EmptyDisk => self.incarnation(),
            Comeback::OldEpoch => 0,
        };
        let core = self.new_core(own, id.0, incarnation);
        let machine = &mut self.machines[id.0 as usize];
        (machine.core, machine.incarnation) = (core, incarnation);
        (machine.phase, machine.wake_at) = (Phase::Running, None);
        machine.paused_until = Duration::ZERO;
        self.gone.retain(|gone| *gone != id.0);
        self.trace.note(self.now, own, "comes back");
        self.start(id.0);
        self.join_by_somebody(id.0);
    }

    /// The node does nothing for a while (a stopped process, a frozen virtual machine). What is sent to it waits.
    pub fn pause(&mut self, id: Id, time: Duration) {
        let machine = &mut self.machines[id.0 as usize];
        machine.paused_until = machine.paused_until.max(self.now + time);
        self.trace.note(self.now, self.machine(id.0).core.own(), "is paused");
        self.spread_crash(id.0);
    }

    /// The node's clock is put forward or back.
    pub fn jump_clock(&mut self, id: Id, forward: Duration, back: Duration) {
        self.machines[id.0 as usize].put_clock(forward, back);
        self.trace.note(self.now, self.machine(id.0).core.own(), "has its clock changed");
        self.plan_wake(id.0);
    }

    /// From now on the nodes of a group reach only their own: everybody else is in group 0.
    pub fn partition(&mut self, group: &[Id]) {
        self.regroup(group);
        self.network.cut(0, 1);
        self.network.cut(1, 0);
        self.spread_cut();
    }

    /// Nothing that the nodes of this group send arrives elsewhere; what is sent to them does.
    pub fn mute(&mut self, group: &[Id]) {
        self.regroup(group);
        self.network.cut(1, 0);
        self.spread_cut();
    }

    /// The network is whole again. Who is back in the eyes of gossip is told at the next news of members.
    pub fn heal(&mut self) {
        self.network.heal();
    }

    pub fn is_whole(&self) -> bool {
        self.network.is_whole()
    }

    /// From now on this share of messages is lost.
    pub fn lose(&mut self, share: f64) {
        self.network.config.loss = share;
    }

    /// Whether it runs: neither crashed nor gone.
    pub fn is_live(&self, id: Id) -> bool {
        self.machine(id.0).phase != Phase::Gone
    }

    fn regroup(&mut self, group: &[Id]) {
        const { assert!(GROUPS_MAX >= 2, "a cut has two sides") };
        self.machines.iter_mut().for_each(|machine| machine.group = 0);
        group.iter().for_each(|id| self.machines[id.0 as usize].group = 1);
    }

    /// It has left, or waited long enough for its neighbours.
    pub(super) fn stop_after_leave(&mut self, node: u32, life: u32) {
        let machine = self.machine(node);
        if machine.phase != Phase::Leaving || machine.life != life {
            return;
        }
        self.trace.note(self.now, machine.core.own(), "stops");
        self.stop(node);
        self.spread_leave(node);
    }

    pub(super) fn linger(&mut self, node: u32) {
        let life = self.machine(node).life;
        self.queue.schedule(self.now + LEAVE_LINGER, Event::Stop { node, life });
    }

    pub(super) fn schedule_join(&mut self, node: u32) {
        let life = self.machine(node).life;
        self.queue.schedule(self.now + JOIN_PAUSE, Event::JoinAgain { node, life });
    }

    pub(super) fn join_again(&mut self, node: u32, life: u32) {
        let machine = self.machine(node);
        if machine.phase == Phase::Running && machine.life == life && machine.core.arc().is_none() {
            self.join_by_somebody(node);
        }
    }

    fn join_by_somebody(&mut self, node: u32) {
        match self.some_member() {
            Some(known) => {
                let known = self.machine(known.0).core.own();
                self.input(node, Input::Join { known });
            }
            None => self.schedule_join(node),
        }
    }

    /// A joiner's point is taken. By another node: it draws another. By its own identity: there are two of it, and it stops.
    pub(super) fn draw_again(&mut self, node: u32, by: VirtualNode) {
        self.tally.points_taken += 1;
        let own = self.machine(node).core.own();
        self.stop(node);
        if by.node == own.node {
            self.tally.twins_refused += 1;
            return;
        }
        let place = VirtualNode { point: self.draw().point, node: own.node };
        let again = self.add(place);
        self.join_by_somebody(again);
    }
}
