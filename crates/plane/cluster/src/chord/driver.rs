//! Driver: the loop of one machine's part in the ring: messages, verdicts, time and wishes in, messages and news out.
//!
//! Here is what it knows and in which order it turns. What it does about each thing is in the folder: getting in (`entering`) and
//! out (`leaving`), where it stands (`standing`), who the others are (`members`) and what they are told (`telling`), lookups
//! (`finding`), and what its virtual nodes report (`events`). All are parts of one state that only this task has, so what is known
//! cannot change between a decision and the deed. What others may look at meanwhile is in [`super::port`], behind locks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringway_catalog::{Catalog, RingKind};
use ringway_ports::{ControlLog, Membership, Peers, Service};
use ringway_ring::chord::ChordConfig;
use ringway_ring::{NodeId, Point, VirtualNode};
use ringway_rt::Tasks;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::warn;

use super::hosted::{Effects, Hosted};
use super::places;
use super::port::{ChordRing, Door, INPUTS_MAX, Shared, Told};
use super::table::Table;
use crate::consensus::Group;

mod entering;
mod events;
mod finding;
mod leaving;
mod members;
mod stage;
mod standing;
mod telling;

use stage::{Stage, asked};

/// What is due within this is done at once: fewer, fuller frames.
const TURN: Duration = Duration::from_millis(20);
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
    Driver::new(deps, shared, vnodes, tasks).run(told).await;
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
    fn new(deps: Deps, shared: Arc<Shared>, vnodes: u8, tasks: Tasks) -> Self {
        let now = Instant::now();
        Self {
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
        }
    }

    async fn run(mut self, mut told: mpsc::Receiver<Told>) {
        let tasks = self.tasks.clone();
        let mut reach = self.deps.membership.watch();
        let mut catalog = self.deps.control_log.watch();
        self.keep_places();
        self.note_catalog();
        self.note_reach();
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = tasks.stopping() => return,
                seen = asked(&mut self.stage) => self.enter(&seen),
                Some(first) = told.recv() => self.take_all(first, &mut told),
                Ok(()) = reach.changed() => self.note_reach(),
                Ok(()) = catalog.changed() => self.note_catalog(),
                () = tokio::time::sleep_until(wake) => self.on_time(),
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.deps.control_log.catalog()
    }

    fn next_wake(&self) -> Instant {
        let core = self.shared.hosted().next_wake().map(|at| (self.started + at).max(self.turned + TURN));
        let stage = self.stage.next_wake();
        let hints = self.stale_hints.values().min().copied();
        [core, stage, hints].into_iter().flatten().min().map_or(self.tell_at, |at| at.min(self.tell_at))
    }

    fn on_time(&mut self) {
        let mut effects = Effects::default();
        let now = Instant::now();
        self.turned = now;
        self.shared.hosted().wake(now - self.started, &mut effects);
        if self.tell_at <= now {
            self.tell_some();
            self.forget_old_places();
            self.give_members(&mut effects);
        }
        self.forget_hints_of_the_dead(now);
        match &self.stage {
            Stage::Outside { ask_at } if *ask_at <= now => self.ask_others(),
            Stage::Departed { emptied: true, check_at } if *check_at <= now => self.resign(),
            _ => {}
        }
        self.perform(effects);
    }

    /// Whatever has come in by now is one turn: its messages leave in common frames.
    fn take_all(&mut self, first: Told, told: &mut mpsc::Receiver<Told>) {
        let mut effects = Effects::default();
        self.take(first, &mut effects);
        while let Ok(next) = told.try_recv() {
            self.take(next, &mut effects);
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
            Told::Places(from, points) => self.note_places(from, points, effects),
            Told::Lookup { key, reply } => self.look_up(key, reply, effects),
            Told::Depart { reply } => self.depart(reply, effects),
            Told::Emptied => self.note_emptied(),
        }
    }

    /// Does what the core wants, and tells what has changed.
    fn perform(&mut self, effects: Effects) {
        let Effects { sends, events, found, lost } = effects;
        if lost > 0 {
            warn!(lost, "the virtual nodes of this machine talk without end, which is a fault of ours");
        }
        for found in found {
            self.answer(&found);
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
            self.tell_all();
        }
    }
}
