//! Core: a world of nodes in virtual time: the live node's own Chord core, once for every node, and a network, a failure detector
//! and accidents around it.
//!
//! A discrete-event simulation: nothing happens between events, so an hour of a quiet ring takes no time. Every message is an event
//! of its own and may be late, lost, doubled or overtaken; a node sees nothing but its messages, its clock and the failure
//! detector. The oracle (`ledger`) sees all memories at once and judges every answer *it is mine* at the instant at which it is
//! given. Everything depends on the seed and on the calls that are made: the same of both gives the same world.
//!
//! What it does not simulate: keys and values (see the data tier's own tests), bandwidth, and nodes that lie.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::RngExt;
use ringway_ring::chord::{Body, ChordConfig, ChordNode, Event as NodeEvent, Input, Message, Output};
use ringway_ring::{Point, Step, VirtualNode};

use crate::random::{Generator, generator, node_id, point};
use event_queue::EventQueue;
use ledger::Ledger;
use lookups::Lookups;
use machine::{Machine, Phase};
use network::Network;

pub use config::{Detection, WorldConfig};
pub use faults::Comeback;
pub use ledger::Fault;
pub use network::{GROUPS_MAX, NetworkConfig};
pub use tally::{Tally, Wrong};

mod config;
mod convergence;
mod detector;
mod event_queue;
mod faults;
mod ledger;
mod lookups;
mod machine;
mod network;
mod plain;
mod tally;
mod trace;

/// A node of the world, by the order in which nodes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

/// Nodes, a network, and what has been seen of them.
pub struct World {
    config: WorldConfig,
    now: Duration,
    queue: EventQueue<Event>,
    network: Network,
    machines: Vec<Machine>,
    /// Who can be reached under a place: more than one only if two machines have one identity or one point.
    addresses: HashMap<Point, Vec<u32>>,
    /// The nodes that run, in a fixed order.
    live: Vec<u32>,
    /// Who has gone of late, the first first: gossip has not noticed all of them.
    gone: VecDeque<u32>,
    ledger: Ledger,
    lookups: Lookups,
    plain: plain::PlainLookups,
    tally: Tally,
    trace: trace::Trace,
    /// Apart, so that the network's luck does not change who joins where.
    chance: Generator,
    weather: Generator,
    /// Reused: what a node wanted done.
    outputs: Vec<Output>,
}

/// What can be due.
#[derive(Debug)]
enum Event {
    Deliver {
        sender: u32,
        from: VirtualNode,
        to: VirtualNode,
        message: Message,
    },
    Wake {
        node: u32,
        life: u32,
    },
    /// The failure detector tells `node` that `dead` is.
    Down {
        node: u32,
        dead: u32,
        dead_life: u32,
    },
    Members {
        node: u32,
        life: u32,
    },
    JoinAgain {
        node: u32,
        life: u32,
    },
    Stop {
        node: u32,
        life: u32,
    },
    LookAgain {
        ticket: u64,
    },
    Plain(plain::Due),
}

impl World {
    pub fn new(config: WorldConfig) -> Self {
        Self {
            now: Duration::ZERO,
            queue: EventQueue::new(),
            network: Network::new(config.network.clone()),
            machines: Vec::new(),
            addresses: HashMap::new(),
            live: Vec::new(),
            gone: VecDeque::new(),
            ledger: Ledger::default(),
            lookups: Lookups::new(config.lookup_deadline),
            plain: plain::PlainLookups::default(),
            tally: Tally::default(),
            trace: trace::Trace::new(config.trace_lines),
            chance: generator(config.seed, 1),
            weather: generator(config.seed, 2),
            outputs: Vec::new(),
            config,
        }
    }

    pub fn now(&self) -> Duration {
        self.now
    }

    /// What has been counted since the last [`World::forget`].
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The counts, when the world has come to its end.
    pub fn into_tally(mut self) -> Tally {
        self.settle_time();
        self.tally
    }

    /// Counts from here on: what went before was the warming up.
    pub fn forget(&mut self) {
        self.settle_time();
        self.tally = Tally { settled_at: self.now, live_max: self.live.len(), ..Tally::default() };
    }

