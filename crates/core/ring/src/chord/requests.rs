//! Core: questions that are out, each asked again until it is answered or given up. A node has one of each purpose at most, so there
//! are few.

use std::time::Duration;

use crate::chord::Body;
use crate::{NodeId, VirtualNode};

/// How often a peer may say `Busy`, or anything else, instead of an answer before the question is dropped. The peer does not count
/// as dead then.
const BUSY_MAX: u32 = 8;
/// How often a lookup asks one node.
const WALK_TRIES_MAX: u32 = 2;

/// What an answer, or none, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A joiner asks for the state of a member.
    Join,
    /// Stabilise, first step: the successor's state.
    Stabilise,
    /// Stabilise, second step: the state of who may be nearer.
    Adopt,
    /// Shows itself to the successor.
    Notify,
    /// Is a newcomer alive that wants to be our predecessor?
    Try,
    /// Is our predecessor still alive?
    Doubt,
    /// Is a member of the gossiped table alive and in the ring?
    Probe,
    /// Does this successor own anything?
    Orphan,
    /// Tells the successor that we go.
    Leave,
    /// A step of a lookup.
    Walk(u64),
}

#[derive(Debug, Clone)]
pub struct Request {
    pub id: u64,
    pub to: VirtualNode,
    pub body: Body,
    pub purpose: Purpose,
    due: Duration,
    tries_left: u32,
    busy_left: u32,
}

/// What became of a question whose time ran out.
#[derive(Debug)]
pub enum Overdue {
    Again {
        to: VirtualNode,
        id: u64,
        body: Body,
    },
    Unanswered {
        to: VirtualNode,
        purpose: Purpose,
    },
    /// It went on saying `Busy`.
    GivenUp {
        to: VirtualNode,
        purpose: Purpose,
    },
}

#[derive(Debug, Clone)]
pub struct Requests {
    open: Vec<Request>,
    next_id: u64,
    timeout: Duration,
    tries: u32,
}

impl Requests {
    /// Numbers begin at `first_id`, so that answers to a former life match nothing.
    pub fn new(first_id: u64, timeout: Duration, tries: u32) -> Self {
        Self { open: Vec::new(), next_id: first_id, timeout, tries: tries.max(1) }
    }

    /// Replaces what was out for the same purpose. Returns the number.
    pub fn ask(&mut self, now: Duration, to: VirtualNode, body: Body, purpose: Purpose) -> u64 {
        self.drop_purpose(purpose);
        self.next_id = (self.next_id + 1) % super::Message::FOREIGN_IDS;
        // A lookup knows others to ask.
        let tries = if matches!(purpose, Purpose::Walk(_)) { self.tries.min(WALK_TRIES_MAX) } else { self.tries };
        let (tries_left, due) = (tries - 1, now + self.timeout);
        self.open.push(Request { id: self.next_id, to, body, purpose, due, tries_left, busy_left: BUSY_MAX });
        self.next_id
    }

    /// The question that this answers.
    pub fn take(&mut self, from: VirtualNode, id: u64) -> Option<Request> {
        let at = self.open.iter().position(|request| request.id == id && request.to == from)?;
        Some(self.open.swap_remove(at))
    }

    pub fn find(&self, purpose: Purpose) -> Option<&Request> {
        self.open.iter().find(|request| request.purpose == purpose)
    }

    /// `Busy`: the timer starts again. Returns what was asked for.
    pub fn put_off(&mut self, now: Duration, from: VirtualNode, id: u64) -> Option<Purpose> {
        let request = self.open.iter_mut().find(|request| request.id == id && request.to == from)?;
        request.due = now + self.timeout;
        request.tries_left = self.tries - 1;
        request.busy_left = request.busy_left.saturating_sub(1);
        Some(request.purpose)
    }

    /// Whatever a peer says, it is alive; but it may not go on for ever about other things.
    pub fn is_alive(&mut self, peer: VirtualNode) {
        let tries_left = self.tries - 1;
        let is_waiting = |request: &&mut Request| request.to == peer && request.tries_left < tries_left;
        for request in self.open.iter_mut().filter(is_waiting) {
            request.tries_left = tries_left;
            request.busy_left = request.busy_left.saturating_sub(1);
        }
    }

    pub fn drop_purpose(&mut self, purpose: Purpose) {
        self.open.retain(|request| request.purpose != purpose);
    }

    pub fn drop_all(&mut self) {
        self.open.clear();
    }

    /// Everything asked of a machine that is dead.
    pub fn take_all_to(&mut self, node: NodeId) -> Vec<Request> {
        self.open.extract_if(.., |request| request.to.node == node).collect()
    }

    /// Everything asked of a place that leaves: it will not answer.
    pub fn take_all_from(&mut self, peer: VirtualNode) -> Vec<Request> {
        self.open.extract_if(.., |request| request.to == peer).collect()
    }

    pub fn overdue(&mut self, now: Duration) -> Option<Overdue> {
        let at = self.open.iter().position(|request| request.due <= now)?;
        let request = &mut self.open[at];
        let (to, purpose) = (request.to, request.purpose);
        if request.tries_left > 0 && request.busy_left > 0 {
            request.tries_left -= 1;
            request.due = now + self.timeout;
            return Some(Overdue::Again { to, id: request.id, body: request.body.clone() });
        }
        let was_busy = request.busy_left == 0;
        self.open.swap_remove(at);
        Some(if was_busy { Overdue::GivenUp { to, purpose } } else { Overdue::Unanswered { to, purpose } })
    }

    pub fn next_due(&self) -> Option<Duration> {
        self.open.iter().map(|request| request.due).min()
    }
}
