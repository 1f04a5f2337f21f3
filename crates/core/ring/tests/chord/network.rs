//! A tiny network of nodes with virtual time: delays, losses, crashes, partitions, gossip. The same seed gives the same run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use ringway_ring::chord::{Body, ChordConfig, ChordNode, Event, Input, KeyArc, Message, Output};
use ringway_ring::{NodeId, Point, VirtualNode};

pub struct Network {
    pub now: Duration,
    pub nodes: BTreeMap<VirtualNode, ChordNode>,
    /// Messages lost, in a thousand.
    pub loss: u64,
    pub delay_max: Duration,
    /// Messages so far.
    pub sent: usize,
    /// Nodes on different sides do not hear each other.
    pub sides: BTreeMap<VirtualNode, u8>,
    /// Whether `members` goes to everybody, and `Down` after a crash.
    pub gossip: bool,
    pub config: ChordConfig,
    pub founds: Vec<(u64, Option<VirtualNode>)>,
    pub events: Vec<(VirtualNode, Event)>,
    /// Who answered for the same point as another, and when.
    pub doubles: Vec<String>,
    /// Messages as text, if it is Some.
    pub trace: Option<String>,
    queue: BTreeMap<(Duration, u64), (VirtualNode, Input)>,
    sequence: u64,
    random: u64,
    births: u64,
}

/// The node that stands at the 256th parts of the circle; its identity is its point.
pub fn at(part: u8) -> VirtualNode {
    VirtualNode { point: Point(u64::from(part) << 56), node: NodeId::from_bytes([part; 16]) }
}

pub fn config() -> ChordConfig {
    ChordConfig { successors: 2, ..ChordConfig::default() }
}

impl Network {
    pub fn new(seed: u64, config: ChordConfig) -> Self {
        Self {
            now: Duration::from_secs(1000),
            nodes: BTreeMap::new(),
            loss: 0,
            delay_max: Duration::from_millis(40),
            sent: 0,
            sides: BTreeMap::new(),
            gossip: true,
            config,
            founds: Vec::new(),
            events: Vec::new(),
            doubles: Vec::new(),
            trace: None,
            queue: BTreeMap::new(),
            sequence: 0,
            random: seed,
            births: 0,
        }
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.random >> 33) ^ self.random;
        mixed.wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29) % below
    }

    /// A new life at this place, in no ring yet.
    pub fn start(&mut self, own: VirtualNode) {
        self.births += 1;
        let config = ChordConfig { seed: self.births, ..self.config.clone() };
        self.nodes.insert(own, ChordNode::new(own, self.births, config));
    }

    pub fn create(&mut self, own: VirtualNode) {
        self.start(own);
        self.give(own, Input::Create);
    }

    pub fn join(&mut self, own: VirtualNode, known: VirtualNode) {
        self.start(own);
        self.give(own, Input::Join { known });
    }

    pub fn crash(&mut self, own: VirtualNode) {
        self.nodes.remove(&own);
        self.note(|text| writeln!(text, "{} crashes", name(own)));
        if self.gossip {
            for peer in self.members() {
                self.later(Duration::from_millis(800), peer, Input::Down(own.node));
            }
        }
    }

    /// Whoever is in a ring.
    pub fn members(&self) -> Vec<VirtualNode> {
        self.nodes.values().filter(|node| node.is_in_ring()).map(ChordNode::own).collect()
    }

    /// Everybody is told of everybody on his side.
    pub fn spread_members(&mut self) {
        let members = self.members();
        for peer in self.members() {
            let reachable = members.iter().copied().filter(|other| self.is_connected(peer, *other)).collect();
            self.give(peer, Input::Members(reachable));
        }
    }

    fn is_connected(&self, one: VirtualNode, other: VirtualNode) -> bool {
        self.sides.get(&one) == self.sides.get(&other)
    }

    pub fn later(&mut self, delay: Duration, to: VirtualNode, input: Input) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), (to, input));
    }

    pub fn give(&mut self, to: VirtualNode, input: Input) {
        self.give_at(self.now, to, input);
    }

    /// With a clock of its own.
    pub fn give_at(&mut self, clock: Duration, to: VirtualNode, input: Input) {
        let Some(node) = self.nodes.get_mut(&to) else { return };
        let mut out = Vec::new();
        node.handle(clock, input, &mut out);
        for output in out {
            self.perform(to, output);
        }
        self.check_owners(to);
    }

    fn perform(&mut self, from: VirtualNode, output: Output) {
        match output {
            Output::Send { to, message } => self.carry(from, to, message),
            Output::Found { ticket, owner, .. } => self.founds.push((ticket, owner)),
            Output::Event(event) => {
                self.note(|text| writeln!(text, "  {}: {}", name(from), event_text(&event)));
                self.events.push((from, event));
            }
        }
    }

    fn carry(&mut self, from: VirtualNode, to: VirtualNode, message: Message) {
        self.sent += 1;
        let is_lost = self.random(1000) < self.loss || !self.is_connected(from, to);
        self.note(|text| {
            let fate = if is_lost { " (lost)" } else { "" };
            writeln!(text, "{} -> {}: {}{fate}", name(from), name(to), body_text(&message.body))
        });
        if !is_lost {
            let delay = Duration::from_millis(1) + self.delay_max * self.random(1000) as u32 / 1000;
            self.later(delay, to, Input::Message { from, message });
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, to, input)) = self.next_before(end) {
            self.now = self.now.max(at);
            // A verdict about a former life comes too late.
            let is_back = matches!(input, Input::Down(dead) if self.nodes.keys().any(|own| own.node == dead));
            if !is_back {
                self.give(to, input);
            }
        }
        self.now = end;
    }

    fn next_before(&mut self, end: Duration) -> Option<(Duration, VirtualNode, Input)> {
        let wake = self.nodes.values().filter_map(|node| Some((node.next_wake()?, node.own()))).min();
        let message = self.queue.first_key_value().map(|((at, _), _)| *at);
        if let Some((at, own)) = wake.filter(|(at, _)| *at <= end && message.is_none_or(|message| *at < message)) {
            return Some((at, own, Input::Wake));
        }
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((at, _), (to, input)) = entry.remove_entry();
        Some((at, to, input))
    }

    fn check_owners(&mut self, own: VirtualNode) {
        let Some(arc) = self.nodes.get(&own).and_then(ChordNode::arc) else { return };
        for other in self.nodes.values().filter(|other| other.own() != own) {
            if let Some(its) = other.arc().filter(|its| overlap(arc, *its)) {
                let (one, two) = (name(own), name(other.own()));
                self.doubles.push(format!("{:?} {one} {arc:?} and {two} {its:?}", self.now));
            }
        }
    }

    /// Whether all members know their neighbours and own what is between: returned as text, one line a node, empty if so.
    pub fn faults(&self) -> String {
        let ring = self.members();
        let mut text = String::new();
        for (index, own) in ring.iter().enumerate() {
            let node = &self.nodes[own];
            let around = |steps: usize| ring[(index + steps) % ring.len()];
            let wanted: Vec<VirtualNode> = (1..ring.len()).map(around).take(self.config.successors).collect();
            let before = around(ring.len() - 1);
            let arc = KeyArc { after: before.point, until: own.point };
            if node.successors() != wanted || node.arc() != Some(arc) || node.predecessor().unwrap_or(before) != before
            {
                writeln!(text, "{}", self.describe(*own)).expect("a string takes everything");
            }
        }
        text
    }

    pub fn describe(&self, own: VirtualNode) -> String {
        let Some(node) = self.nodes.get(&own) else { return format!("{} is dead", name(own)) };
        let before = node.predecessor().map_or("-".to_owned(), name);
        let owns = node.arc().map_or("nothing".to_owned(), arc_text);
        format!("{}: after {before}, before {}, owns {owns}", name(own), names(node.successors()))
    }

    pub fn describe_all(&self) -> String {
        self.members().into_iter().map(|own| self.describe(own) + "\n").collect()
    }

    /// The trace so far, and no longer.
    pub fn take_trace(&mut self) -> String {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&mut self, line: impl FnOnce(&mut String) -> std::fmt::Result) {
        if let Some(trace) = &mut self.trace {
            line(trace).expect("a string takes everything");
        }
    }
}

