//! Driver: runs the membership protocol and publishes who is reachable.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foca::{AccumulatingRuntime, Foca, Member, NoCustomBroadcast, OwnedNotification, State, Timer};
use futures_util::future::BoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use ringway_ports::{Membership, PeerHandler, Peers, Priority, Reach, Service};
use ringway_ring::NodeId;
use ringway_rt::{Tasks, random};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, info};

use super::codec::PostcardCodec;
use super::identity::Life;
use super::timings;
use crate::roster::Roster;
use crate::transport::Observer;

const INPUTS_MAX: usize = 4096;
/// A refused connection makes a node suspect for this long at most; by then the probes know.
const SUSPICION: Duration = Duration::from_secs(3);

type Reachability = BTreeMap<NodeId, Reach>;

enum Input {
    Message(NodeId, Bytes),
    Lost(NodeId),
    Connected(NodeId),
    Refused,
}

/// The port; the protocol itself runs in a task.
#[derive(Clone)]
pub struct Swim {
    own_id: NodeId,
    roster: Arc<Roster>,
    inputs: mpsc::Sender<Input>,
    reachable: watch::Receiver<Arc<Reachability>>,
    refused: watch::Receiver<bool>,
}

impl Swim {
    /// Starts the protocol. `generation` must be greater than at the last start: wall time is.
    pub fn start(peers: Arc<dyn Peers>, roster: Arc<Roster>, generation: u64, tasks: &Tasks) -> Self {
        let (give, inputs) = mpsc::channel(INPUTS_MAX);
        let (publish, reachable) = watch::channel(Arc::default());
        let (refuse, refused) = watch::channel(false);
        let own_id = peers.own_id();
        let life = Life { id: own_id, generation };
        let rng = StdRng::seed_from_u64(random::number());
        let driver = Driver {
            foca: Foca::new(life, timings::config(), rng, PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            timers: BinaryHeap::new(),
            timer_count: 0,
            greet_at: Instant::now(),
            suspected: BTreeMap::new(),
            peers: peers.clone(),
            roster: roster.clone(),
            publish,
            refuse,
        };
        let swim = Self { own_id, roster, inputs: give, reachable, refused };
        peers.serve(Service::Membership, Arc::new(swim.clone()));
        tasks.spawn("membership", driver.run(inputs, tasks.token()));
        swim
    }

    /// Turns true when a member says that this node is none.
    pub fn refused(&self) -> watch::Receiver<bool> {
        self.refused.clone()
    }

    fn put(&self, input: Input) {
        // News that does not fit is news about the same few nodes; the next probe brings it again.
        if self.inputs.try_send(input).is_err() {
            metrics::counter!("ringway_cluster_dropped_total").increment(1);
        }
    }
}

impl PeerHandler for Swim {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        self.put(Input::Message(from, body));
        Box::pin(std::future::ready(Ok(Bytes::new())))
    }
}

impl Observer for Swim {
    fn lost(&self, node: NodeId) {
        self.put(Input::Lost(node));
    }

    fn connected(&self, node: NodeId) {
        self.put(Input::Connected(node));
    }

    fn refused_by(&self, _node: NodeId) {
        self.put(Input::Refused);
    }
}

impl Membership for Swim {
    fn watch(&self) -> watch::Receiver<Arc<Reachability>> {
        self.reachable.clone()
    }

    fn report_failure(&self, node: NodeId) {
        self.put(Input::Lost(node));
    }

    fn is_reachable(&self, node: NodeId) -> bool {
        node == self.own_id || self.reachable.borrow().get(&node).is_some_and(|reach| *reach != Reach::Down)
    }
}

impl Swim {
    /// Members that are not known to be down, best first: for those who may ask any.
    pub fn candidates(&self) -> Vec<NodeId> {
        let reachable = self.reachable.borrow().clone();
        let rank = |id: &NodeId| match reachable.get(id) {
            Some(Reach::Up) => 0,
            None => 1,
            Some(Reach::Suspect) => 2,
            Some(Reach::Down) => 3,
        };
        let mut ids: Vec<NodeId> = self.roster.others().into_iter().collect();
        ids.sort_by_key(rank);
        ids
    }
}

struct Driver {
    foca: Foca<Life, PostcardCodec, StdRng, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Life>,
    /// When, in which order they were set, what.
    timers: BinaryHeap<Reverse<(Instant, u64, TimerBox)>>,
    timer_count: u64,
    greet_at: Instant,
    /// Until when a node is suspect because a connection to it failed.
    suspected: BTreeMap<NodeId, Instant>,
    peers: Arc<dyn Peers>,
    roster: Arc<Roster>,
    publish: watch::Sender<Arc<Reachability>>,
    refuse: watch::Sender<bool>,
}

