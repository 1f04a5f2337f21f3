//! Core: the failure detector beside the ring: it tells nodes who has died, and who seems to be alive.
//!
//! Each node hears at its own time, so nodes disagree for a while, as they do with gossip. A node that joins is shown from its first
//! instant on (before the ring has adopted it), a dead one until it can have been noticed, both of which make it harder.

use std::time::Duration;

use rand::RngExt;
use ringway_ring::VirtualNode;
use ringway_ring::chord::Input;

use super::{Event, Phase, World};

/// How long a node that announces its going is still thought to be alive.
const LEAVE_NOTED_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

impl World {
    /// Nodes hear that `dead` has crashed, each at its own time.
    pub(super) fn spread_crash(&mut self, dead: u32) {
        if let Some(range) = self.config.detection.down_after {
            self.spread_down(dead, range);
        }
    }

    /// Nodes hear that `gone` has left, soon.
    pub(super) fn spread_leave(&mut self, gone: u32) {
        if self.config.detection.down_after.is_some() {
            self.spread_down(gone, LEAVE_NOTED_AFTER);
        }
    }

    /// Nodes on different sides of a cut come to believe each other dead, whichever way the cut goes: a probe needs both ways.
    pub(super) fn spread_cut(&mut self) {
        let Some(range) = self.config.detection.down_after else { return };
        for at in 0..self.live.len() {
            for other in 0..self.live.len() {
                let (node, dead) = (self.live[at], self.live[other]);
                if self.is_apart(node, dead) {
                    self.plan_down(node, dead, range);
                }
            }
        }
    }

    fn spread_down(&mut self, dead: u32, range: (Duration, Duration)) {
        for at in 0..self.live.len() {
            self.plan_down(self.live[at], dead, range);
        }
    }

    fn plan_down(&mut self, node: u32, dead: u32, (least, most): (Duration, Duration)) {
        let at = self.now + self.weather.random_range(least..=most);
        let dead_life = self.machine(dead).life;
        self.queue.schedule(at, Event::Down { node, dead, dead_life });
    }

    /// Not if the dead one is back, or the cut has healed: then the rumour has been denied.
    pub(super) fn tell_down(&mut self, node: u32, dead: u32, dead_life: u32) {
        let machine = self.machine(dead);
        let is_silent = machine.life == dead_life && (machine.phase == Phase::Gone || machine.paused_until > self.now);
        if !self.is_awake(node) || node == dead || !(is_silent || self.is_apart(node, dead)) {
            return;
        }
        let own = machine.core.own();
        if self.has_twin(node, dead, own) {
            return;
        }
        self.trace.down(self.now, self.machine(node).core.own(), own);
        self.input(node, Input::Down(own.node));
    }

    /// A second machine with the same identity keeps it alive in the eyes of gossip.
    fn has_twin(&self, node: u32, dead: u32, own: VirtualNode) -> bool {
        let twins = self.addresses.get(&own.point).into_iter().flatten();
        twins.copied().filter(|twin| *twin != dead && !self.is_apart(node, *twin)).any(|twin| {
            let machine = self.machine(twin);
            machine.phase != Phase::Gone && machine.core.own().node == own.node
        })
    }

    pub(super) fn tell_members(&mut self, node: u32, life: u32) {
        let Some(every) = self.config.detection.members_every else { return };
        let machine = self.machine(node);
        if machine.phase == Phase::Gone || machine.life != life {
            return;
        }
        if machine.paused_until > self.now {
            return self.queue.schedule(machine.paused_until, Event::Members { node, life });
        }
        let members = self.believed_alive(node);
        self.input(node, Input::Members(members));
        let jittered = every.mul_f64(0.75 + 0.5 * self.weather.random::<f64>());
        self.queue.schedule(self.now + jittered, Event::Members { node, life });
    }

    /// A node that starts hears soon who else there is.
    pub(super) fn announce(&mut self, node: u32) {
        if self.config.detection.members_every.is_none() {
            return;
        }
        let soon = self.weather.random_range(Duration::from_millis(100)..Duration::from_millis(1000));
        self.queue.schedule(self.now + soon, Event::Members { node, life: self.machine(node).life });
    }

    fn believed_alive(&mut self, node: u32) -> Vec<VirtualNode> {
        let noticed = self.config.detection.down_after.map_or(Duration::MAX, |(least, _)| least);
        let first = self.gone.iter().position(|gone| self.now - self.machine(*gone).gone_at < noticed);
        self.gone.drain(..first.unwrap_or(self.gone.len()));
        let reachable = self.live.iter().filter(|other| !self.is_apart(node, **other));
        reachable.chain(&self.gone).map(|other| self.machine(*other).core.own()).collect()
    }

    fn is_apart(&self, one: u32, other: u32) -> bool {
        let (one, other) = (self.machine(one).group, self.machine(other).group);
        self.network.is_cut(one, other) || self.network.is_cut(other, one)
    }

    /// Running and not paused.
    fn is_awake(&self, node: u32) -> bool {
        let machine = self.machine(node);
        machine.phase != Phase::Gone && machine.paused_until <= self.now
    }
}
