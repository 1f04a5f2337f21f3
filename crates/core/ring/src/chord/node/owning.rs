//! Core: how arcs change hands, so that each point has one owner at a time.
//!
//! **A newcomer**: its successor adopts it as predecessor and goes on owning everything. It then tells its own successor who stands
//! before it now (so that the heir knows, should it die in this moment); once that is acknowledged it stops to own the newcomer's
//! part and says so in its answer to the newcomer's notification (`Grant`). With that answer the newcomer owns it. A lost answer is
//! given again when the newcomer, still without an arc, notifies again; a late one fits no open question and is ignored.
//!
//! **A death**: the heir is the successor. It takes what the dead node said it owned, up to whom it said stands before it, at once.
//! Where the heir cannot know (several deaths at a time), points stay nobody's for `settle`: by then whoever lives in between has
//! shown itself. **A leave**: the leaver stops to own, then says so, and the successor owns.
//!
//! **A verdict that was wrong**: both own the arc until the one declared dead hears from its successor that it was inherited. It
//! gives up at once what it has, and is given its part again.

use std::time::Duration;

use crate::chord::estate::{Estate, estate, inheritance};
use crate::chord::message::Grant;
use crate::chord::node::stabilising::Question;
use crate::chord::node::{ChordNode, SILENT_PERIODS};
use crate::chord::requests::{Purpose, Request};
use crate::chord::{Body, Event, HandOver, KeyArc, Source};
use crate::{Point, VirtualNode};

/// A part of our arc on its way to the predecessor. It is still ours.
#[derive(Debug, Clone)]
pub struct Ceding {
    pub to: VirtualNode,
    /// Our own successor knows who stands before us.
    pub is_told: bool,
    pub is_released: bool,
}

/// A part that has been ceded, until its new owner shows that it knows.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    pub to: VirtualNode,
    pub grant: Grant,
}

/// Whether nobody is left to give us our first arc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    No,
    /// Our successor knows us and owns nothing that is ours: whoever was to hand it over has died.
    Sure,
    /// Asking one after the other whether it owns anything; this many do not.
    Asking(usize),
}

impl ChordNode {
    /// Compares the arc with the predecessor, and starts what has to be done about it.
    pub(super) fn reconcile(&mut self) {
        if !self.is_member() {
            return;
        }
        let alone = self.successors.is_empty() && !self.is_isolated;
        match estate(self.own.point, self.after, self.predecessor.map(|peer| peer.point), alone) {
            Estate::Settled => (self.gap_since, self.ceding) = (None, None),
            Estate::Cede(arc) => self.begin_ceding(arc),
            Estate::Gap => {
                self.ceding = None;
                self.gap_since.get_or_insert(self.clock.lived());
            }
        }
    }

    fn begin_ceding(&mut self, arc: KeyArc) {
        let Some(to) = self.predecessor else { return };
        self.gap_since = None;
        if self.ceding.as_ref().is_some_and(|ceding| ceding.to == to) {
            return self.try_ceding();
        }
        let is_released = self.config.hand_over == HandOver::AtOnce;
        self.ceding = Some(Ceding { to, is_told: false, is_released });
        if !is_released {
            self.tell(Event::Ceding { arc, to });
        }
        // Nobody else to tell in a ring of two.
        match self.successors.first() {
            Some(head) if *head != to => self.notify(),
            _ => self.told_successor(to),
        }
    }

    fn told_successor(&mut self, before_us: VirtualNode) {
        if let Some(ceding) = self.ceding.as_mut().filter(|ceding| ceding.to == before_us) {
            ceding.is_told = true;
        }
        self.try_ceding();
    }

    pub(super) fn release(&mut self, to: VirtualNode) {
        if let Some(ceding) = self.ceding.as_mut().filter(|ceding| ceding.to == to) {
            ceding.is_released = true;
        }
        self.try_ceding();
        self.release_leave(to);
    }

