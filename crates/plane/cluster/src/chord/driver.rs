//! Driver: the loop of one machine's part in the ring: messages, verdicts, time and wishes in, messages and news out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use ringway_catalog::{Catalog, Command, RingKind};
use ringway_ports::{ControlLog, Membership, Peers, Priority, Reach, Service};
use ringway_ring::chord::{ChordConfig, Event, Input};
use ringway_ring::{NodeId, Point, VirtualNode};
use ringway_rt::{Tasks, random};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::enter::{self, Entry, Seen};
use super::hosted::{Effects, Hosted};
use super::places;
use super::port::{ChordRing, Door, INPUTS_MAX, Shared, Told};
use super::table::Table;
use super::wire::{Packet, encode};
use crate::consensus::Group;

/// What is due within this is done at once: fewer, fuller frames.
const TURN: Duration = Duration::from_millis(20);
/// How often machines tell each other their places, beyond when these change.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// To how many at once.
const TELL_COUNT_MAX: usize = 16;
/// Places of others are forgotten if they have not been told for so long.
const PLACES_AGE_MAX: Duration = Duration::from_secs(60);
/// Between attempts to enter.
const ENTER_EVERY: Duration = Duration::from_millis(300);
/// How long a member must be down to be left out of the question who founds: it may be just starting.
const DOWN_FOR: Duration = Duration::from_secs(3);
/// Whoever has died in between is known by then, and arcs have settled.
const HINT_OF_THE_DEAD_AGE: Duration = Duration::from_secs(4);
const EMPTIED_CHECK_EVERY: Duration = Duration::from_millis(200);
/// Longer than a proposal takes at most.
const RESIGN_EVERY: Duration = Duration::from_secs(6);
/// Messages of one peer taken in at once.
const ENVELOPES_MAX: usize = 1024;

/// What the ring of a machine is made of.
pub struct Deps {
    pub own: NodeId,
    /// Where the places are kept.
    pub dir: PathBuf,
    pub peers: Arc<dyn Peers>,
    pub membership: Arc<dyn Membership>,
    pub control_log: Arc<dyn ControlLog>,
    pub(crate) group: Group,
    /// Later lives have larger ones.
    pub incarnation: u64,
    pub config: ChordConfig,
}

impl ChordRing {
    /// Registers with the peers. Does nothing more until the catalog says that the ring is one of this kind.
    pub fn start(deps: Deps, tasks: &Tasks) -> Self {
        let (inputs, told) = mpsc::channel(INPUTS_MAX);
        let shared = Arc::new(Shared {
            own: deps.own,
            peers: deps.peers.clone(),
            membership: deps.membership.clone(),
            catalog: deps.control_log.watch(),
            inputs,
            hosted: Mutex::new(Hosted::new(deps.own, deps.incarnation, deps.config.clone())),
            table: Mutex::new(Table::default()),
            holders: watch::Sender::new(Arc::default()),
            refused: Mutex::default(),
        });
        deps.peers.serve(Service::Ring, Arc::new(Door(Arc::downgrade(&shared))));
        tasks.spawn("ring", live(deps, shared.clone(), told, tasks.clone()));
        Self { shared }
    }
}

async fn live(deps: Deps, shared: Arc<Shared>, told: mpsc::Receiver<Told>, tasks: Tasks) {
    let mut catalog = deps.control_log.watch();
    let kind = tokio::select! {
        biased;
        () = tasks.stopping() => return,
        known = catalog.wait_for(|catalog| catalog.nodes.contains_key(&deps.own)) => match known {
            Ok(catalog) => catalog.ring,
            Err(_) => return,
        },
    };
    let RingKind::Chord { vnodes } = kind else { return };
    let now = Instant::now();
    let driver = Driver {
        stage: Stage::Outside { ask_at: now },
        started: now,
        wanted: places::load(&deps.dir, vnodes),
        others: BTreeMap::new(),
        down: BTreeMap::new(),
        tickets: BTreeMap::new(),
        next_ticket: 0,
        tell_at: now,
        stale_hints: BTreeMap::new(),
        departing: Vec::new(),
        told_removed: BTreeSet::new(),
        members: BTreeSet::new(),
        has_news: false,
        turned: now,
        deps,
        shared,
        tasks,
    };
    driver.run(told).await;
}

