//! Core: stabilise, in two steps, and what gossip adds to it.
//!
//! First step: ask the successor for its state, and take over its list. Second step: if its predecessor stands between us, ask that
//! one, and take over its list. Between question and answer our own state is undefined: who asks for it hears `Busy`, and waits.
//! Else it would read a list that is already decided to change, and the proof would not hold.

use crate::VirtualNode;
use crate::chord::node::{ChordNode, SILENT_PERIODS};
use crate::chord::requests::Purpose;
use crate::chord::stabilise::{list_behind, list_without, nearer};
use crate::chord::table::Table;
use crate::chord::young::{list_with, missing, nearer_member};
use crate::chord::{Body, Event};

/// How many questions wait for our state to be defined again. Who does not fit asks again.
const QUESTIONS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Our state is defined.
    Idle,
    First(VirtualNode),
    Second(VirtualNode),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    pub from: VirtualNode,
    pub id: u64,
}

impl ChordNode {
    pub(super) fn stabilise_soon(&mut self) {
        self.stabilise_at = self.now();
    }

    pub(super) fn stabilise(&mut self) {
        if !self.is_member() || self.round != Round::Idle {
            return;
        }
        match self.successors.first().copied() {
            Some(head) => self.ask_successor(head),
            None => self.seek_anybody(),
        }
    }

    fn ask_successor(&mut self, head: VirtualNode) {
        self.round = Round::First(head);
        self.ask(head, Body::GetState, Purpose::Stabilise);
    }

    fn ask_nearer(&mut self, peer: VirtualNode) {
        self.round = Round::Second(peer);
        self.ask(peer, Body::GetState, Purpose::Adopt);
    }

    pub(super) fn successor_answered(
        &mut self,
        head: VirtualNode,
        predecessor: Option<VirtualNode>,
        its: &[VirtualNode],
    ) {
        if self.round != Round::First(head) {
            return;
        }
        self.set_successors(list_behind(self.own, head, its, self.config.successors));
        self.table.is_heard(head);
        let told = nearer(self.own, head, predecessor);
        let shown = || nearer_member(self.own, Some(head), &self.table.near());
        match told.or_else(shown) {
            Some(peer) => self.ask_nearer(peer),
            None => self.end_round(),
        }
    }

    pub(super) fn nearer_answered(&mut self, peer: VirtualNode, predecessor: Option<VirtualNode>, its: &[VirtualNode]) {
        if self.round != Round::Second(peer) {
            return;
        }
        // A newcomer took its list from the one before us or from us; somebody of another ring knows neither our successor nor us.
        let is_strange =
            |list: &[VirtualNode]| !list.iter().any(|known| *known == self.own || self.successors.contains(known));
        if is_strange(its) && !its.is_empty() && predecessor.is_none_or(|before| is_strange(&[before])) {
            self.tell(Event::Merging { with: peer });
        }
        self.set_successors(list_behind(self.own, peer, its, self.config.successors));
        if nearer(self.own, peer, predecessor).is_some() {
            self.stabilise_soon();
        }
        self.end_round();
    }

    pub(super) fn nearer_silent(&mut self, peer: VirtualNode) {
        self.table.silence(peer);
        if self.round == Round::Second(peer) {
            self.round = Round::Idle;
            if !self.successors.is_empty() {
                return self.end_round();
            }
            self.peer_died(peer);
            self.seek_anybody();
        }
    }

    /// A peer that is part of our round leaves: the round is off.
    pub(super) fn leave_round(&mut self, peer: VirtualNode) {
        if self.round == Round::First(peer) || self.round == Round::Second(peer) {
            self.end_round();
        }
    }

    pub(super) fn successor_died(&mut self, head: VirtualNode) {
        self.table.silence(head);
        if self.successors.contains(&head) {
            self.set_successors(list_without(&self.successors, head));
            self.tell(Event::Dropped { peer: head });
        }
        if self.round == Round::First(head) {
            self.round = Round::Idle;
            self.stabilise();
        }
    }