pub fn overlap(one: KeyArc, other: KeyArc) -> bool {
    one.contains(other.until) || other.contains(one.until)
}

pub fn name(peer: VirtualNode) -> String {
    format!("n{}", peer.point.0 >> 56)
}

fn names(peers: &[VirtualNode]) -> String {
    let names: Vec<String> = peers.iter().copied().map(name).collect();
    format!("[{}]", names.join(" "))
}

fn arc_text(arc: KeyArc) -> String {
    format!("({}, {}]", arc.after.0 >> 56, arc.until.0 >> 56)
}

fn event_text(event: &Event) -> String {
    match event {
        Event::Joined => "joined".to_owned(),
        Event::Gained { arc, from } => format!("gained {} {from:?}", arc_text(*arc)),
        Event::Ceding { arc, to } => format!("ceding {} to {}", arc_text(*arc), name(*to)),
        Event::Ceded { arc, to } => format!("ceded {} to {}", arc_text(*arc), name(*to)),
        Event::PredecessorChanged { to, .. } => format!("predecessor {}", to.map_or("none".to_owned(), name)),
        Event::SuccessorsChanged { to } => format!("successors {}", names(to)),
        Event::Dropped { peer } => format!("dropped {}", name(*peer)),
        Event::PointTaken { by } => format!("point taken by {}", name(*by)),
        Event::JoinFailed => "join failed".to_owned(),
        Event::Isolated => "isolated".to_owned(),
        Event::Merging { with } => format!("merging with {}", name(*with)),
        Event::Left => "left".to_owned(),
    }
}

fn body_text(body: &Body) -> String {
    match body {
        Body::State { predecessor, successors } => {
            format!("state after {} before {}", predecessor.map_or("none".to_owned(), name), names(successors))
        }
        Body::Notify { predecessors, .. } => format!("notify, after {}", names(predecessors)),
        Body::Notified { grant: Some(grant), .. } => format!("notified, granting {}", arc_text(grant.arc)),
        Body::Notified { .. } => "notified".to_owned(),
        Body::Step { .. } => "step?".to_owned(),
        Body::StepReply(_) => "step".to_owned(),
        Body::Leave { arc: Some(arc), .. } => format!("leave, with {}", arc_text(*arc)),
        Body::Leave { .. } => "leave".to_owned(),
        other => format!("{other:?}"),
    }
}
