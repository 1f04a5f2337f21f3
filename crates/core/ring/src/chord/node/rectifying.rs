//! Core: rectify: who says that it is our predecessor, and whether ours lives.
//!
//! Zave takes a nearer notifier at once. Here it is asked first whether it lives: a notification may be late, from a node that is
//! dead by now, and an arc handed to it would be lost for a while.

use std::time::Duration;

use crate::chord::node::{BEHIND_MAX, ChordNode, SILENT_PERIODS};
use crate::chord::rectify::{Rectify, rectify};
use crate::chord::requests::Purpose;
use crate::chord::{Body, Event};
use crate::{Point, VirtualNode};

/// Who waits for an answer to its notification.
#[derive(Debug, Clone)]
pub struct Notifier {
    pub from: VirtualNode,
    pub id: u64,
    pub after: Option<Point>,
    pub predecessors: Vec<VirtualNode>,
}

/// What the predecessor said of itself last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Where its arc begins.
    pub after: Option<Point>,
    /// Its predecessor.
    pub next: Option<VirtualNode>,
    /// Which notification that was. Their numbers grow: one that was overtaken has a smaller one.
    id: u64,
}

impl ChordNode {
    /// Shows ourselves to our successor.
    pub(super) fn notify(&mut self) {
        if self.has_departed() {
            return;
        }
        if let Some(head) = self.successors.first().copied() {
            let body = Body::Notify { after: self.after, predecessors: self.predecessors() };
            self.ask(head, body, Purpose::Notify);
        }
    }

    pub(super) fn notified(&mut self, notifier: Notifier) {
        if !self.is_member() {
            return self.reply(notifier.from, notifier.id, self.pong());
        }
        match rectify(self.own, self.predecessor, notifier.from) {
            // Overtaken by a later one: what it says is no longer so, and nobody waits for the answer.
            Rectify::Known if notifier.id < self.told.id => {}
            Rectify::Known => {
                self.hear(&notifier);
                self.answer_notifier(notifier.from, notifier.id);
            }
            Rectify::Adopt => self.try_newcomer(notifier),
            Rectify::Check => self.check_for(notifier),
        }
    }

    /// What a predecessor says of itself and of those before it.
    fn hear(&mut self, notifier: &Notifier) {
        let next = notifier.predecessors.first().copied();
        self.told = Told { after: notifier.after, next, id: notifier.id };
        if notifier.after.is_some() {
            self.granted = None;
        }
        let told = notifier.predecessors.iter().copied();
        // It knows best who stands before it, unless it has just come.
        if notifier.after.is_some() && notifier.after == next.map(|peer| peer.point) {
            self.behind = self.before(notifier.from, told.collect());
        } else {
            self.behind = self.before(notifier.from, told.chain(self.behind.iter().copied()).collect());
        }
    }

    /// Those of `peers` who stand before `peer`, nearest first.
    fn before(&self, peer: VirtualNode, mut peers: Vec<VirtualNode>) -> Vec<VirtualNode> {
        let away = |other: &VirtualNode| other.point.distance_to(self.own.point);
        peers.retain(|other| *other != self.own && away(other) > away(&peer));
        peers.sort_unstable_by_key(away);
        peers.dedup();
        peers.truncate(BEHIND_MAX);
        peers
    }

    /// Only the best of several waits; the others are told to, and ask again.
    fn try_newcomer(&mut self, notifier: Notifier) {
        self.reply(notifier.from, notifier.id, Body::Busy);
        let from = notifier.from;
        let is_better = |waiting: &Notifier| match waiting.from == from {
            true => waiting.id <= notifier.id,
            false => from.point.is_between(waiting.from.point, self.own.point) || self.is_forgotten(waiting),
        };
        if self.notifier.as_ref().is_none_or(is_better) {
            self.notifier = Some(notifier);
            if self.requests.find(Purpose::Try).is_none_or(|request| request.to != from) {
                self.ask(from, Body::Ping, Purpose::Try);
            }
        }
    }