enum Stage {
    /// In no ring, or not with all places.
    Outside {
        ask_at: Instant,
    },
    Asking(BoxFuture<'static, Seen>),
    Inside,
    /// Goes, for good.
    Departing {
        until_left: BTreeSet<Point>,
    },
    Departed {
        emptied: bool,
        check_at: Instant,
    },
}

struct Driver {
    deps: Deps,
    shared: Arc<Shared>,
    stage: Stage,
    started: Instant,
    /// Where this machine is to stand.
    wanted: BTreeSet<Point>,
    /// Where other machines say they stand, and when they said so.
    others: BTreeMap<NodeId, (Vec<Point>, Instant)>,
    down: BTreeMap<NodeId, Instant>,
    tickets: BTreeMap<u64, oneshot::Sender<Option<VirtualNode>>>,
    next_ticket: u64,
    tell_at: Instant,
    /// When to forget what the dead said of their arcs: until then their replicas stand in.
    stale_hints: BTreeMap<NodeId, Instant>,
    departing: Vec<oneshot::Sender<()>>,
    told_removed: BTreeSet<NodeId>,
    /// Of the catalog that was looked at last.
    members: BTreeSet<NodeId>,
    /// The own places in the ring have changed and the others have not been told.
    has_news: bool,
    /// When the core was woken last.
    turned: Instant,
    tasks: Tasks,
}

impl Driver {
    async fn run(mut self, mut told: mpsc::Receiver<Told>) {
        let tasks = self.tasks.clone();
        let mut reach = self.deps.membership.watch();
        let mut catalog = self.deps.control_log.watch();
        if let Err(why) = places::save(&self.deps.dir, &self.wanted) {
            error!(%why, "places on the ring cannot be kept: after a restart this node joins with others");
        }
        self.note_catalog();
        self.note_reach();
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = tasks.stopping() => return,
                seen = asked(&mut self.stage) => self.enter(&seen),
                Some(first) = told.recv() => {
                    let mut effects = Effects::default();
                    self.take(first, &mut effects);
                    while let Ok(next) = told.try_recv() {
                        self.take(next, &mut effects);
                    }
                    self.perform(effects);
                }
                Ok(()) = reach.changed() => self.note_reach(),
                Ok(()) = catalog.changed() => self.note_catalog(),
                () = tokio::time::sleep_until(wake) => self.on_time(),
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn next_wake(&self) -> Instant {
        let core = self.shared.hosted().next_wake().map(|at| (self.started + at).max(self.turned + TURN));
        let stage = match &self.stage {
            Stage::Outside { ask_at } => Some(*ask_at),
            Stage::Departed { emptied: true, check_at } => Some(*check_at),
            _ => None,
        };
        let hints = self.stale_hints.values().min().copied();
        [core, stage, hints].into_iter().flatten().min().map_or(self.tell_at, |at| at.min(self.tell_at))
    }

    fn on_time(&mut self) {
        let mut effects = Effects::default();
        let now = Instant::now();
        self.turned = now;
        self.shared.hosted().wake(now - self.started, &mut effects);
        if self.tell_at <= now {
            self.tell_places(TELL_COUNT_MAX);
            self.others.retain(|_, (_, said)| said.elapsed() < PLACES_AGE_MAX);
            self.give_members(&mut effects);
        }
        let is_due = |at: &Instant| *at <= now;
        if self.stale_hints.values().any(is_due) {
            let dead: BTreeSet<NodeId> =
                self.stale_hints.iter().filter(|(_, at)| is_due(at)).map(|(n, _)| *n).collect();
            self.stale_hints.retain(|node, _| !dead.contains(node));
            self.shared.change_table(|table| table.forget_owners(|owner| dead.contains(&owner)));
        }
        match &self.stage {
            Stage::Outside { ask_at } if is_due(ask_at) => self.ask_others(),
            Stage::Departed { emptied: true, check_at } if is_due(check_at) => self.resign(),
            _ => {}
        }
        self.perform(effects);
    }

    fn take(&mut self, told: Told, effects: &mut Effects) {
        match told {
            Told::Messages(from, envelopes) => {
                let now = self.now();
                for envelope in envelopes.into_iter().take(ENVELOPES_MAX) {
                    self.shared.hosted().take_message(now, from, envelope, effects);
                }
            }
            Told::Places(from, points) => {
                let stood = self.others.get(&from).is_some_and(|(points, _)| !points.is_empty());
                if stood && points.is_empty() && self.is_leaving(from) {
                    return self.let_go(from, effects);
                }
                let known = self.others.insert(from, (points.clone(), Instant::now()));
                if known.is_none_or(|(before, _)| before != points) {
                    self.give_members(effects);
                }
            }
            Told::Lookup { key, reply } => self.look_up(key, reply, effects),
            Told::Depart { reply } => self.depart(reply, effects),
            Told::Emptied => {
                if let Stage::Departed { emptied, check_at } = &mut self.stage {
                    (*emptied, *check_at) = (true, Instant::now());
                }
            }
        }
    }

    fn look_up(&mut self, key: Point, reply: oneshot::Sender<Option<VirtualNode>>, effects: &mut Effects) {
        let Some(from) = self.shared.hosted().nearest_before(key) else {
            let _ = reply.send(None);
            return;
        };
        self.next_ticket += 1;
        self.tickets.retain(|_, waiting| !waiting.is_closed());
        self.tickets.insert(self.next_ticket, reply);
        let input = Input::Lookup { ticket: self.next_ticket, key };
        let now = self.now();
        self.shared.hosted().give(now, from, input, effects);
    }

    /// Does what the core wants, and tells what has changed.
    fn perform(&mut self, effects: Effects) {
        let Effects { sends, events, found, lost } = effects;
        if lost > 0 {
            warn!(lost, "the virtual nodes of this machine talk without end, which is a fault of ours");
        }
        for found in found {
            if let Some(waiting) = self.tickets.remove(&found.ticket) {
                // Who has stopped waiting does not want it.
                let _ = waiting.send(found.owner);
            }
        }
        for (node, envelopes) in sends {
            self.send(node, envelopes);
        }
        for (at, event) in events {
            self.note_event(at, event);
        }
        let arcs = self.shared.hosted().arcs();
        self.shared.change_table(|table| table.set_own(arcs));
        if std::mem::take(&mut self.has_news) {
            self.tell_places(usize::MAX);
        }
    }

    fn send(&mut self, node: NodeId, envelopes: Vec<super::wire::Envelope>) {
        if !self.shared.is_member(node) {
            if self.told_removed.insert(node) {
                info!(peer = %node.short(), "ring messages to a node that is no member any more are dropped");
            }
            return;
        }
        metrics::counter!("ringway_ring_messages_total").increment(envelopes.len() as u64);
        let body = encode(&Packet::Messages(envelopes));
        self.deps.peers.tell(node, Priority::Control, Service::Ring, body);
    }

    fn note_event(&mut self, at: Point, event: Event) {
        let place = format_args!("{:016x}", at.0).to_string();
        match event {
            Event::Joined => {
                info!(place, "in the ring");
                self.has_news = true;
            }
            Event::Gained { arc, from } => info!(place, ?arc, ?from, "this node answers for an arc"),
            Event::Ceded { arc, to } => info!(place, ?arc, ?to, "an arc went to another node"),
            Event::PointTaken { by } => self.draw_another(at, by),
            Event::JoinFailed => {
                warn!(place, "nobody let this node into the ring: asking again");
                self.shared.hosted().remove(at);
                if matches!(self.stage, Stage::Inside) {
                    self.stage = Stage::Outside { ask_at: Instant::now() + ENTER_EVERY };
                }
            }
            Event::Isolated if self.others.is_empty() => debug!(place, "a ring of this machine alone begins"),
            Event::Isolated => warn!(place, "no successor is alive: neighbours are taken from what members said"),
            Event::Merging { with } => info!(place, ?with, "two rings are being merged"),
            Event::Dropped { peer } => info!(place, ?peer, "a neighbour is gone"),
            Event::Left => self.note_left(at),
            Event::Ceding { .. } | Event::PredecessorChanged { .. } | Event::SuccessorsChanged { .. } => {
                debug!(place, ?event, "neighbours changed");
            }
        }
    }

    fn draw_another(&mut self, at: Point, by: VirtualNode) {
        if by.node == self.deps.own {
            error!(
                point = at.0,
                "another machine stands on the ring with this node's identity: was its data directory copied?"
            );
        }
        let mut taken: BTreeSet<Point> = self.others.values().flat_map(|(points, _)| points).copied().collect();
        taken.extend(&self.wanted);
        taken.insert(by.point);
        self.wanted.remove(&at);
        self.shared.hosted().remove(at);
        match places::draw(&taken) {
            Some(point) => {
                warn!(place = format!("{:016x}", at.0), taken_by = ?by, instead = format!("{:016x}", point.0), "place on the ring is taken: another is drawn");
                self.wanted.insert(point);
            }
            None => error!("no place on the ring is free: this node stands on fewer"),
        }
        if let Err(why) = places::save(&self.deps.dir, &self.wanted) {
            error!(%why, "places on the ring cannot be kept: after a restart this node joins with others");
        }
        if matches!(self.stage, Stage::Inside) {
            self.stage = Stage::Outside { ask_at: Instant::now() };
        }
    }
}

/// Getting in and out.
impl Driver {
    fn ask_others(&mut self) {
        let catalog = self.catalog();
        let members: BTreeSet<NodeId> = catalog.nodes.keys().copied().collect();
        let down = self.down.iter().filter(|(_, since)| since.elapsed() >= DOWN_FOR).map(|(node, _)| *node).collect();
        let own = self.deps.own;
        let inside = self.shared.hosted().joined().into_iter().map(|point| VirtualNode { point, node: own });
        let answered: BTreeMap<NodeId, Vec<VirtualNode>> = [(own, inside.collect())].into();
        let mut seen = Seen { own, members, down, answered };
        let shared = self.shared.clone();
        let asking = async move {
            let others: Vec<NodeId> = seen.members.iter().copied().filter(|node| *node != own).collect();
            let answers = join_all(others.iter().map(|node| shared.ask_places(*node))).await;
            for (node, places) in others.into_iter().zip(answers) {
                if let Some(places) = places {
                    seen.answered.insert(node, places);
                }
            }
            seen
        };
        self.stage = Stage::Asking(asking.boxed());
    }