    /// Hands over, if everything is prepared and the newcomer waits for it.
    fn try_ceding(&mut self) {
        let Some(after) = self.after.filter(|_| !self.is_doubtful) else { return };
        let waits = self.unanswered.filter(|question| self.predecessor == Some(question.from));
        let Some(notification) = waits else { return };
        let is_ready = |ceding: &mut Ceding| ceding.is_told && ceding.is_released && ceding.to == notification.from;
        let Some(ceding) = self.ceding.take_if(is_ready) else { return };
        self.unanswered = None;
        let arc = KeyArc { after, until: ceding.to.point };
        let beyond = self.behind.first().copied().filter(|peer| peer.point == after);
        let grant = Grant { arc, beyond: beyond.or((after == self.own.point).then_some(self.own)) };
        self.after = Some(ceding.to.point);
        self.told.after = Some(after);
        self.granted = Some(Granted { to: ceding.to, grant });
        self.tell(Event::Ceded { arc, to: ceding.to });
        self.send_notified(ceding.to, notification.id, Some(grant));
        self.reconcile();
    }

    /// Answers a notification; later, if an arc is being prepared for the notifier.
    pub(super) fn answer_notifier(&mut self, to: VirtualNode, id: u64) {
        let is_ceding = self.ceding.as_ref().is_some_and(|ceding| ceding.to == to);
        // Both without an arc: as soon as we get ours, it gets its.
        let is_waiting = self.after.is_none() && self.told.after.is_none() && self.predecessor == Some(to);
        if is_ceding || is_waiting {
            self.unanswered = Some(Question { from: to, id });
            self.reply(to, id, Body::Busy);
            return self.try_ceding();
        }
        let again = self.granted.filter(|granted| granted.to == to);
        self.send_notified(to, id, again.map(|granted| granted.grant));
    }

    fn send_notified(&mut self, to: VirtualNode, id: u64, grant: Option<Grant>) {
        let (predecessor, after) = (self.predecessor, self.after);
        self.reply(to, id, Body::Notified { predecessor, after, grant });
    }

    /// Our successor has answered our notification.
    pub(super) fn successor_knows(
        &mut self,
        request: &Request,
        predecessor: Option<VirtualNode>,
        after: Option<Point>,
        grant: Option<Grant>,
    ) {
        let head = request.to;
        if self.successors.first() != Some(&head) || !self.is_member() {
            return;
        }
        if grant.is_none()
            && after.is_some_and(|after| self.own.point.is_owned_by(after, head.point) && head != self.own)
        {
            self.give_up_arc(head);
        }
        let is_known = predecessor == Some(self.own);
        if is_known {
            self.is_doubtful = false;
        } else {
            self.stabilise_soon_if_nearer(head, predecessor);
        }
        self.orphan = match (is_known, after) {
            (true, Some(after)) if after == self.own.point => Orphan::Sure,
            _ => Orphan::No,
        };
        if let Some(grant) = grant {
            self.take_grant(head, grant);
        }
        if let Body::Notify { predecessors, .. } = &request.body
            && is_known
            && let Some(before_us) = predecessors.first()
        {
            self.told_successor(*before_us);
        }
        self.reconcile();
    }

    fn stabilise_soon_if_nearer(&mut self, head: VirtualNode, predecessor: Option<VirtualNode>) {
        if crate::chord::stabilise::nearer(self.own, head, predecessor).is_some() {
            self.stabilise_at = self.stabilise_at.min(self.now().max(self.patient_until));
        }
    }

    /// Our successor owns our point: it took us for dead, or belonged to another ring. It is the owner.
    fn give_up_arc(&mut self, to: VirtualNode) {
        if let Some(arc) = self.whole_arc() {
            (self.after, self.ceding) = (None, None);
            self.tell(Event::Ceded { arc, to });
        }
    }

