//! Driver: lookups by each router in a ring of a given size, and what they cost: hops, failures, memory, processor time.
//!
//! Everything but the processor time is a function of the seed. Lookups run a batch at a time and, within a batch, a few dozen at
//! once, step by step in turn: what one of them needs next is fetched from memory while the others take their steps. They do not
//! influence each other, so this changes nothing but the time.

use std::hint::black_box;
use std::time::Duration;

use ringway_ring::finger_table::FingerShape;
use ringway_ring::key_index::KEYS_MAX;
use ringway_ring::{Action, Base, KeyDirectory, Limits, Lookup, Next, Point, Via};
use serde::Serialize;

use crate::converged_ring::{ByFingers, ByIndex, ByNeighbours, ByTable, ConvergedRing, NODES_MAX, Spot, Town};
use crate::cpu_time::thread_cpu_time;
use crate::random::{Generator, generator, point};
use crate::statistics::Histogram;

/// How many lookups run at once.
const AT_ONCE: usize = 64;
/// How many are drawn, run and checked together.
const BATCH: usize = 8192;
/// Lookups by neighbours take N / 4L hops: so many hops in all may be spent on them.
const NEIGHBOUR_HOPS_MAX: u64 = 20_000_000;
/// How many candidates a node names while nobody is dead (the first is always right), and otherwise.
const CANDIDATES: (usize, usize) = (1, 16);
pub const LOOKUPS_MAX: u64 = 1_000_000_000;
const NODES_MIN: usize = 2;
const LIST_MAX: usize = 1024;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct RingRun {
    pub nodes: usize,
    /// Where they stand: in order, all different, as many as `nodes`. Else by lot.
    pub points: Option<Vec<Point>>,
    pub routers: Vec<Via>,
    pub base: Base,
    /// Neighbours on either side, and successors beside the fingers. Default: 16, but 1 with base 2, which is the textbook.
    pub list: Option<usize>,
    pub lookups: u64,
    /// The share of nodes that die at once before the lookups begin, 0 to 0.9.
    pub fail: f64,
    pub seed: u64,
    /// Whether processor time is measured: the only figure that is not a function of the seed.
    pub timing: bool,
}

/// What one router cost. Serialised for programs, in these words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouterFigures {
    pub router: Via,
    pub nodes: usize,
    /// Fewer than asked for with neighbours in a large ring.
    pub lookups: u64,
    pub hops_mean: f64,
    pub hops_p50: usize,
    pub hops_p99: usize,
    /// Ended with a node that does not own the key.
    pub wrong: u64,
    /// Ended with nobody.
    pub lost: u64,
    /// Other nodes or keys that a node keeps: the mean, but with the index those of the directory.
    pub state_entries_per_node: f64,
    /// Null unless it was measured.
    pub lookups_per_cpu_second: Option<u64>,
    /// For tables and plots.
    #[serde(skip)]
    pub hops: Histogram,
    #[serde(skip)]
    pub timeouts_mean: f64,
}

/// Why a run is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("a ring of {0} nodes has nothing to look up: take at least {NODES_MIN}")]
    TooFewNodes(usize),
    #[error(
        "{0} nodes are too many: the tables of {NODES_MAX} (about 5 GB) are the most that is simulated; try 1000000, which needs 0.4 GB"
    )]
    TooManyNodes(usize),
    #[error("{0} lookups: take 1 to {LOOKUPS_MAX}")]
    Lookups(u64),
    #[error("a failed share of {0} is not possible: take 0 to 0.9 (0% to 90%)")]
    Fail(f64),
    #[error("{points} places for {nodes} nodes, or not in order: this is a fault of the caller")]
    Points { points: usize, nodes: usize },
    #[error("a list of {0} neighbours is not possible: take 1 to {LIST_MAX}")]
    List(usize),
}

/// What the run is doing, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Ring,
    Lookups(Via),
}

