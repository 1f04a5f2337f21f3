//! Core: a node of a ring: its state, what comes in, and what it answers at once. The flows are in the files of the folder.

use std::collections::VecDeque;
use std::time::Duration;

use crate::chord::clock::Clock;
use crate::chord::dice::Dice;
use crate::chord::lives::{Lives, Meeting};
use crate::chord::requests::{Overdue, Purpose, Request, Requests};
use crate::chord::table::Table;
use crate::chord::{Body, ChordConfig, Event, Input, KeyArc, Message, Output};
use crate::finger_table::{Base, FingerShape};
use crate::{NodeId, Point, VirtualNode};

mod fingers;
mod joining;
mod leaving;
mod owning;
mod queries;
mod rectifying;
mod stabilising;
mod walking;

use joining::Joining;
use leaving::Leaving;
use owning::{Ceding, Granted, Orphan};
use rectifying::{Notifier, Told};
use stabilising::{Question, Round};
use walking::Walk;

/// How many nodes before the predecessor are remembered.
const BEHIND_MAX: usize = 4;
/// After how many periods of silence a predecessor is asked whether it lives.
const SILENT_PERIODS: u32 = 2;

/// One virtual node and what it knows of the ring.
#[derive(Debug, Clone)]
pub struct ChordNode {
    own: VirtualNode,
    incarnation: u64,
    config: ChordConfig,
    clock: Clock,
    dice: Dice,
    stage: Stage,
    leaving: Option<Leaving>,

    successors: Vec<VirtualNode>,
    predecessor: Option<VirtualNode>,
    /// Who stands before the predecessor, nearest first, as far as it told.
    behind: Vec<VirtualNode>,
    told: Told,
    /// When the predecessor last spoke.
    heard: Duration,

    round: Round,
    stabilise_at: Duration,
    /// Until then the news that our successor has a nearer predecessor is no news: that one was busy.
    patient_until: Duration,
    is_isolated: bool,
    /// Who asked for our state while it was undefined.
    questions: VecDeque<Question>,
    notifier: Option<Notifier>,

    /// Where our arc begins. None: we have none.
    after: Option<Point>,
    /// The clock has leapt: somebody may have inherited us. Until our successor knows us, we own nothing.
    is_doubtful: bool,
    gap_since: Option<Duration>,
    ceding: Option<Ceding>,
    /// The notification of our predecessor that waits for an arc.
    unanswered: Option<Question>,
    granted: Option<Granted>,
    orphan: Orphan,

    fingers: Vec<VirtualNode>,
    shape: FingerShape,
    next_finger: usize,
    fix_fingers_at: Duration,

    table: Table,
    lives: Lives,
    requests: Requests,
    walks: Vec<Walk>,
    next_walk: u64,
    out: Vec<Output>,
}

#[derive(Debug, Clone)]
enum Stage {
    Outside,
    Joining(Joining),
    Member,
}

impl ChordNode {
    /// `incarnation`: which life of this virtual node it is; later lives have larger numbers (a clock's reading at start will do).
    pub fn new(own: VirtualNode, incarnation: u64, config: ChordConfig) -> Self {
        let mut dice = Dice::new(config.seed ^ incarnation.rotate_left(32) ^ own.point.0);
        let first_id = dice.next() >> 2;
        let shape = FingerShape::full(Base::try_from(config.finger_base).unwrap_or_default());
        Self {
            own,
            incarnation,
            clock: Clock::new(config.stabilise_every * SILENT_PERIODS),
            dice,
            stage: Stage::Outside,
            leaving: None,
            successors: Vec::new(),
            predecessor: None,
            behind: Vec::new(),
            told: Told::default(),
            heard: Duration::ZERO,
            round: Round::Idle,
            stabilise_at: Duration::ZERO,
            patient_until: Duration::ZERO,
            is_isolated: false,
            questions: VecDeque::new(),
            notifier: None,
            after: None,
            is_doubtful: false,
            gap_since: None,
            ceding: None,
            unanswered: None,
            granted: None,
            orphan: Orphan::No,
            fingers: vec![own; shape.slots()],
            shape,
            next_finger: 0,
            fix_fingers_at: Duration::ZERO,
            table: Table::default(),
            lives: Lives::default(),
            requests: Requests::new(first_id, config.rpc_timeout, config.attempts),
            walks: Vec::new(),
            next_walk: 0,
            out: Vec::new(),
            config,
        }
    }