    /// The question that it waits for has been replaced by another. If it is dead by now, nothing else would ever free its place.
    fn is_forgotten(&self, waiting: &Notifier) -> bool {
        self.requests.find(Purpose::Try).is_none_or(|request| request.to != waiting.from)
            && self.requests.find(Purpose::Doubt).is_none()
    }

    fn check_for(&mut self, notifier: Notifier) {
        self.reply(notifier.from, notifier.id, Body::Busy);
        let may_wait = |waiting: &Notifier| waiting.from == notifier.from || self.is_forgotten(waiting);
        if self.notifier.as_ref().is_none_or(may_wait) {
            self.notifier = Some(notifier);
        }
        self.doubt_predecessor();
    }

    pub(super) fn doubt_predecessor(&mut self) {
        if let Some(predecessor) = self.predecessor
            && self.requests.find(Purpose::Doubt).is_none()
        {
            self.ask(predecessor, Body::Ping, Purpose::Doubt);
        }
    }

    /// When a silent predecessor is to be asked.
    pub(super) fn doubt_at(&self) -> Option<Duration> {
        let is_due = self.is_member() && self.predecessor.is_some() && self.requests.find(Purpose::Doubt).is_none();
        is_due.then(|| self.heard + self.config.stabilise_every * SILENT_PERIODS)
    }

    pub(super) fn predecessor_answered(&mut self, peer: VirtualNode, member: bool) {
        if !member {
            return self.predecessor_silent(peer);
        }
        if self.predecessor == Some(peer)
            && let Some(waiting) =
                self.notifier.take_if(|waiting| rectify(self.own, Some(peer), waiting.from) == Rectify::Check)
        {
            self.answer_notifier(waiting.from, waiting.id);
        }
    }

    pub(super) fn predecessor_silent(&mut self, peer: VirtualNode) {
        if self.predecessor == Some(peer) {
            self.peer_died(peer);
        }
    }

    /// Our predecessor is dead. What it owned is ours; the one before it moves up if it lives.
    pub(super) fn predecessor_died(&mut self) {
        let Some(dead) = self.predecessor else { return };
        self.tell(Event::Dropped { peer: dead });
        self.set_predecessor(None);
        self.requests.drop_purpose(Purpose::Doubt);
        self.inherit(dead);
        // Whoever is in between now has to find out about this death, too, before it shows itself.
        self.gap_since = None;
        self.told = Told::default();
        self.notifier.take_if(|waiting| waiting.from == dead);
        let next = self.notifier.as_ref().map(|waiting| waiting.from).or(self.behind.first().copied());
        if let Some(next) = next {
            self.ask(next, Body::Ping, Purpose::Try);
        }
        self.reconcile();
    }

    /// Who wants to be our predecessor, or is to become it, lives.
    pub(super) fn newcomer_answered(&mut self, peer: VirtualNode, member: bool) {
        if !member {
            return self.newcomer_silent(peer);
        }
        let waiting = self.notifier.take_if(|waiting| waiting.from == peer);
        if rectify(self.own, self.predecessor, peer) == Rectify::Adopt {
            self.adopt_predecessor(peer, waiting.as_ref());
        }
        if let Some(waiting) = waiting {
            self.answer_notifier(waiting.from, waiting.id);
        }
    }

    fn adopt_predecessor(&mut self, peer: VirtualNode, waiting: Option<&Notifier>) {
        let former = self.predecessor;
        self.set_predecessor(Some(peer));
        (self.told, self.ceding, self.granted) = (Told::default(), None, None);
        self.behind = self.before(peer, former.into_iter().chain(self.behind.iter().copied()).collect());
        if let Some(waiting) = waiting {
            self.hear(waiting);
        }
        if self.successors.is_empty() {
            self.table.is_heard(peer);
            self.stabilise_soon();
        }
        self.reconcile();
    }

    pub(super) fn newcomer_silent(&mut self, peer: VirtualNode) {
        self.notifier.take_if(|waiting| waiting.from == peer);
        self.behind.retain(|other| *other != peer);
        if self.predecessor.is_none()
            && let Some(next) = self.behind.first().copied()
        {
            self.ask(next, Body::Ping, Purpose::Try);
        }
    }
}
