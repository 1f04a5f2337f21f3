//! Core: keeping fingers fresh: one lookup a period, for the next slot that the successor list does not answer already.

use crate::VirtualNode;
use crate::chord::node::ChordNode;

impl ChordNode {
    pub(super) fn fix_next_finger(&mut self) {
        for _ in 0..self.fingers.len() {
            let slot = self.next_finger;
            let target = self.own.point.plus(self.shape.distance(slot));
            let reach = self.successors.last().map_or(0, |last| self.own.point.distance_to(last.point));
            if self.shape.distance(slot) > reach {
                return self.walk_to_finger(slot, target);
            }
            let away = |peer: &&VirtualNode| self.own.point.distance_to(peer.point) >= self.shape.distance(slot);
            let finger = self.successors.iter().find(away).copied();
            self.fingers[slot] = finger.unwrap_or(self.own);
            self.next_finger = (slot + 1) % self.fingers.len();
            if self.next_finger == 0 {
                return;
            }
        }
    }

    /// The owner of a slot's target is the finger of all later slots with targets up to it, too.
    pub(super) fn found_finger(&mut self, slot: usize, owner: VirtualNode) {
        let reach = self.own.point.distance_to(owner.point).wrapping_sub(1);
        let mut at = slot;
        while at < self.fingers.len() && self.shape.distance(at) - 1 <= reach {
            self.fingers[at] = owner;
            at += 1;
        }
        self.next_finger = at.max(slot + 1) % self.fingers.len();
    }

    pub(super) fn finger_not_found(&mut self, slot: usize) {
        self.fingers[slot] = self.own;
        self.next_finger = (slot + 1) % self.fingers.len();
    }
}