    /// `now` may stand still, go back or leap: nothing but the pace depends on it.
    pub fn handle(&mut self, now: Duration, input: Input, out: &mut Vec<Output>) {
        std::mem::swap(&mut self.out, out);
        if self.clock.advance(now) {
            self.doubt_everything();
        }
        match input {
            Input::Create => self.create(),
            Input::Join { known } => self.join(known),
            Input::Message { from, message } => self.receive(from, message),
            Input::Wake => {}
            Input::Down(node) => self.bury(node),
            Input::Members(members) => self.learn(members),
            Input::Lookup { ticket, key } => self.look_up(ticket, key),
            Input::Release { to } => self.release(to),
            Input::Leave => self.leave(),
        }
        self.tick();
        std::mem::swap(&mut self.out, out);
    }

    /// When `Input::Wake` is due; never, for a node that is in no ring.
    pub fn next_wake(&self) -> Option<Duration> {
        let due = [
            self.requests.next_due(),
            self.walks.iter().filter_map(Walk::paused_until).min(),
            self.join_again_at(),
            self.is_member().then_some(self.stabilise_at),
            self.is_member().then_some(self.fix_fingers_at),
            self.doubt_at(),
            self.settle_at(),
        ];
        due.into_iter().flatten().min().map(|lived| self.clock.outer_at(lived))
    }

    fn now(&self) -> Duration {
        self.clock.lived()
    }

    fn is_member(&self) -> bool {
        matches!(self.stage, Stage::Member)
    }

    fn create(&mut self) {
        if matches!(self.stage, Stage::Outside) {
            self.enter(Vec::new(), None);
            self.gain(self.own.point, super::Source::Created);
        }
    }

    /// Becomes a member, with these neighbours.
    fn enter(&mut self, successors: Vec<VirtualNode>, predecessor: Option<VirtualNode>) {
        self.stage = Stage::Member;
        self.heard = self.now();
        self.set_successors(successors);
        self.set_predecessor(predecessor);
        self.fix_fingers_at = self.now() + self.dice.lengthen(self.config.fix_fingers_every);
        self.stabilise_at = self.now() + self.dice.lengthen(self.config.stabilise_every);
    }

    /// Forgets the ring, and keeps what says who we are.
    fn forget_ring(&mut self) {
        let mut fresh = Self::new(self.own, self.incarnation, self.config.clone());
        fresh.clock = self.clock.clone();
        fresh.dice = self.dice.clone();
        fresh.requests = self.requests.clone();
        fresh.requests.drop_all();
        fresh.next_walk = self.next_walk;
        fresh.table = std::mem::take(&mut self.table);
        fresh.lives = std::mem::take(&mut self.lives);
        fresh.out = std::mem::take(&mut self.out);
        for walk in std::mem::take(&mut self.walks) {
            walk.abandon(&mut fresh.out);
        }
        *self = fresh;
    }

    fn receive(&mut self, from: VirtualNode, message: Message) {
        if from == self.own {
            return self.receive_from_double(message.incarnation);
        }
        let Message { incarnation, id, body } = message;
        match self.lives.meet(from, incarnation) {
            Meeting::Current => {}
            Meeting::Reborn => self.peer_died(from),
            Meeting::HasLeft => return self.receive_from_gone(from, id, &body),
            Meeting::Former { current } => {
                if !matches!(body, Body::Replaced { .. }) {
                    self.reply(from, id, Body::Replaced { by: current });
                }
                return;
            }
        }
        self.requests.is_alive(from);
        self.table.is_heard(from);
        if self.predecessor == Some(from) {
            self.heard = self.now();
        }
        self.dispatch(from, id, body);
    }