    /// Our list is empty: whoever is alive, the next clockwise first. If nobody is, we are a ring of one.
    fn seek_anybody(&mut self) {
        let known = self.table.near().into_iter().chain(self.predecessors()).chain(self.fingers.iter().copied());
        let own = self.own;
        let candidates = known.filter(|peer| *peer != own && !self.table.is_silent(*peer));
        let Some(next) = candidates.min_by_key(|peer| own.point.distance_to(peer.point)) else {
            return self.be_alone();
        };
        if !self.is_isolated {
            self.is_isolated = true;
            self.tell(Event::Isolated);
        }
        self.ask_nearer(next);
    }

    fn be_alone(&mut self) {
        self.behind.clear();
        self.fingers.fill(self.own);
        (self.is_doubtful, self.is_isolated) = (false, false);
        self.end_round();
    }

    /// Our state is defined again: who waited gets it, and the successor sees us.
    pub(super) fn end_round(&mut self) {
        self.round = Round::Idle;
        self.requests.drop_purpose(Purpose::Stabilise);
        self.requests.drop_purpose(Purpose::Adopt);
        std::mem::take(&mut self.questions).into_iter().for_each(|question| self.answer(question));
        self.notify();
        self.probe_missing();
        self.reconcile();
    }

    pub(super) fn asked_for_state(&mut self, question: Question) {
        if !self.is_member() {
            // Not an answer to this: the asker need not wait for the timeout.
            return self.reply(question.from, question.id, self.pong());
        }
        if self.round == Round::Idle {
            return self.answer(question);
        }
        if !self.questions.contains(&question) && self.questions.len() < QUESTIONS_MAX {
            self.questions.push_back(question);
        }
        self.reply(question.from, question.id, Body::Busy);
    }

    /// Our question waits with a peer whose state is undefined, too. If everybody asked his successor at once (after a death that all
    /// hear of), all would wait for each other. In each such circle there is one who waits for a lower point than its own: it gives up
    /// its round, which never does harm, and so the circle unwinds.
    pub(super) fn successor_is_busy(&mut self, peer: VirtualNode) {
        let waits = self.round == Round::First(peer) || self.round == Round::Second(peer);
        if waits && peer.point < self.own.point {
            self.end_round();
            // Our successor will name it again at once: without a pause we would ask for ever.
            self.patient_until = self.now() + self.dice.lengthen(self.config.rpc_timeout) / 2;
            self.stabilise_at = self.patient_until;
        }
    }

    fn answer(&mut self, Question { from, id }: Question) {
        let state = Body::State { predecessor: self.predecessor, successors: self.successors.clone() };
        self.reply(from, id, state);
    }

    /// A new table of members.
    pub(super) fn learn(&mut self, members: Vec<VirtualNode>) {
        self.table = Table::new(self.own, members, self.config.successors);
        if !self.is_member() {
            return;
        }
        if nearer_member(self.own, self.successors.first().copied(), &self.table.near()).is_some() {
            self.stabilise_soon();
        }
        self.probe_missing();
    }

    /// In a young ring everybody is on everybody's list, once it has answered.
    fn probe_missing(&mut self) {
        let length = self.config.successors;
        if self.successors.is_empty() || !self.table.is_young(length) || self.requests.find(Purpose::Probe).is_some() {
            return;
        }
        // An old table may call a ring young whose lists are full: who stands behind the end of ours is not missing.
        let fits = |peer: &VirtualNode| list_with(self.own, &self.successors, *peer, length).contains(peer);
        if let Some(peer) = missing(self.own, &self.successors, &self.table.near()).filter(fits) {
            self.ask(peer, Body::Ping, Purpose::Probe);
        }
    }

    pub(super) fn member_answered(&mut self, peer: VirtualNode, member: bool) {
        if !member {
            return self.table.silence(peer);
        }
        self.set_successors(list_with(self.own, &self.successors, peer, self.config.successors));
        self.probe_missing();
    }

    /// After a leap of the clock nothing that we believe is fresh.
    pub(super) fn doubt_everything(&mut self) {
        if !self.is_member() {
            return;
        }
        self.is_doubtful = self.after.is_some() && !self.successors.is_empty();
        self.heard = self.now().saturating_sub(self.config.stabilise_every * SILENT_PERIODS);
        self.stabilise_soon();
    }
}