    fn take_grant(&mut self, from: VirtualNode, grant: Grant) {
        let own = self.own.point;
        let length = |after: Point| after.distance_to(own).wrapping_sub(1);
        if grant.arc.until != own {
            return;
        }
        match self.after.is_none_or(|after| length(grant.arc.after) > length(after)) {
            true => self.gain(grant.arc.after, Source::GrantedBy(from)),
            // We had it already (it was inherited while we were away, or two rings are merged), but `from` has had it too.
            false => self.tell(Event::Gained { arc: grant.arc, from: Source::GrantedBy(from) }),
        }
        if let Some(beyond) = grant.beyond.filter(|beyond| *beyond != self.own && self.predecessor != Some(*beyond)) {
            self.ask(beyond, Body::Ping, Purpose::Try);
        }
    }

    /// From now on we own everything behind `after`.
    pub(super) fn gain(&mut self, after: Point, from: Source) {
        let arc = KeyArc { after, until: self.after.unwrap_or(self.own.point) };
        let is_first = self.after.replace(after).is_none();
        // What is missing from here on is missing since now.
        self.gap_since = None;
        if is_first {
            self.tell(Event::Joined);
        }
        self.tell(Event::Gained { arc, from });
        self.reconcile();
    }

    /// The predecessor is dead: what it owned falls to us.
    pub(super) fn inherit(&mut self, dead: VirtualNode) {
        let granted = self.granted.take().filter(|granted| granted.to == dead);
        self.ceding = None;
        let its = granted.map(|granted| granted.grant.arc.after).or(self.told.after);
        if let Some(its) = its.filter(|_| self.after == Some(dead.point)) {
            let after = inheritance(dead.point, its, self.told.next.map(|next| next.point));
            self.gain(after, Source::Inherited(Some(dead)));
        }
    }

    /// When what nobody claims becomes ours.
    pub(super) fn settle_at(&self) -> Option<Duration> {
        self.gap_since.filter(|_| self.is_member()).map(|since| since + self.config.settle)
    }

    pub(super) fn settle(&mut self) {
        self.gap_since = Some(self.now());
        let is_heard = self.now() <= self.heard + self.config.stabilise_every * SILENT_PERIODS;
        let is_due = self.after.is_some() || self.orphan == Orphan::Sure;
        match self.predecessor {
            Some(predecessor) if is_heard && is_due => self.gain(predecessor.point, Source::Inherited(None)),
            Some(_) if is_heard => self.ask_whether_anybody_owns(),
            None if self.successors.is_empty() && !self.is_isolated => {
                self.gain(self.own.point, Source::Inherited(None));
            }
            Some(_) | None => {}
        }
    }

    /// A young ring whose only owner died while all others were still joining: nobody will ever hand anything over.
    fn ask_whether_anybody_owns(&mut self) {
        if let Some(first) = self.everybody().first().copied() {
            self.orphan = Orphan::Asking(0);
            self.ask(first, Body::Ping, Purpose::Orphan);
        }
    }

    /// All others, if we can know that it is all: a list that goes from our successor to our predecessor, or a small table.
    fn everybody(&self) -> Vec<VirtualNode> {
        let closes = self.predecessor.is_some_and(|predecessor| self.successors.contains(&predecessor));
        if closes { self.successors.clone() } else { self.table.everybody().to_vec() }
    }

    pub(super) fn successor_says(&mut self, peer: VirtualNode, owner: bool) {
        let Orphan::Asking(count) = self.orphan else { return };
        let everybody = self.everybody();
        if owner || self.after.is_some() || everybody.get(count) != Some(&peer) {
            self.orphan = Orphan::No;
            return;
        }
        match everybody.get(count + 1).copied() {
            Some(next) => {
                self.orphan = Orphan::Asking(count + 1);
                self.ask(next, Body::Ping, Purpose::Orphan);
            }
            None => {
                self.orphan = Orphan::Sure;
                self.settle();
            }
        }
    }
}