    fn dispatch(&mut self, from: VirtualNode, id: u64, body: Body) {
        match body {
            Body::GetState => self.asked_for_state(Question { from, id }),
            Body::Notify { after, predecessors } => self.notified(Notifier { from, id, after, predecessors }),
            Body::Ping => self.reply(from, id, self.pong()),
            Body::Step { key } => self.reply(from, id, Body::StepReply(self.step(key))),
            Body::Leave { arc, predecessors, successors } => self.peer_leaves(from, id, arc, predecessors, &successors),
            Body::Busy => self.busy(from, id),
            Body::Replaced { by } => self.replaced(by),
            Body::State { .. } | Body::Notified { .. } | Body::Pong { .. } | Body::StepReply(_) | Body::LeaveNoted => {
                if let Some(request) = self.requests.take(from, id) {
                    self.answered(request, body);
                }
            }
        }
    }

    fn busy(&mut self, from: VirtualNode, id: u64) {
        if let Some(Purpose::Stabilise | Purpose::Adopt) = self.requests.put_off(self.now(), from, id) {
            self.successor_is_busy(from);
        }
    }

    fn answered(&mut self, request: Request, body: Body) {
        let peer = request.to;
        match (request.purpose, body) {
            (Purpose::Join, Body::State { predecessor, successors }) => self.try_place(peer, predecessor, successors),
            (Purpose::Stabilise, Body::State { predecessor, successors }) => {
                self.successor_answered(peer, predecessor, &successors);
            }
            (Purpose::Adopt, Body::State { predecessor, successors }) => {
                self.nearer_answered(peer, predecessor, &successors);
            }
            (Purpose::Notify, Body::Notified { predecessor, after, grant }) => {
                self.successor_knows(&request, predecessor, after, grant);
            }
            (Purpose::Orphan, Body::Pong { owner, .. }) => self.successor_says(peer, owner),
            (Purpose::Try, Body::Pong { member, .. }) => self.newcomer_answered(peer, member),
            (Purpose::Doubt, Body::Pong { member, .. }) => self.predecessor_answered(peer, member),
            (Purpose::Probe, Body::Pong { member, .. }) => self.member_answered(peer, member),
            (Purpose::Leave, Body::LeaveNoted) => self.leave_noted(peer),
            (Purpose::Walk(walk), Body::StepReply(step)) => self.walk_answered(walk, peer, &step),
            // An answer that does not fit its question: as if it had not come.
            (purpose, _) => self.unanswered(peer, purpose),
        }
    }

    /// `peer` has been asked often enough.
    fn unanswered(&mut self, peer: VirtualNode, purpose: Purpose) {
        match purpose {
            Purpose::Join => self.join_again(),
            Purpose::Stabilise => self.successor_died(peer),
            Purpose::Adopt => self.nearer_silent(peer),
            Purpose::Try => self.newcomer_silent(peer),
            Purpose::Doubt => self.predecessor_silent(peer),
            Purpose::Probe => self.table.silence(peer),
            Purpose::Leave => self.leave_unnoted(peer),
            Purpose::Walk(walk) => self.walk_timed_out(walk, peer),
            // Stabilise is about to find out.
            Purpose::Notify => self.stabilise_soon(),
            Purpose::Orphan => {}
        }
    }

    /// `peer` lives, but goes on saying `Busy`.
    fn given_up(&mut self, peer: VirtualNode, purpose: Purpose) {
        match purpose {
            Purpose::Stabilise | Purpose::Adopt => self.end_round(),
            Purpose::Join | Purpose::Leave | Purpose::Walk(_) => self.unanswered(peer, purpose),
            Purpose::Notify | Purpose::Try | Purpose::Doubt | Purpose::Probe | Purpose::Orphan => {}
        }
    }

    fn tick(&mut self) {
        // Each round either asks again or ends a question, and what is asked again is not due: this ends.
        while let Some(overdue) = self.requests.overdue(self.now()) {
            match overdue {
                Overdue::Again { to, id, body } => self.send(to, id, body),
                Overdue::Unanswered { to, purpose } => self.unanswered(to, purpose),
                Overdue::GivenUp { to, purpose } => self.given_up(to, purpose),
            }
        }
        self.resume_walks();
        if self.join_again_at().is_some_and(|at| at <= self.now()) {
            self.start_join_walk();
        }
        if !self.is_member() {
            return;
        }
        if self.stabilise_at <= self.now() {
            self.stabilise_at = self.now() + self.dice.lengthen(self.config.stabilise_every);
            self.stabilise();
        }
        if self.fix_fingers_at <= self.now() {
            self.fix_fingers_at = self.now() + self.dice.lengthen(self.config.fix_fingers_every);
            self.fix_next_finger();
        }
        if self.doubt_at().is_some_and(|at| at <= self.now()) {
            self.doubt_predecessor();
        }
        if self.settle_at().is_some_and(|at| at <= self.now()) {
            self.settle();
        }
    }

