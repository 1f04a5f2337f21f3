//! Core: lookups by users: asked of a random node, judged when an owner answers, counted when the asker has its answer.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ringway_ring::chord::Input;
use ringway_ring::{Point, VirtualNode};

use super::{Event, Fault, Id, Phase, World, Wrong};

/// Before a lookup that found nobody is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How often one lookup is tried at most.
const TRIES_MAX: u32 = 50;

/// Lookups under way.
#[derive(Debug)]
pub(super) struct Lookups {
    deadline: Duration,
    waiting: HashMap<u64, Waiting>,
    by_key: HashMap<Point, u64>,
    /// In the order in which they began.
    begun: VecDeque<(Duration, u64)>,
    next_ticket: u64,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) asker: u32,
    life: u32,
    pub(super) key: Point,
    pub(super) began: Duration,
    tries: u32,
    timeouts: u32,
    /// What was thought of the answers *it is mine*, each when it was given.
    verdicts: Vec<(u32, Option<Fault>)>,
}

/// What a core found.
pub(super) struct Answer {
    pub(super) ticket: u64,
    pub(super) key: Point,
    pub(super) owner: Option<VirtualNode>,
    pub(super) hops: u32,
    pub(super) timeouts: u32,
}

impl Lookups {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, waiting: HashMap::new(), by_key: HashMap::new(), begun: VecDeque::new(), next_ticket: 0 }
    }

    fn end(&mut self, ticket: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        self.by_key.remove(&waiting.key);
        Some(waiting)
    }
}

impl World {
    /// `asker` looks up a random key.
    pub fn look_up_anything(&mut self, asker: Id) {
        let key = crate::random::point(&mut self.chance);
        self.look_up(asker, key);
    }

    pub fn look_up(&mut self, asker: Id, key: Point) {
        let ticket = self.lookups.next_ticket;
        self.lookups.next_ticket += 1;
        let waiting = Waiting {
            asker: asker.0,
            life: self.machine(asker.0).life,
            key,
            began: self.now,
            tries: 1,
            timeouts: 0,
            verdicts: Vec::new(),
        };
        self.lookups.waiting.insert(ticket, waiting);
        self.lookups.by_key.insert(key, ticket);
        self.lookups.begun.push_back((self.now, ticket));
        self.ask(asker.0, ticket, key);
    }

    /// Lookups that have not ended.
    pub fn lookups_waiting(&self) -> usize {
        self.lookups.waiting.len()
    }

    fn ask(&mut self, asker: u32, ticket: u64, key: Point) {
        if self.config.plain {
            return self.plain_begin(asker, ticket, key);
        }
        self.input(asker, Input::Lookup { ticket, key });
    }

    /// `node` says at this instant that the key is its own.
    pub(super) fn judge_answer(&mut self, node: u32, key: Point) {
        let point = self.machine(node).core.own().point;
        let fault = self.ledger.judge(key, node, point);
        self.tally.answers += 1;
        if let Some(fault) = fault {
            self.tally.answers_wrong += 1;
            self.tally.keep_wrong(Wrong { at: self.now, key, by: Id(node), fault });
        }
        let Some(ticket) = self.lookups.by_key.get(&key) else { return };
        if let Some(waiting) = self.lookups.waiting.get_mut(ticket) {
            waiting.verdicts.push((node, fault));
        }
    }

    /// A core has ended a lookup.
    pub(super) fn found(&mut self, node: u32, answer: Answer) {
        let Answer { ticket, key, owner, hops, timeouts } = answer;
        let Some(waiting) = self.lookups.waiting.get_mut(&ticket) else { return };
        if waiting.asker != node {
            return;
        }
        waiting.timeouts += timeouts;
        let Some(owner) = owner else {
            return self.queue.schedule(self.now + RETRY_PAUSE, Event::LookAgain { ticket });
        };
        if owner == self.machine(node).core.own() {
            self.judge_answer(node, key);
        }
        let Some(waiting) = self.lookups.end(ticket) else { return };
        let machines = &self.machines;
        let mut verdicts = waiting.verdicts.iter().rev();
        let verdict = verdicts.find(|(by, _)| machines[*by as usize].core.own() == owner).map(|(_, fault)| *fault);
        // An owner that nobody heard say so is not one.
        let fault = verdict.unwrap_or(Some(Fault::NotTheOwner));
        self.count_end(&waiting, hops, fault.is_some());
    }

    pub(super) fn count_end(&mut self, waiting: &Waiting, hops: u32, is_wrong: bool) {
        if is_wrong {
            self.tally.wrong += 1;
        } else {
            self.tally.right += 1;
        }
        self.tally.hops.add(hops as usize);
        self.tally.timeouts.add(waiting.timeouts as usize);
        self.tally.milliseconds.add((self.now - waiting.began).as_millis() as usize);
    }

    pub(super) fn look_again(&mut self, ticket: u64) {
        let Some(waiting) = self.lookups.waiting.get_mut(&ticket) else { return };
        let machine = &self.machines[waiting.asker as usize];
        if machine.phase == Phase::Gone || machine.life != waiting.life || waiting.tries >= TRIES_MAX {
            return;
        }
        waiting.tries += 1;
        let (asker, key) = (waiting.asker, waiting.key);
        self.ask(asker, ticket, key);
    }

    /// Gives up what nobody has answered in time. A lookup whose asker is gone is nobody's loss.
    pub(super) fn expire_lookups(&mut self) {
        while let Some((began, ticket)) = self.lookups.begun.front().copied() {
            if self.now - began < self.lookups.deadline {
                return;
            }
            self.lookups.begun.pop_front();
            let Some(waiting) = self.lookups.end(ticket) else { continue };
            let machine = self.machine(waiting.asker);
            let went = machine.phase == Phase::Gone || machine.life != waiting.life || machine.paused_until > began;
            if went {
                self.tally.abandoned += 1;
            } else {
                self.trace.lost(self.now, machine.core.own(), waiting.key);
                self.tally.lost += 1;
            }
        }
    }

    /// Plain mode: the asker believes that `owner` has the key.
    pub(super) fn believed(&mut self, ticket: u64, owner: VirtualNode, hops: u32, timeouts: u32) {
        let Some(mut waiting) = self.lookups.end(ticket) else { return };
        waiting.timeouts += timeouts;
        let Some(node) = self.address(owner) else {
            self.tally.dead_owner += 1;
            return;
        };
        let fault = self.ledger.judge(waiting.key, node, owner.point);
        if let Some(fault) = fault {
            self.tally.keep_wrong(Wrong { at: self.now, key: waiting.key, by: Id(node), fault });
        }
        self.count_end(&waiting, hops, fault.is_some());
    }
}
