//! Core: leave: stop to own, tell the successor (it gets the arc) and the predecessor, go.

use crate::VirtualNode;
use crate::chord::node::ChordNode;
use crate::chord::requests::Purpose;
use crate::chord::stabilise::{list_behind, list_without};
use crate::chord::{Body, Event, HandOver, KeyArc};

/// How many successors are told, one after the other, before a leaver just goes.
const TOLD_MAX: u32 = 4;

#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    /// From now on we own nothing.
    has_departed: bool,
    told: u32,
}

impl ChordNode {
    pub(super) fn has_departed(&self) -> bool {
        self.leaving.is_some_and(|leaving| leaving.has_departed)
    }

    pub(super) fn leave(&mut self) {
        if self.leaving.is_some() {
            return;
        }
        let Some(head) = self.successors.first().copied().filter(|_| self.is_member()) else { return self.go() };
        self.leaving = Some(Leaving { has_departed: false, told: 0 });
        match self.whole_arc() {
            Some(arc) if self.config.hand_over == HandOver::WhenReleased => self.tell(Event::Ceding { arc, to: head }),
            _ => self.depart(),
        }
    }

    /// The driver has copied our keys to the successor.
    pub(super) fn release_leave(&mut self, to: VirtualNode) {
        if self.leaving.is_none() || self.has_departed() {
            return;
        }
        match (self.successors.first().copied(), self.whole_arc()) {
            (Some(head), Some(arc)) if head != to => self.tell(Event::Ceding { arc, to: head }),
            _ => self.depart(),
        }
    }

    fn depart(&mut self) {
        let (predecessors, successors) = (self.predecessors(), self.successors.clone());
        let told = self.leaving.map_or(0, |leaving| leaving.told) + 1;
        self.leaving = Some(Leaving { has_departed: true, told });
        let Some(head) = successors.first().copied().filter(|_| told <= TOLD_MAX) else { return self.go() };
        self.requests.drop_purpose(Purpose::Notify);
        if let Some(predecessor) = self.predecessor.filter(|peer| *peer != head && told == 1) {
            let hint = Body::Leave { arc: None, predecessors: Vec::new(), successors: successors.clone() };
            self.send(predecessor, 0, hint);
        }
        let body = Body::Leave { arc: self.whole_arc(), predecessors, successors };
        self.ask(head, body, Purpose::Leave);
    }

    pub(super) fn leave_noted(&mut self, head: VirtualNode) {
        if let Some(arc) = self.whole_arc() {
            self.tell(Event::Ceded { arc, to: head });
        }
        self.go();
    }

    /// That successor is dead, or does not take us for its predecessor: the next.
    pub(super) fn leave_unnoted(&mut self, head: VirtualNode) {
        if self.successors.first() == Some(&head) {
            self.set_successors(list_without(&self.successors, head));
        }
        self.depart();
    }

    fn go(&mut self) {
        self.forget_ring();
        self.tell(Event::Left);
    }

    /// A neighbour goes.
    pub(super) fn peer_leaves(
        &mut self,
        from: VirtualNode,
        id: u64,
        arc: Option<KeyArc>,
        predecessors: Vec<VirtualNode>,
        successors: &[VirtualNode],
    ) {
        if !self.is_member() || self.has_departed() {
            return self.reply(from, id, Body::Pong { member: false, owner: false });
        }
        if arc.is_some_and(|arc| !self.can_take(from, arc)) {
            return self.reply(from, id, Body::Busy);
        }
        self.lives.leave(from);
        let asked = self.requests.take_all_from(from);
        if self.predecessor == Some(from) {
            self.predecessor_leaves(from, arc, predecessors);
        } else if let Some(arc) = arc {
            self.gain(arc.after, super::super::Source::LeftBy(from));
        }
        self.successor_leaves(from, successors);
        self.drop_peer(from);
        self.leave_round(from);
        self.reply(from, id, Body::LeaveNoted);
        // Lookups that were there go another way. All else that was asked of it is settled by its leaving.
        for request in asked {
            if let Purpose::Walk(walk) = request.purpose {
                self.walk_timed_out(walk, from);
            }
        }
        self.stabilise_soon();
        self.reconcile();
    }

    /// Whether its arc ends where ours begins. While somebody stands between us, it has to find out. That we have a predecessor
    /// behind it already, who heard of the leave before us, is no obstacle.
    fn can_take(&self, from: VirtualNode, arc: KeyArc) -> bool {
        let is_between = |peer: VirtualNode| peer.point.is_between(from.point, self.own.point);
        !self.predecessor.is_some_and(is_between) && arc.until == from.point && self.after == Some(from.point)
    }

    fn predecessor_leaves(&mut self, from: VirtualNode, arc: Option<KeyArc>, mut predecessors: Vec<VirtualNode>) {
        predecessors.retain(|peer| *peer != self.own && *peer != from);
        let mut rest = predecessors.into_iter();
        (self.ceding, self.granted, self.told) = (None, None, Default::default());
        self.set_predecessor(rest.next());
        self.behind = rest.collect();
        if let Some(arc) = arc {
            self.gain(arc.after, super::super::Source::LeftBy(from));
        }
    }

    fn successor_leaves(&mut self, from: VirtualNode, its: &[VirtualNode]) {
        if self.successors.len() == 1
            && self.successors[0] == from
            && let Some((head, rest)) = its.split_first()
            && *head != self.own
        {
            self.set_successors(list_behind(self.own, *head, rest, self.config.successors));
        }
    }
}