    fn enter(&mut self, seen: &Seen) {
        let mut effects = Effects::default();
        self.stage = match enter::decide(seen) {
            Entry::Wait => Stage::Outside { ask_at: Instant::now() + ENTER_EVERY },
            Entry::Found => {
                self.found(&mut effects);
                Stage::Inside
            }
            Entry::Join(known) => {
                let own = self.deps.own;
                for by in known
                    .iter()
                    .filter(|way| way.node != own && self.wanted.contains(&way.point))
                    .copied()
                    .collect::<Vec<_>>()
                {
                    self.draw_another(by.point, by);
                }
                self.join(&known, &mut effects);
                Stage::Inside
            }
        };
        self.perform(effects);
    }

    fn found(&mut self, effects: &mut Effects) {
        let Some(first) = self.wanted.first().copied() else { return };
        info!(places = self.wanted.len(), "no member is in a ring: this node begins one");
        let now = self.now();
        self.shared.hosted().add(first, random::number());
        self.shared.hosted().give(now, first, Input::Create, effects);
        self.join(&[VirtualNode { point: first, node: self.deps.own }], effects);
    }

    /// With all places that are in no ring yet.
    fn join(&mut self, known: &[VirtualNode], effects: &mut Effects) {
        let now = self.now();
        let mut hosted = self.shared.hosted();
        let here: BTreeSet<Point> = hosted.points().into_iter().collect();
        let missing: Vec<Point> = self.wanted.difference(&here).copied().collect();
        info!(places = missing.len(), "joining the ring");
        for point in missing {
            let known = known[random::number() as usize % known.len()];
            hosted.add(point, random::number());
            hosted.give(now, point, Input::Join { known }, effects);
        }
    }