impl Driver {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>, stop: tokio_util::sync::CancellationToken) {
        let mut catalog = self.roster.watch();
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.leave(),
                Some(input) = inputs.recv() => self.take(input),
                Ok(()) = catalog.changed() => self.greet(),
                () = tokio::time::sleep_until(wake) => self.fire_timers(),
            }
            self.perform();
            self.publish();
        }
    }

    /// Says hello to every member that is not there as far as we know. The library would do that too, but not while *all* are gone.
    fn greet(&mut self) {
        self.greet_at = Instant::now() + timings::GREET_EVERY;
        let active: BTreeSet<NodeId> = self.foca.iter_members().map(|member| member.id().id).collect();
        for id in self.roster.others().difference(&active) {
            self.greet_one(*id);
        }
    }

    fn greet_one(&mut self, id: NodeId) {
        // Generation 0: whichever life of it answers has a greater one.
        let announced = self.foca.announce(Life { id, generation: 0 }, &mut self.runtime);
        self.note(announced);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message(from, body) => {
                self.suspected.remove(&from);
                let handled = self.foca.handle_data(&body, &mut self.runtime);
                self.note(handled);
            }
            Input::Lost(node) => {
                self.suspected.insert(node, Instant::now() + SUSPICION);
            }
            Input::Connected(node) => {
                self.suspected.remove(&node);
                if !self.foca.iter_members().any(|member| member.id().id == node) {
                    self.greet_one(node);
                }
            }
            Input::Refused => {
                self.refuse.send_replace(true);
            }
        }
    }

    fn fire_timers(&mut self) {
        let now = Instant::now();
        while self.timers.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((_, _, TimerBox(timer)))) = self.timers.pop() else { return };
            let handled = self.foca.handle_timer(timer, &mut self.runtime);
            self.note(handled);
        }
        self.suspected.retain(|_, until| *until > now);
        if self.greet_at <= now {
            self.greet();
        }
    }

    fn next_wake(&self) -> Instant {
        self.timers.peek().map_or(self.greet_at, |Reverse((at, ..))| (*at).min(self.greet_at))
    }

    fn perform(&mut self) {
        while let Some((to, data)) = self.runtime.to_send() {
            self.peers.tell(to.id, Priority::Control, Service::Membership, data);
        }
        while let Some((after, timer)) = self.runtime.to_schedule() {
            self.timer_count += 1;
            self.timers.push(Reverse((Instant::now() + after, self.timer_count, TimerBox(timer))));
        }
        while let Some(notification) = self.runtime.to_notify() {
            match notification {
                OwnedNotification::MemberUp(life) => info!(peer = %life.id.short(), "peer is up"),
                OwnedNotification::MemberDown(life) => info!(peer = %life.id.short(), "peer is down"),
                OwnedNotification::Rejoin(life) => info!(?life, "this node was taken for dead and objected"),
                _ => {}
            }
        }
    }

    fn publish(&self) {
        let members = self.roster.others();
        let mut next: Reachability = BTreeMap::new();
        for member in self.foca.iter_membership_state().filter(|member| members.contains(&member.id().id)) {
            let seen = next.entry(member.id().id).or_insert(Reach::Down);
            *seen = better(*seen, reach_of(member));
        }
        let now = Instant::now();
        for node in self.suspected.iter().filter(|(_, until)| **until > now).map(|(node, _)| node) {
            if let Some(reach @ Reach::Up) = next.get_mut(node) {
                *reach = Reach::Suspect;
            }
        }
        self.publish.send_if_modified(|current| {
            let changed = **current != next;
            if changed {
                *current = Arc::new(next);
            }
            changed
        });
    }

    /// Tells the others, so that they need not find out.
    fn leave(mut self) {
        let left = self.foca.leave_cluster(&mut self.runtime);
        self.note(left);
        self.perform();
    }

    fn note(&self, result: Result<(), foca::Error>) {
        if let Err(why) = result {
            debug!(%why, "membership message not handled");
        }
    }
}

fn reach_of(member: &Member<Life>) -> Reach {
    match member.state() {
        State::Alive => Reach::Up,
        State::Suspect => Reach::Suspect,
        State::Down => Reach::Down,
    }
}

fn better(a: Reach, b: Reach) -> Reach {
    match (a, b) {
        (Reach::Up, _) | (_, Reach::Up) => Reach::Up,
        (Reach::Suspect, _) | (_, Reach::Suspect) => Reach::Suspect,
        _ => Reach::Down,
    }
}

/// Ordered by nothing: time and order of setting come first in the heap.
struct TimerBox(Timer<Life>);

impl PartialEq for TimerBox {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TimerBox {}

impl PartialOrd for TimerBox {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimerBox {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
