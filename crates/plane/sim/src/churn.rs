//! Core: a ring under churn: nodes keep coming and going while others look keys up.
//!
//! In every interval of `1 / rate` one node joins and one goes, each at a random moment of it, so the ring keeps its size and
//! changes its members. Lookups come at random (a Poisson process) from random nodes, for random keys.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use ringway_ring::Point;

use crate::random::{Generator, generator};
use crate::world::{Tally, World, WorldConfig};

/// While the ring is built, a twentieth of its size joins every second.
const GROWTH: f64 = 0.05;
/// How many rounds of stabilising a ring may take to become ideal after it has been built: news of a node travels one place a round.
const SETTLE_ROUNDS: u32 = 100;
const SETTLE_LEAST: Duration = Duration::from_secs(600);

/// What comes, goes and is asked.
#[derive(Clone, Debug)]
pub struct Churn {
    pub nodes: usize,
    /// Nodes that join a second; as many go.
    pub rate: f64,
    /// The share of those that go which tell their neighbours; the others crash.
    pub graceful: f64,
    pub lookups: u64,
    pub lookups_per_second: f64,
    /// How long finger tables may fill before anything is counted.
    pub warm_up: Duration,
}

/// What went wrong before the churn began.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a ring of {nodes} nodes was not ideal {patience:?} after it was built: {fault}")]
    NotIdeal { nodes: usize, patience: Duration, fault: String },
}

impl Churn {
    /// Builds the ring, lets it settle, and churns it until all lookups are asked and answered.
    pub fn run(&self, config: WorldConfig) -> Result<Tally, Error> {
        self.run_with(config, &mut |_| ()).map(|(tally, _)| tally)
    }

    /// The same; `progress` hears how many lookups have been asked, 0 when the churn begins. Says as well how many others a node
    /// knows, in the mean, at the end.
    pub fn run_with(&self, config: WorldConfig, progress: &mut dyn FnMut(u64)) -> Result<(Tally, f64), Error> {
        let mut random = generator(config.seed, 3);
        let deadline = config.lookup_deadline;
        let mut world = grow(config, self.nodes)?;
        world.run_for(self.warm_up);
        world.forget();
        self.churn(&mut world, &mut random, progress);
        world.run_for(deadline + Duration::from_secs(1));
        let entries = entries_per_node(&world);
        Ok((world.into_tally(), entries))
    }

    fn churn(&self, world: &mut World, random: &mut Generator, progress: &mut dyn FnMut(u64)) {
        let interval = Duration::from_secs_f64(1.0 / self.rate);
        let between = Duration::from_secs_f64(1.0 / self.lookups_per_second);
        let mut asked = 0;
        let mut begin = world.now();
        let mut next_lookup = begin + world.pause_of(between);
        while asked < self.lookups {
            progress(asked);
            let [join, go] = [0, 1].map(|_| begin + interval.mul_f64(random.random()));
            let mut changes = [(join, true), (go, false), (begin + interval, false)];
            changes[..2].sort_unstable();
            for (index, (at, joins)) in changes.into_iter().enumerate() {
                while next_lookup < at && asked < self.lookups {
                    world.run_until(next_lookup);
                    look_up(world);
                    asked += 1;
                    next_lookup = world.now() + world.pause_of(between);
                }
                world.run_until(at);
                match (index, joins) {
                    (2, _) => {}
                    (_, true) => _ = world.join(),
                    (_, false) => self.go(world, random),
                }
            }
            begin += interval;
        }
        progress(asked);
    }

    fn go(&self, world: &mut World, random: &mut Generator) {
        let Some(node) = world.some_node() else { return };
        if random.random::<f64>() < self.graceful {
            world.leave(node);
        } else {
            world.crash(node);
        }
    }
}

/// A ring of that many nodes that has become ideal.
pub fn grow(config: WorldConfig, nodes: usize) -> Result<World, Error> {
    let patience = (config.chord.stabilise_every * SETTLE_ROUNDS).max(SETTLE_LEAST);
    let mut world = World::new(config);
    world.create();
    while world.live().len() < nodes {
        world.join();
        let pause = Duration::from_secs_f64(1.0 / (1.0 + GROWTH * world.live().len() as f64));
        world.run_for(pause);
    }
    match world.converge(patience) {
        Ok(_) => Ok(world),
        Err(fault) => Err(Error::NotIdeal { nodes, patience, fault }),
    }
}

/// Different places in a node's list, behind it and in its fingers.
fn entries_per_node(world: &World) -> f64 {
    let known = world.live().map(|id| {
        let core = world.node(id);
        let others = core.successors().iter().chain(core.fingers()).copied().chain(core.predecessors());
        let points: BTreeSet<Point> =
            others.map(|peer| peer.point).filter(|point| *point != core.own().point).collect();
        points.len()
    });
    known.sum::<usize>() as f64 / world.live().len().max(1) as f64
}

fn look_up(world: &mut World) {
    if let Some(asker) = world.some_member() {
        world.look_up_anything(asker);
    }
}