    fn depart(&mut self, reply: oneshot::Sender<()>, effects: &mut Effects) {
        self.departing.push(reply);
        if matches!(self.stage, Stage::Departing { .. }) {
            return;
        }
        let points = self.shared.hosted().joined();
        info!(places = points.len(), "leaving the ring");
        self.stage = Stage::Departing { until_left: points.iter().copied().collect() };
        let now = self.now();
        for point in points {
            self.shared.hosted().give(now, point, Input::Leave, effects);
        }
        if matches!(&self.stage, Stage::Departing { until_left } if until_left.is_empty()) {
            self.end_departure();
        }
    }

    fn note_left(&mut self, at: Point) {
        let Stage::Departing { until_left } = &mut self.stage else { return };
        until_left.remove(&at);
        if until_left.is_empty() {
            self.end_departure();
        }
    }

    fn end_departure(&mut self) {
        // The places stay to say that they are in no ring: else whoever still knows them would wait for an answer.
        info!("out of the ring");
        self.tell_places(usize::MAX);
        self.stage = Stage::Departed { emptied: false, check_at: Instant::now() };
        for waiting in self.departing.drain(..) {
            // Who has stopped waiting does not want to know.
            let _ = waiting.send(());
        }
    }

    /// Out of the cluster, once the others can decide without this node.
    fn resign(&mut self) {
        let own = self.deps.own;
        let seats = self.deps.group.seats();
        let is_needed = seats.joint || seats.voters.contains(&own);
        if let Stage::Departed { check_at, .. } = &mut self.stage {
            *check_at = Instant::now() + if is_needed { EMPTIED_CHECK_EVERY } else { RESIGN_EVERY };
        }
        if is_needed {
            return;
        }
        let proposal = self.deps.control_log.propose(Command::Remove { node: own });
        self.tasks.spawn("resignation", async move {
            if let Err(why) = proposal.await {
                debug!(%why, "this node is not out of the cluster yet");
            }
        });
    }
}

/// The others.
impl Driver {
    fn catalog(&self) -> Arc<Catalog> {
        self.deps.control_log.catalog()
    }

