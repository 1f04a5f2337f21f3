//! Core: the virtual nodes of one machine. What they say to each other never leaves it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ringway_catalog::LAYOUT_REPLICAS;
use ringway_ports::VirtualNodeView;
use ringway_ring::chord::{ChordConfig, ChordNode, Event, Input, KeyArc, Message, Output};
use ringway_ring::{NodeId, Point, Step, Via, VirtualNode};

use super::wire::Envelope;

/// Messages that virtual nodes of one machine may send each other in answer to one input. There is no such long conversation; if
/// there were one without end, the rest is lost, which the protocol survives.
const CONVERSATION_MAX: usize = 2_000;

#[derive(Debug)]
pub struct Hosted {
    own: NodeId,
    incarnation: u64,
    config: ChordConfig,
    nodes: BTreeMap<Point, ChordNode>,
    local: VecDeque<(Point, Point, Message)>,
    out: Vec<Output>,
}

/// The end of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOwner {
    pub ticket: u64,
    pub owner: Option<VirtualNode>,
}

/// What is to be done about an input.
#[derive(Debug, Default)]
pub struct Effects {
    pub sends: BTreeMap<NodeId, Vec<Envelope>>,
    pub events: Vec<(Point, Event)>,
    pub found: Vec<FoundOwner>,
    /// Messages that were lost for lack of room.
    pub lost: usize,
}

impl Hosted {
    pub fn new(own: NodeId, incarnation: u64, config: ChordConfig) -> Self {
        Self { own, incarnation, config, nodes: BTreeMap::new(), local: VecDeque::new(), out: Vec::new() }
    }

    /// A virtual node that is in no ring yet.
    pub fn add(&mut self, point: Point, seed: u64) {
        let config = ChordConfig { seed, ..self.config.clone() };
        let own = VirtualNode { point, node: self.own };
        self.nodes.insert(point, ChordNode::new(own, self.incarnation, config));
    }

    pub fn remove(&mut self, point: Point) {
        self.nodes.remove(&point);
    }

    /// To one of the virtual nodes; one that is not here hears nothing.
    pub fn give(&mut self, now: Duration, to: Point, input: Input, effects: &mut Effects) {
        self.handle(now, to, input, effects);
        self.converse(now, effects);
    }

    /// To all of them.
    pub fn give_all(&mut self, now: Duration, input: &Input, effects: &mut Effects) {
        for point in self.points() {
            self.handle(now, point, input.clone(), effects);
        }
        self.converse(now, effects);
    }

    pub fn take_message(&mut self, now: Duration, from: NodeId, envelope: Envelope, effects: &mut Effects) {
        let Envelope { from: point, to, message } = envelope;
        let from = VirtualNode { point, node: from };
        self.give(now, to, Input::Message { from, message }, effects);
    }

    pub fn wake(&mut self, now: Duration, effects: &mut Effects) {
        for point in self.points() {
            if self.nodes[&point].next_wake().is_some_and(|at| at <= now) {
                self.handle(now, point, Input::Wake, effects);
            }
        }
        self.converse(now, effects);
    }

    pub fn next_wake(&self) -> Option<Duration> {
        self.nodes.values().filter_map(ChordNode::next_wake).min()
    }

    /// All places, in the ring or not.
    pub fn points(&self) -> Vec<Point> {
        self.nodes.keys().copied().collect()
    }

    /// The places of which the ring knows.
    pub fn joined(&self) -> Vec<Point> {
        self.nodes.iter().filter(|(_, node)| node.is_in_ring()).map(|(point, _)| *point).collect()
    }

    /// The own place from which a lookup of `key` has the shortest way.
    pub fn nearest_before(&self, key: Point) -> Option<Point> {
        self.joined().into_iter().min_by_key(|point| point.distance_to(key))
    }

    /// What this machine answers for, and the machines that hold it, itself first.
    pub fn arcs(&self) -> Vec<(KeyArc, Vec<NodeId>)> {
        self.nodes.values().filter_map(|node| Some((node.arc()?, self.holders(node)))).collect()
    }

    pub fn arc_of(&self, key: Point) -> Option<(KeyArc, Vec<NodeId>)> {
        let node = self.nodes.values().find(|node| node.owns(key))?;
        Some((node.arc()?, self.holders(node)))
    }

    pub fn step(&self, via: Via, key: Point) -> Step<VirtualNode> {
        let nearest = self.nodes.values().find(|node| node.owns(key)).map(|node| node.own().point);
        let place = nearest.or_else(|| self.nearest_before(key)).and_then(|point| self.nodes.get(&point));
        place.map_or(Step::Busy, |node| node.step_via(via, key))
    }

    pub fn views(&self) -> Vec<VirtualNodeView> {
        let view = |node: &ChordNode| VirtualNodeView {
            point: node.own().point,
            arc: node.arc(),
            predecessor: node.predecessor(),
            successors: node.successors().to_vec(),
            fingers: distinct(node.fingers(), node.own()),
        };
        self.nodes.values().map(view).collect()
    }

    /// Copies are kept on the next different machines.
    fn holders(&self, node: &ChordNode) -> Vec<NodeId> {
        let mut nodes = vec![self.own];
        for successor in node.successors() {
            if nodes.len() < LAYOUT_REPLICAS && !nodes.contains(&successor.node) {
                nodes.push(successor.node);
            }
        }
        nodes
    }

    fn handle(&mut self, now: Duration, to: Point, input: Input, effects: &mut Effects) {
        let Some(node) = self.nodes.get_mut(&to) else { return };
        let mut out = std::mem::take(&mut self.out);
        node.handle(now, input, &mut out);
        for output in out.drain(..) {
            match output {
                Output::Send { to: peer, message } if peer.node == self.own => {
                    self.local.push_back((to, peer.point, message));
                }
                Output::Send { to: peer, message } => {
                    let envelope = Envelope { from: to, to: peer.point, message };
                    effects.sends.entry(peer.node).or_default().push(envelope);
                }
                Output::Event(event) => effects.events.push((to, event)),
                Output::Found { ticket, owner, .. } => effects.found.push(FoundOwner { ticket, owner }),
            }
        }
        self.out = out;
    }

    fn converse(&mut self, now: Duration, effects: &mut Effects) {
        for _ in 0..CONVERSATION_MAX {
            let Some((from, to, message)) = self.local.pop_front() else { return };
            let from = VirtualNode { point: from, node: self.own };
            self.handle(now, to, Input::Message { from, message }, effects);
        }
        effects.lost += self.local.len();
        self.local.clear();
    }
}

/// Slots of a finger table that nothing better is known for name the node itself, and neighbouring slots often the same one.
fn distinct(fingers: &[VirtualNode], own: VirtualNode) -> Vec<VirtualNode> {
    let mut fingers: Vec<VirtualNode> = fingers.iter().copied().filter(|finger| *finger != own).collect();
    fingers.sort_unstable_by_key(|finger| own.point.distance_to(finger.point));
    fingers.dedup();
    fingers
}

#[cfg(test)]
mod tests;