    /// Nodes that run, whether they are in the ring yet or not.
    pub fn live(&self) -> impl ExactSizeIterator<Item = Id> + '_ {
        self.live.iter().map(|node| Id(*node))
    }

    /// The core of a node, to look at.
    pub fn node(&self, id: Id) -> &ChordNode {
        &self.machine(id.0).core
    }

    /// Two running nodes that both own some point, if there are any.
    pub fn overlap(&self) -> Option<(Id, Id)> {
        self.ledger.overlap().map(|(one, other)| (Id(one), Id(other)))
    }

    /// A message arrives, whoever is said to have sent it: one that was long under way, or a forged one.
    pub fn inject(&mut self, from: VirtualNode, to: Id, message: Message) {
        self.trace.message(self.now, from, self.machine(to.0).core.own(), &message);
        self.input(to.0, Input::Message { from, message });
    }

    /// The last lines of what happened, if the configuration asked for them.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.trace.lines()
    }

    /// Lets everything happen that is due by then.
    pub fn run_until(&mut self, until: Duration) {
        while let Some((at, event)) = self.queue.next(until) {
            self.advance(at);
            self.happen(event);
        }
        self.advance(until.max(self.now));
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// A node that begins a ring of its own, at a random point.
    pub fn create(&mut self) -> Id {
        let own = self.draw();
        let node = self.add(own);
        self.input(node, Input::Create);
        Id(node)
    }

    /// A new node at a random point joins through some node that is in the ring; nobody, if there is none.
    pub fn join(&mut self) -> Option<Id> {
        let own = self.draw();
        self.join_at(own)
    }

    /// A new machine with this identity and place joins through some node that is in the ring.
    pub fn join_at(&mut self, own: VirtualNode) -> Option<Id> {
        let known = self.some_member()?;
        Some(self.join_through(own, known))
    }

    pub fn join_through(&mut self, own: VirtualNode, known: Id) -> Id {
        let known = self.machine(known.0).core.own();
        let node = self.add(own);
        self.input(node, Input::Join { known });
        Id(node)
    }

    /// Some running node that owns an arc.
    pub fn some_member(&mut self) -> Option<Id> {
        self.some_live(|machine| machine.core.arc().is_some())
    }

    /// Some running node that nobody has told to leave.
    pub fn some_node(&mut self) -> Option<Id> {
        self.some_live(|machine| machine.phase == Phase::Running)
    }

    /// A point that nobody stands at, and a new identity.
    pub fn draw(&mut self) -> VirtualNode {
        VirtualNode { point: point(&mut self.chance), node: node_id(&mut self.chance) }
    }

    /// A number below `limit`, of this world's own chance.
    pub fn pick(&mut self, limit: usize) -> usize {
        self.chance.random_range(0..limit)
    }

    /// A random time with this mean: how long until the next of something that happens at random.
    pub fn pause_of(&mut self, mean: Duration) -> Duration {
        let uniform: f64 = self.chance.random();
        mean.mul_f64(-(1.0 - uniform).ln())
    }

    fn some_live(&mut self, wanted: impl Fn(&Machine) -> bool) -> Option<Id> {
        if self.live.is_empty() {
            return None;
        }
        // From a random place on, so that the choice is fair enough and always ends.
        let start = self.chance.random_range(0..self.live.len());
        let order = self.live[start..].iter().chain(&self.live[..start]);
        order.copied().find(|node| wanted(self.machine(*node))).map(Id)
    }

    fn add(&mut self, own: VirtualNode) -> u32 {
        let node = self.machines.len() as u32;
        let incarnation = self.incarnation();
        let core = self.new_core(own, node, incarnation);
        self.machines.push(Machine::new(core, incarnation));
        self.addresses.entry(own.point).or_default().push(node);
        self.start(node);
        node
    }

    /// Node clocks show the same plus an offset, so incarnations grow.
    fn incarnation(&self) -> u64 {
        self.now.as_millis() as u64 + 1
    }

    fn new_core(&self, own: VirtualNode, node: u32, incarnation: u64) -> ChordNode {
        let seed = self.config.seed.wrapping_add(u64::from(node)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ChordNode::new(own, incarnation, ChordConfig { seed, ..self.config.chord.clone() })
    }

    /// The node runs from now on, and hears of the others.
    fn start(&mut self, node: u32) {
        self.settle_time();
        self.live.push(node);
        self.tally.live_max = self.tally.live_max.max(self.live.len());
        self.announce(node);
    }

    /// The node runs no more. Its memory stays, should it come back.
    fn stop(&mut self, node: u32) {
        self.settle_time();
        self.live.retain(|live| *live != node);
        let machine = &mut self.machines[node as usize];
        machine.phase = Phase::Gone;
        machine.life += 1;
        machine.gone_at = self.now;
        let own = machine.core.own();
        machine.arc = None;
        self.ledger.set(node, own.point, None);
        self.gone.push_back(node);
    }

    /// Node seconds, for rates per node.
    fn settle_time(&mut self) {
        let time = self.now - self.tally.settled_at.min(self.now);
        self.tally.node_seconds += time.as_secs_f64() * self.live.len() as f64;
        self.tally.settled_at = self.now;
    }

    fn advance(&mut self, at: Duration) {
        self.now = at;
        self.expire_lookups();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { sender, from, to, message } => self.deliver(sender, from, to, message),
            Event::Wake { node, life } => self.wake(node, life),
            Event::Down { node, dead, dead_life } => self.tell_down(node, dead, dead_life),
            Event::Members { node, life } => self.tell_members(node, life),
            Event::JoinAgain { node, life } => self.join_again(node, life),
            Event::Stop { node, life } => self.stop_after_leave(node, life),
            Event::LookAgain { ticket } => self.look_again(ticket),
            Event::Plain(due) => self.plain_due(due),
        }
    }

    fn deliver(&mut self, sender: u32, from: VirtualNode, to: VirtualNode, message: Message) {
        let Some(node) = self.address(to) else { return };
        let (sender_group, machine) = (self.machine(sender).group, self.machine(node));
        if self.network.is_cut(sender_group, machine.group) {
            return;
        }
        if machine.paused_until > self.now {
            let at = machine.paused_until;
            return self.queue.schedule(at, Event::Deliver { sender, from, to, message });
        }
        if message.id >= Message::FOREIGN_IDS {
            return self.plain_message(node, from, message);
        }
        self.trace.message(self.now, from, to, &message);
        self.input(node, Input::Message { from, message });
    }

    /// The running machine that a message to this place reaches.
    fn address(&mut self, to: VirtualNode) -> Option<u32> {
        let machines = &self.machines;
        let nodes = self.addresses.get(&to.point)?;
        let mut reached = nodes.iter().copied().filter(|node| {
            let machine = &machines[*node as usize];
            machine.phase != Phase::Gone && machine.core.own().node == to.node
        });
        let first = reached.next()?;
        let Some(second) = reached.next() else { return Some(first) };
        // Two machines have one identity: whoever has the better connection.
        Some(if self.weather.random() { first } else { second })
    }

    fn wake(&mut self, node: u32, life: u32) {
        let machine = &mut self.machines[node as usize];
        if machine.life != life || machine.phase == Phase::Gone {
            return;
        }
        if machine.wake_at != Some(self.now) {
            return;
        }
        machine.wake_at = None;
        if machine.paused_until > self.now {
            let at = machine.paused_until;
            return self.schedule_wake(node, at);
        }
        if machine.core.next_wake().is_some_and(|wake| wake <= machine.clock(self.now)) {
            return self.input(node, Input::Wake);
        }
        self.plan_wake(node);
    }

    /// Hands one input to a node and does what it wants done.
    fn input(&mut self, node: u32, input: Input) {
        let asked = match &input {
            Input::Message { message: Message { body: Body::Step { key }, .. }, .. } => Some(*key),
            _ => None,
        };
        let mut outputs = std::mem::take(&mut self.outputs);
        let machine = &mut self.machines[node as usize];
        let now = machine.clock(self.now);
        machine.core.handle(now, input, &mut outputs);
        let (own, arc) = (machine.core.own(), machine.core.arc());
        if machine.arc != arc {
            machine.arc = arc;
            self.ledger.set(node, own.point, arc);
            self.trace.arc(self.now, own, arc);
        }
        for output in outputs.drain(..) {
            self.perform(node, own, asked, output);
        }
        self.outputs = outputs;
        self.plan_wake(node);
    }

    fn perform(&mut self, node: u32, own: VirtualNode, asked: Option<Point>, output: Output) {
        match output {
            Output::Send { to, message } => {
                if let (Some(key), Body::StepReply(Step::Mine)) = (asked, &message.body) {
                    self.judge_answer(node, key);
                }
                self.send(node, own, to, message);
            }
            Output::Found { ticket, key, owner, hops, timeouts } => {
                self.found(node, lookups::Answer { ticket, key, owner, hops, timeouts });
            }
            Output::Event(event) => self.noted(node, own, event),
        }
    }

    fn send(&mut self, sender: u32, from: VirtualNode, to: VirtualNode, message: Message) {
        self.tally.count_message(&message.body);
        let [first, second] = self.network.send(&mut self.weather);
        if let Some(delay) = second {
            let message = message.clone();
            self.queue.schedule(self.now + delay, Event::Deliver { sender, from, to, message });
        }
        if let Some(delay) = first {
            self.queue.schedule(self.now + delay, Event::Deliver { sender, from, to, message });
        }
    }

    fn noted(&mut self, node: u32, own: VirtualNode, event: NodeEvent) {
        self.trace.event(self.now, own, &event);
        match event {
            NodeEvent::Joined => self.tally.joined += 1,
            NodeEvent::JoinFailed => self.schedule_join(node),
            NodeEvent::PointTaken { by } => self.draw_again(node, by),
            NodeEvent::Left => {
                self.tally.left += 1;
                self.linger(node);
            }
            NodeEvent::Isolated => self.tally.isolated += 1,
            NodeEvent::Merging { .. } => self.tally.merging += 1,
            _ => {}
        }
    }

    fn plan_wake(&mut self, node: u32) {
        let machine = &self.machines[node as usize];
        if machine.phase == Phase::Gone {
            return;
        }
        let Some(wake) = machine.core.next_wake() else { return };
        let at = machine.world_time(wake).max(self.now);
        if machine.wake_at.is_none_or(|planned| at < planned) {
            self.schedule_wake(node, at);
        }
    }

    fn schedule_wake(&mut self, node: u32, at: Duration) {
        let machine = &mut self.machines[node as usize];
        machine.wake_at = Some(at);
        self.queue.schedule(at, Event::Wake { node, life: machine.life });
    }

    fn machine(&self, node: u32) -> &Machine {
        &self.machines[node as usize]
    }
}
