//! Core: whether the ring is what it ought to be once nothing happens any more.

use std::time::Duration;

use ringway_ring::VirtualNode;
use ringway_ring::chord::ChordNode;

use super::{Id, Phase, World};

/// How often the ring is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl World {
    /// Runs until the ring of all running nodes is ideal, or that time has passed. How long it took; or what is not ideal.
    pub fn converge(&mut self, patience: Duration) -> Result<Duration, String> {
        let began = self.now;
        loop {
            let state = self.ideal();
            if state.is_ok() {
                return Ok(self.now - began);
            }
            if self.now - began >= patience {
                return state.map(|()| self.now - began);
            }
            self.run_for(LOOK_EVERY);
        }
    }

    /// Whether every running node knows its predecessor and its next successors, and owns its arc and nothing else.
    pub fn ideal(&self) -> Result<(), String> {
        let mut ring: Vec<&ChordNode> = self.settled().map(|id| self.node(id)).collect();
        ring.sort_unstable_by_key(|node| node.own().point);
        for (at, node) in ring.iter().enumerate() {
            self.has_right_neighbours(&ring, at).map_err(|fault| format!("{:?}: {fault}", node.own()))?;
        }
        Ok(())
    }

    fn settled(&self) -> impl Iterator<Item = Id> + '_ {
        self.live().filter(|id| self.machine(id.0).phase == Phase::Running)
    }

    fn has_right_neighbours(&self, ring: &[&ChordNode], at: usize) -> Result<(), String> {
        let count = ring.len();
        let (node, before) = (ring[at], ring[(at + count - 1) % count].own());
        let wanted: Vec<VirtualNode> =
            (1..count).map(|step| ring[(at + step) % count].own()).take(self.config.chord.successors).collect();
        if node.successors() != wanted {
            return Err(format!("successors {:?}, not {wanted:?}", node.successors()));
        }
        if count > 1 && node.predecessor() != Some(before) {
            return Err(format!("predecessor {:?}, not {before:?}", node.predecessor()));
        }
        match node.arc() {
            Some(arc) if arc.until == node.own().point && arc.after == before.point => Ok(()),
            other => Err(format!("owns {other:?}, not all since {before:?}")),
        }
    }
}
