//! Core: a bad day of a small ring, made of a seed: nodes join, leave, crash and come back while messages get lost; then the network is
//! cut, or nodes are paused; then everything heals.
//!
//! What is asked of the ring is what it promises. *As long as nobody is cut off or stopped*, no answer is wrong, whatever joins,
//! leaves, crashes and gets lost. *While it is cut*, both sides serve, so two nodes may own a key: that is what a ring without
//! agreement is, and such answers are only counted. *After healing*, the ring is ideal within a bounded time, and every lookup is
//! right.

use std::fmt;
use std::time::Duration;

use rand::RngExt;
use ringway_ring::chord::ChordConfig;

use crate::churn::{self, grow};
use crate::random::{Generator, generator};
use crate::world::{Comeback, Detection, Id, NetworkConfig, World, WorldConfig, Wrong};

const BUSY: Duration = Duration::from_secs(60);
const CUT: Duration = Duration::from_secs(30);
/// How long after everything has healed the ring may take to be ideal.
pub const CONVERGE_WITHIN: Duration = Duration::from_secs(60);
const LOOKUPS_AFTER: u64 = 200;
const TRACE_LINES: usize = 4_000;
/// A ring does not shrink below this.
const NODES_MIN: usize = 8;

/// A day that ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub seed: u64,
    pub nodes: usize,
    /// While the ring was busy, but whole.
    pub right: u64,
    pub wrong: u64,
    pub lost: u64,
    /// Answers that two sides of a cut would have given differently.
    pub wrong_while_cut: u64,
    pub converged_in: Duration,
}

/// A day on which the ring broke a promise.
#[derive(Debug)]
pub struct Broken {
    pub seed: u64,
    pub what: String,
    pub wrong: Vec<Wrong>,
    /// The last lines of what happened.
    pub trace: Vec<String>,
}

/// The day of this seed. With `plain`, lookups believe the key's predecessor, and wrong answers are counted instead of being a
/// broken promise.
pub fn day(seed: u64, plain: bool) -> Result<Day, Box<Broken>> {
    // Writing down what happens takes longer than letting it happen, and the same seed makes the same day.
    live_through(seed, plain, 0).or_else(|_| live_through(seed, plain, TRACE_LINES))
}

fn live_through(seed: u64, plain: bool, trace_lines: usize) -> Result<Day, Box<Broken>> {
    let mut random = generator(seed, 4);
    let nodes = random.random_range(20..=50);
    let loss = if random.random() { 0.05 } else { 0.0 };
    let mut world = grow(config(seed, plain, trace_lines), nodes).map_err(|error| broken(seed, &error))?;
    world.forget();
    world.lose(loss);
    busy(&mut world, &mut random);
    let mut day = Day { seed, nodes, ..Day::default() };
    let tally = world.tally();
    (day.right, day.wrong, day.lost) = (tally.right, tally.wrong + tally.dead_owner, tally.lost);
    if !plain && tally.answers_wrong > 0 {
        return Err(broken_world(seed, &world, "a wrong answer while nobody was cut off"));
    }
    world.forget();
    cut(&mut world, &mut random);
    day.wrong_while_cut = world.tally().answers_wrong;
    world.heal();
    world.lose(0.0);
    heal(&mut world, plain, &mut day)?;
    Ok(day)
}

fn config(seed: u64, plain: bool, trace_lines: usize) -> WorldConfig {
    WorldConfig {
        seed,
        plain,
        chord: ChordConfig { successors: 4, ..ChordConfig::default() },
        network: NetworkConfig {
            delay_least: Duration::from_millis(1),
            delay_spread: Duration::from_millis(60),
            loss: 0.0,
            doubled: 0.01,
        },
        detection: Detection { members_every: Some(Duration::from_secs(2)), ..Detection::default() },
        trace_lines,
        ..WorldConfig::default()
    }
}