impl RingRun {
    /// Refuses what cannot be run, before anything is built.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self { nodes, .. } if *nodes < NODES_MIN => Err(Error::TooFewNodes(*nodes)),
            Self { nodes, .. } if *nodes > NODES_MAX => Err(Error::TooManyNodes(*nodes)),
            Self { lookups, .. } if !(1..=LOOKUPS_MAX).contains(lookups) => Err(Error::Lookups(*lookups)),
            Self { fail, .. } if !(0.0..=0.9).contains(fail) => Err(Error::Fail(*fail)),
            Self { points: Some(points), nodes, .. }
                if points.len() != *nodes || !points.is_sorted_by(|a, b| a < b) =>
            {
                Err(Error::Points { points: points.len(), nodes: *nodes })
            }
            Self { list: Some(list), .. } if !(1..=LIST_MAX).contains(list) => Err(Error::List(*list)),
            _ => Ok(()),
        }
    }

    /// The length of the lists.
    pub fn list(&self) -> usize {
        let usual = if self.base == Base::TWO { 1 } else { ringway_ring::neighbours::NEIGHBOURS_DEFAULT };
        self.list.unwrap_or(usual).min(self.nodes.saturating_sub(1)).max(1)
    }

    /// One report for each router, in the order given.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<RouterFigures>, Error> {
        self.check()?;
        let mut ring = self.build(progress);
        if self.fail > 0.0 {
            ring.kill(self.fail, &mut generator(self.seed, Purpose::Deaths as u64));
        }
        Ok(self.routers.iter().map(|via| self.run_router(&ring, *via, progress)).collect())
    }

    /// The ring with all tables that the routers need.
    pub fn build(&self, progress: &mut dyn FnMut(Progress)) -> ConvergedRing {
        let total = self.nodes as u64;
        progress(Progress { stage: Stage::Ring, done: 0, total });
        let mut ring = match &self.points {
            Some(points) => ConvergedRing::at(points.clone(), self.list()),
            None => ConvergedRing::new(self.nodes, self.list(), &mut generator(self.seed, Purpose::Points as u64)),
        };
        if self.routers.contains(&Via::Fingers) {
            let shape = match self.base {
                Base::TWO => FingerShape::for_nodes(self.base, self.nodes),
                base => FingerShape::beyond_list(base, self.nodes, self.list()),
            };
            ring.fill_fingers(shape, |done| progress(Progress { stage: Stage::Ring, done: done as u64, total }));
        }
        progress(Progress { stage: Stage::Ring, done: total, total });
        ring
    }

    fn run_router(&self, ring: &ConvergedRing, via: Via, progress: &mut dyn FnMut(Progress)) -> RouterFigures {
        match via {
            Via::Fingers => self.look_up(ring, &ByFingers(ring), progress),
            Via::Neighbours => self.look_up(ring, &ByNeighbours(ring), progress),
            Via::Table => self.look_up(ring, &ByTable(ring), progress),
            Via::Index => self.look_up(ring, &self.index(ring), progress),
        }
    }

    /// A directory on a node that lives, with as many of the keys as it takes. Nobody has told it who died since.
    fn index<'a>(&self, ring: &'a ConvergedRing) -> ByIndex<'a> {
        let mut random = generator(self.seed, Purpose::Keys as u64);
        let mut keys = KeyDirectory::default();
        for _ in 0..self.lookups.min(KEYS_MAX as u64) {
            let key = point(&mut random);
            if keys.enter(key, ring.first_owner(key)).is_err() {
                break;
            }
        }
        ByIndex { ring, directory: ring.some_live(&mut random), keys }
    }

    fn look_up<T: Town>(&self, ring: &ConvergedRing, town: &T, progress: &mut dyn FnMut(Progress)) -> RouterFigures {
        let via = town.via();
        let total = self.lookups_by(via);
        let mut tally = Tally::default();
        let mut crew = Crew::new(self.limits(via), if self.fail > 0.0 { CANDIDATES.1 } else { CANDIDATES.0 });
        let mut questions = Questions::new(self.seed, via);
        let mut batch = Vec::with_capacity(BATCH);
        while tally.lookups < total {
            progress(Progress { stage: Stage::Lookups(via), done: tally.lookups, total });
            questions.draw(ring, BATCH.min((total - tally.lookups) as usize), &mut batch);
            let before = if self.timing { thread_cpu_time() } else { Duration::ZERO };
            crew.run(ring, town, &mut batch);
            if self.timing {
                tally.cpu += thread_cpu_time() - before;
            }
            tally.count(ring, &batch);
        }
        progress(Progress { stage: Stage::Lookups(via), done: total, total });
        self.figures(via, tally, town.entries())
    }

    fn lookups_by(&self, via: Via) -> u64 {
        if via != Via::Neighbours {
            return self.lookups;
        }
        let hops = (self.nodes / (4 * self.list())).max(1) as u64;
        self.lookups.min((NEIGHBOUR_HOPS_MAX / hops).max(1))
    }

    fn limits(&self, via: Via) -> Limits {
        let hops_max = match via {
            // Half the ring, a list at a time, and twice as many for detours.
            Via::Neighbours => 64 + (self.nodes / self.list()) as u32,
            // With a list of one every node may be the only one who knows the next.
            _ => 256,
        };
        // Nothing moves here, so there is nothing to wait for.
        Limits { hops_max, timeouts_max: hops_max, waits_max: 0, hearsay_max: 0 }
    }

    fn figures(&self, router: Via, tally: Tally, entries: f64) -> RouterFigures {
        let speed = tally.lookups as f64 / tally.cpu.as_secs_f64();
        RouterFigures {
            router,
            nodes: self.nodes,
            lookups: tally.lookups,
            hops_mean: tally.hops.mean(),
            hops_p50: tally.hops.percentile(0.5),
            hops_p99: tally.hops.percentile(0.99),
            wrong: tally.wrong,
            lost: tally.lost,
            state_entries_per_node: entries,
            lookups_per_cpu_second: (self.timing && speed.is_finite()).then_some(speed as u64),
            hops: tally.hops,
            timeouts_mean: tally.timeouts as f64 / tally.lookups.max(1) as f64,
        }
    }
}

/// What random numbers are drawn for: each has a sequence of its own.
enum Purpose {
    Points = 1,
    Deaths = 2,
    Keys = 3,
    Askers = 4,
}