    fn pong(&self) -> Body {
        Body::Pong { member: self.is_member(), owner: self.after.is_some() }
    }

    fn ask(&mut self, to: VirtualNode, body: Body, purpose: Purpose) {
        let id = self.requests.ask(self.now(), to, body.clone(), purpose);
        self.send(to, id, body);
    }

    fn reply(&mut self, to: VirtualNode, id: u64, body: Body) {
        self.send(to, id, body);
    }

    fn send(&mut self, to: VirtualNode, id: u64, body: Body) {
        let message = Message { incarnation: self.incarnation, id, body };
        self.out.push(Output::Send { to, message });
    }

    fn tell(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    fn set_successors(&mut self, to: Vec<VirtualNode>) {
        if self.successors != to {
            self.successors.clone_from(&to);
            self.tell(Event::SuccessorsChanged { to });
        }
        if !self.successors.is_empty() {
            self.is_isolated = false;
        }
    }

    fn set_predecessor(&mut self, to: Option<VirtualNode>) {
        if self.predecessor != to {
            let from = std::mem::replace(&mut self.predecessor, to);
            self.heard = self.now();
            self.tell(Event::PredecessorChanged { from, to });
        }
    }

    /// The verdict of a failure detector about a machine.
    fn bury(&mut self, node: NodeId) {
        if node == self.own.node {
            return;
        }
        self.table.bury(node);
        let asked = self.requests.take_all_to(node);
        let mut known: Vec<VirtualNode> = self.successors.iter().chain(&self.behind).copied().collect();
        known.extend(self.predecessor);
        known.extend(self.notifier.as_ref().map(|waiting| waiting.from));
        known.retain(|peer| peer.node == node);
        known.sort_unstable();
        known.dedup();
        for finger in self.fingers.iter_mut().filter(|finger| finger.node == node) {
            *finger = self.own;
        }
        known.into_iter().for_each(|peer| self.peer_died(peer));
        for request in asked {
            self.unanswered(request.to, request.purpose);
        }
    }

    /// A peer is dead beyond doubt: it is nobody's neighbour any more.
    fn peer_died(&mut self, peer: VirtualNode) {
        self.drop_peer(peer);
        if self.predecessor == Some(peer) {
            self.predecessor_died();
        }
        if self.is_member() {
            self.stabilise_soon();
        }
    }

    /// Takes a peer off every list but the predecessor's place.
    fn drop_peer(&mut self, peer: VirtualNode) {
        self.behind.retain(|other| *other != peer);
        self.notifier.take_if(|waiting| waiting.from == peer);
        for finger in self.fingers.iter_mut().filter(|finger| **finger == peer) {
            *finger = self.own;
        }
        if self.successors.contains(&peer) {
            self.set_successors(super::stabilise::list_without(&self.successors, peer));
            self.tell(Event::Dropped { peer });
        }
    }

    /// A message of our own virtual node that we have not sent: another machine has our identity.
    fn receive_from_double(&mut self, incarnation: u64) {
        if incarnation > self.incarnation {
            self.replaced(incarnation);
        } else if incarnation < self.incarnation {
            self.send(self.own, 0, Body::Replaced { by: self.incarnation });
        }
    }

    /// The later life wins; we stop.
    fn replaced(&mut self, by: u64) {
        if by > self.incarnation && !matches!(self.stage, Stage::Outside) {
            self.forget_ring();
            self.tell(Event::PointTaken { by: self.own });
        }
    }

    /// What comes late from a node that has left must not bring it back.
    fn receive_from_gone(&mut self, from: VirtualNode, id: u64, body: &Body) {
        if matches!(body, Body::Leave { .. }) {
            self.reply(from, id, Body::LeaveNoted);
        }
    }

    /// The whole of what it owns.
    fn whole_arc(&self) -> Option<KeyArc> {
        self.after.map(|after| KeyArc { after, until: self.own.point })
    }
}