    fn note_reach(&mut self) {
        let reach = self.deps.membership.watch().borrow().clone();
        let mut effects = Effects::default();
        let now = Instant::now();
        for (node, reach) in reach.iter() {
            match reach {
                Reach::Down if !self.down.contains_key(node) => {
                    self.down.insert(*node, now);
                    self.bury(*node, &mut effects);
                }
                Reach::Down => {}
                Reach::Up | Reach::Suspect => {
                    self.down.remove(node);
                    self.stale_hints.remove(node);
                }
            }
        }
        self.give_members(&mut effects);
        self.perform(effects);
    }

    fn bury(&mut self, node: NodeId, effects: &mut Effects) {
        self.others.remove(&node);
        self.stale_hints.insert(node, Instant::now() + HINT_OF_THE_DEAD_AGE);
        let now = self.now();
        self.shared.hosted().give_all(now, &Input::Down(node), effects);
    }

    fn is_leaving(&self, node: NodeId) -> bool {
        self.catalog().nodes.get(&node).is_some_and(|info| !info.is_active())
    }

    /// It has handed over all its arcs: nobody need wait for its places any more.
    fn let_go(&mut self, node: NodeId, effects: &mut Effects) {
        info!(peer = %node.short(), "a node that leaves is out of the ring");
        self.bury(node, effects);
        self.stale_hints.remove(&node);
        self.shared.change_table(|table| table.forget_owners(|owner| owner == node));
        self.give_members(effects);
    }

    fn note_catalog(&mut self) {
        let catalog = self.catalog();
        let members: BTreeSet<NodeId> = catalog.nodes.keys().copied().collect();
        let before = std::mem::replace(&mut self.members, members);
        let mut effects = Effects::default();
        let own = self.deps.own;
        let gone: Vec<NodeId> = before.difference(&self.members).copied().filter(|node| *node != own).collect();
        for node in gone {
            self.bury(node, &mut effects);
        }
        self.down.retain(|node, _| catalog.nodes.contains_key(node));
        self.told_removed.retain(|node| !catalog.nodes.contains_key(node));
        self.give_members(&mut effects);
        self.perform(effects);
    }

    /// Young rings and rings that fell apart are put together from this.
    fn give_members(&mut self, effects: &mut Effects) {
        let own = self.deps.own;
        let mut members: Vec<VirtualNode> =
            self.shared.hosted().joined().into_iter().map(|point| VirtualNode { point, node: own }).collect();
        let alive =
            self.others.iter().filter(|(node, _)| !self.down.contains_key(node) && self.shared.is_member(**node));
        members.extend(
            alive.flat_map(|(node, (points, _))| points.iter().map(|at| VirtualNode { point: *at, node: *node })),
        );
        let now = self.now();
        self.shared.hosted().give_all(now, &Input::Members(members), effects);
    }

    fn tell_places(&mut self, count_max: usize) {
        self.tell_at = Instant::now() + TELL_EVERY;
        let points = self.shared.hosted().joined();
        let catalog = self.catalog();
        let mut peers: Vec<NodeId> = catalog
            .nodes
            .values()
            .filter(|node| node.id != self.deps.own && !self.down.contains_key(&node.id))
            .map(|node| node.id)
            .collect();
        let skip = random::number() as usize % peers.len().max(1);
        peers.rotate_left(skip);
        let body = encode(&Packet::Places(points));
        for peer in peers.into_iter().take(count_max) {
            self.deps.peers.tell(peer, Priority::Control, Service::Ring, body.clone());
        }
    }
}

async fn asked(stage: &mut Stage) -> Seen {
    match stage {
        Stage::Asking(asking) => asking.await,
        _ => std::future::pending().await,
    }
}