/// One lookup: what was asked, and how it ended.
#[derive(Clone, Copy)]
struct Task {
    key: Point,
    asker: Spot,
    owner: Option<Spot>,
    hops: u32,
    timeouts: u32,
}

/// Keys and who asks for them.
struct Questions {
    keys: Generator,
    askers: Generator,
    /// Of the index: after so many keys it begins again, with those that the directory has.
    period: Option<u64>,
    drawn: u64,
    seed: u64,
}

impl Questions {
    fn new(seed: u64, via: Via) -> Self {
        Self {
            keys: generator(seed, Purpose::Keys as u64),
            askers: generator(seed, Purpose::Askers as u64),
            period: (via == Via::Index).then_some(KEYS_MAX as u64),
            drawn: 0,
            seed,
        }
    }

    fn draw(&mut self, ring: &ConvergedRing, count: usize, batch: &mut Vec<Task>) {
        batch.clear();
        for _ in 0..count {
            if self.period.is_some_and(|period| self.drawn > 0 && self.drawn.is_multiple_of(period)) {
                self.keys = generator(self.seed, Purpose::Keys as u64);
            }
            self.drawn += 1;
            let (key, asker) = (point(&mut self.keys), ring.some_live(&mut self.askers));
            batch.push(Task { key, asker, owner: None, hops: 0, timeouts: 0 });
        }
    }
}

/// Lookups under way.
struct Crew {
    limits: Limits,
    next: Next<Spot>,
    flights: Vec<Flight>,
}

/// One of them: whom it asks next, for which task.
struct Flight {
    lookup: Lookup<Spot>,
    at: Spot,
    task: usize,
}

impl Crew {
    fn new(limits: Limits, candidates: usize) -> Self {
        Self { limits, next: Next::new(candidates), flights: Vec::with_capacity(AT_ONCE) }
    }

    fn run<T: Town>(&mut self, ring: &ConvergedRing, town: &T, batch: &mut [Task]) {
        let mut waiting = 0..batch.len();
        let mut flying = 0;
        for task in waiting.by_ref().take(AT_ONCE) {
            self.board(flying, task, batch);
            flying += 1;
        }
        while flying > 0 {
            self.touch(town, flying);
            let mut index = 0;
            while index < flying {
                if self.flights[index].step(ring, town, &mut self.next, batch) {
                    index += 1;
                    continue;
                }
                if let Some(task) = waiting.next() {
                    self.board(index, task, batch);
                    index += 1;
                    continue;
                }
                flying -= 1;
                self.flights.swap(index, flying);
            }
        }
    }

    /// Reads what the next steps will need, all flights at once, so that their ways to memory overlap: first the fingers, then
    /// the points of those.
    fn touch<T: Town>(&mut self, town: &T, flying: usize) {
        let mut ranks = [0; AT_ONCE];
        for (rank, flight) in ranks.iter_mut().zip(&self.flights[..flying]) {
            *rank = town.first_guess(flight.at, flight.lookup.key());
        }
        black_box(ranks.iter().fold(0, |sum, rank| sum ^ town.touch(*rank)));
    }

    /// Starts a task on a place that is free.
    fn board(&mut self, index: usize, task: usize, batch: &[Task]) {
        let Task { key, asker, .. } = batch[task];
        if let Some(flight) = self.flights.get_mut(index) {
            flight.lookup.again(asker, key);
            (flight.at, flight.task) = (asker, task);
            return;
        }
        let (lookup, _) = Lookup::start(asker, key, self.limits);
        self.flights.push(Flight { lookup, at: asker, task });
    }
}

impl Flight {
    /// Whether it goes on.
    #[inline]
    fn step<T: Town>(&mut self, ring: &ConvergedRing, town: &T, next: &mut Next<Spot>, batch: &mut [Task]) -> bool {
        let action = if ring.is_dead(self.at.rank) {
            self.lookup.timed_out(self.at)
        } else {
            let verdict = town.look(self.at, self.lookup.key(), next);
            self.lookup.heard(self.at, verdict, next.as_slice())
        };
        let owner = match action {
            Action::Ask(peer) | Action::Wait(peer) => {
                self.at = peer;
                return true;
            }
            Action::Found(found) => Some(found.owner),
            Action::Failed(_) => None,
        };
        let task = &mut batch[self.task];
        (task.owner, task.hops, task.timeouts) = (owner, self.lookup.hops(), self.lookup.timeouts());
        false
    }
}

#[derive(Default)]
struct Tally {
    lookups: u64,
    hops: Histogram,
    timeouts: u64,
    wrong: u64,
    lost: u64,
    cpu: Duration,
}

impl Tally {
    fn count(&mut self, ring: &ConvergedRing, batch: &[Task]) {
        for task in batch {
            self.lookups += 1;
            self.timeouts += u64::from(task.timeouts);
            match task.owner {
                None => self.lost += 1,
                Some(owner) => {
                    self.hops.add(task.hops as usize);
                    self.wrong += u64::from(owner != ring.owner(task.key));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
