//! Core: lookups as in the published protocol, for comparison: whoever precedes the key names its successor, and is believed.
//!
//! Iterative, as in the paper's own simulator: the asker is led to ever closer predecessors of the key, and ends where the key lies
//! between a node and its first successor. Who does not answer within the rpc timeout is passed over. The nodes and their
//! maintenance are those of the corrected protocol; only the lookups are credulous.

use std::collections::HashMap;

use ringway_ring::chord::{Body, ChordNode, Message};
use ringway_ring::{Point, Step, VirtualNode};

use super::{Event, World};

const TRIES_MAX: u32 = 64;
/// How many predecessors a node names, the closest to the key first.
const NAMED_MAX: usize = 4;

/// Plain lookups under way, by ticket.
#[derive(Debug, Default)]
pub(super) struct PlainLookups(HashMap<u64, PlainLookup>);

#[derive(Debug)]
struct PlainLookup {
    asker: u32,
    key: Point,
    asked: VirtualNode,
    /// Number of the question under way.
    question: u32,
    /// The best last.
    candidates: Vec<VirtualNode>,
    hops: u32,
    timeouts: u32,
}

/// A question has not been answered, or a busy node may be asked again.
#[derive(Debug)]
pub(super) struct Due {
    ticket: u64,
    question: u32,
    is_timeout: bool,
}

impl World {
    pub(super) fn plain_begin(&mut self, asker: u32, ticket: u64, key: Point) {
        let asked = self.machine(asker).core.own();
        let lookup = PlainLookup { asker, key, asked, question: 0, candidates: Vec::new(), hops: 0, timeouts: 0 };
        self.plain.0.insert(ticket, lookup);
        let step = plain_look(&self.machine(asker).core, key);
        self.plain_step(ticket, step);
    }

    pub(super) fn plain_message(&mut self, node: u32, from: VirtualNode, message: Message) {
        let Body::Step { key } = message.body else { return self.plain_answered(node, from, message) };
        let machine = self.machine(node);
        let body = Body::StepReply(plain_look(&machine.core, key));
        let (own, reply) = (machine.core.own(), Message { incarnation: machine.incarnation, body, ..message });
        self.send(node, own, from, reply);
    }

    /// A reply to a question of ours.
    fn plain_answered(&mut self, node: u32, from: VirtualNode, message: Message) {
        let (ticket, question) = ticket_of(message.id);
        let Some(lookup) = self.plain.0.get_mut(&ticket) else { return };
        if lookup.asker != node || lookup.question != question || lookup.asked != from {
            return;
        }
        let Body::StepReply(step) = message.body else { return };
        lookup.hops += 1;
        self.plain_step(ticket, step);
    }

    pub(super) fn plain_due(&mut self, due: Due) {
        let Some(lookup) = self.plain.0.get_mut(&due.ticket) else { return };
        if lookup.question != due.question {
            return;
        }
        if due.is_timeout {
            lookup.timeouts += 1;
            return self.plain_next(due.ticket);
        }
        let asked = lookup.asked;
        self.plain_ask(due.ticket, asked);
    }

    /// What the node that was asked says.
    fn plain_step(&mut self, ticket: u64, step: Step<VirtualNode>) {
        let Some(lookup) = self.plain.0.get_mut(&ticket) else { return };
        match step {
            Step::Mine => {
                let owner = lookup.asked;
                self.plain_believe(ticket, owner);
            }
            Step::Busy | Step::Unknown => self.plain_wait(ticket),
            Step::Ask(peers) => {
                let (from, key) = (lookup.asked.point, lookup.key);
                if let Some(successor) = peers.first().filter(|peer| key.is_owned_by(from, peer.point)) {
                    return self.plain_believe(ticket, *successor);
                }
                lookup.candidates.extend(peers.iter().rev());
                self.plain_next(ticket);
            }
        }
    }

    fn plain_next(&mut self, ticket: u64) {
        let Some(lookup) = self.plain.0.get_mut(&ticket) else { return };
        match lookup.candidates.pop() {
            Some(peer) => self.plain_ask(ticket, peer),
            None => self.plain_give_up(ticket),
        }
    }

    fn plain_ask(&mut self, ticket: u64, peer: VirtualNode) {
        let Some(lookup) = self.plain.0.get_mut(&ticket) else { return };
        lookup.question += 1;
        if lookup.question > TRIES_MAX {
            return self.plain_give_up(ticket);
        }
        lookup.asked = peer;
        let (asker, key, question) = (lookup.asker, lookup.key, lookup.question);
        let own = self.machine(asker).core.own();
        if peer == own {
            let step = plain_look(&self.machine(asker).core, key);
            return self.plain_step(ticket, step);
        }
        let incarnation = self.machine(asker).incarnation;
        let message = Message { incarnation, id: message_id(ticket, question), body: Body::Step { key } };
        self.send(asker, own, peer, message);
        let due = Due { ticket, question, is_timeout: true };
        self.queue.schedule(self.now + self.config.chord.rpc_timeout, Event::Plain(due));
    }

    fn plain_wait(&mut self, ticket: u64) {
        let Some(lookup) = self.plain.0.get_mut(&ticket) else { return };
        lookup.question += 1;
        let due = Due { ticket, question: lookup.question, is_timeout: false };
        self.queue.schedule(self.now + self.config.chord.rpc_timeout, Event::Plain(due));
    }

    fn plain_believe(&mut self, ticket: u64, owner: VirtualNode) {
        let Some(lookup) = self.plain.0.remove(&ticket) else { return };
        self.believed(ticket, owner, lookup.hops, lookup.timeouts);
    }

    /// From the beginning, after a pause, until the deadline.
    fn plain_give_up(&mut self, ticket: u64) {
        if self.plain.0.remove(&ticket).is_some() {
            self.queue.schedule(self.now + self.config.chord.rpc_timeout, Event::LookAgain { ticket });
        }
    }
}

/// Eight bits number the questions of one lookup; a lookup has fewer.
fn message_id(ticket: u64, question: u32) -> u64 {
    Message::FOREIGN_IDS | (ticket << 8) | u64::from(question & 0xFF)
}

fn ticket_of(id: u64) -> (u64, u32) {
    ((id & !Message::FOREIGN_IDS) >> 8, (id & 0xFF) as u32)
}

/// The published `find_successor`: the first successor if the key is not past it, else the closest known predecessors of the key.
fn plain_look(node: &ChordNode, key: Point) -> Step<VirtualNode> {
    let own = node.own();
    match node.successors().first() {
        Some(successor) if key.is_owned_by(own.point, successor.point) => return Step::Ask(vec![*successor]),
        None if node.arc().is_some() => return Step::Mine,
        _ => {}
    }
    let mut peers = match node.step(key) {
        Step::Ask(peers) => peers,
        Step::Mine | Step::Busy | Step::Unknown => Vec::new(),
    };
    peers.extend(node.successors());
    peers.retain(|peer| peer.point.is_between(own.point, key));
    peers.sort_unstable_by_key(|peer| peer.point.distance_to(key));
    peers.dedup();
    peers.truncate(NAMED_MAX);
    if peers.is_empty() { Step::Busy } else { Step::Ask(peers) }
}