/// About one accident a second, and ten lookups.
fn busy(world: &mut World, random: &mut Generator) {
    let end = world.now() + BUSY;
    let mut crashed: Vec<Id> = Vec::new();
    while world.now() < end {
        world.run_for(Duration::from_millis(100));
        look_up(world);
        if random.random_range(0..10) == 0 {
            accident(world, random, &mut crashed);
        }
    }
    // Who was asked last has time to answer before anybody is cut off.
    world.run_for(Duration::from_secs(11));
}

fn accident(world: &mut World, random: &mut Generator, crashed: &mut Vec<Id>) {
    let may_shrink = world.live().len() > NODES_MIN;
    match random.random_range(0..10) {
        0..4 => _ = world.join(),
        4..6 if may_shrink => {
            if let Some(node) = world.some_node() {
                world.leave(node);
            }
        }
        6..8 if may_shrink => {
            if let Some(node) = world.some_node() {
                world.crash(node);
                crashed.push(node);
            }
        }
        8 if !crashed.is_empty() => {
            let node = crashed.swap_remove(random.random_range(0..crashed.len()));
            world.restart(node, if random.random() { Comeback::EmptyDisk } else { Comeback::OldEpoch });
        }
        9 => {
            if let Some(node) = world.some_node() {
                let hour = Duration::from_secs(3600);
                let forward: bool = random.random();
                world.jump_clock(
                    node,
                    if forward { hour } else { Duration::ZERO },
                    if forward { Duration::ZERO } else { hour },
                );
            }
        }
        _ => {}
    }
}

/// The network is cut in two, or in one direction only, or some nodes are stopped; and nodes still come and go.
fn cut(world: &mut World, random: &mut Generator) {
    let group: Vec<Id> = world.live().filter(|_| random.random_range(0..3) == 0).collect();
    match random.random_range(0..3) {
        0 => world.partition(&group),
        1 => world.mute(&group),
        _ => group.iter().take(3).for_each(|id| world.pause(*id, CUT / 3)),
    }
    let end = world.now() + CUT;
    while world.now() < end {
        world.run_for(Duration::from_millis(100));
        look_up(world);
        match random.random_range(0..50) {
            0 => _ = world.join(),
            1 if world.live().len() > NODES_MIN => {
                if let Some(node) = world.some_node() {
                    world.crash(node);
                }
            }
            _ => {}
        }
    }
}

fn heal(world: &mut World, plain: bool, day: &mut Day) -> Result<(), Box<Broken>> {
    let seed = day.seed;
    match world.converge(CONVERGE_WITHIN) {
        Ok(time) => day.converged_in = time,
        Err(fault) => {
            let what = format!("not ideal {CONVERGE_WITHIN:?} after everything healed: {fault}");
            return Err(broken_world(seed, world, what));
        }
    }
    world.run_for(Duration::from_secs(11));
    world.forget();
    for _ in 0..LOOKUPS_AFTER {
        look_up(world);
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(11));
    let tally = world.tally();
    if tally.right != LOOKUPS_AFTER && !plain {
        let what = format!("after healing {} of {LOOKUPS_AFTER} lookups were right, {} lost", tally.right, tally.lost);
        return Err(broken_world(seed, world, what));
    }
    Ok(())
}

fn look_up(world: &mut World) {
    if let Some(asker) = world.some_member() {
        world.look_up_anything(asker);
    }
}

fn broken(seed: u64, error: &churn::Error) -> Box<Broken> {
    Box::new(Broken { seed, what: error.to_string(), wrong: Vec::new(), trace: Vec::new() })
}

fn broken_world(seed: u64, world: &World, what: impl Into<String>) -> Box<Broken> {
    let trace = world.trace().map(str::to_owned).collect();
    Box::new(Broken { seed, what: what.into(), wrong: world.tally().wrong_kept.clone(), trace })
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        for wrong in &self.wrong {
            writeln!(f, "  {wrong:?}")?;
        }
        write!(f, "replay: SIM_SEED={} cargo test -p ringway-sim --test sweep -- --nocapture", self.seed)
    }
}
