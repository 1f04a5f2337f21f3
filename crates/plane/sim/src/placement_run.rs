//! Core: what joins and leaves cost under a placement: the data that moves, and how even the load is afterwards.

use rand::RngExt;
use rand::seq::SliceRandom;
use ringway_ring::placement::{Balanced, Change, Moves, cost_of_change, peak_over_mean, spread_points};
use ringway_ring::{Layout, Member, NodeId, PARTITION_COUNT, Placement, PlacementKind, Point};
use serde::{Serialize, Serializer};

use crate::random::{Generator, generator, node_id};

/// The most nodes: the layout has 4096 partitions, of which each node is to have some.
pub const PLACED_NODES_MAX: usize = 1024;
pub const KEYS_MAX: u64 = 10_000_000;
pub const CHANGES_MAX: u32 = 10_000;
pub const COPIES_MAX: usize = 16;

/// Nodes under a rule, and how many of them come and go.
#[derive(Clone, Debug)]
pub struct PlacementRun {
    pub kind: PlacementKind,
    pub members: Vec<Member>,
    /// Where things are to begin with, if the rule is the layout's; else it is dealt anew.
    pub layout: Option<Layout>,
    /// Each key on so many nodes.
    pub copies: usize,
    pub keys: u64,
    /// So many joins and as many leaves, in random order, of random nodes.
    pub changes: u32,
    pub seed: u64,
}

/// What it cost. Serialised for programs, in these words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlacementFigures {
    #[serde(serialize_with = "as_text")]
    pub placement: PlacementKind,
    pub nodes: usize,
    pub copies: usize,
    pub keys: u64,
    pub joins: u32,
    pub leaves: u32,
    /// Copies that went to a node that did not hold them, over the least possible, K/N for each change.
    pub moved_over_ideal: f64,
    /// Of all joins.
    pub join_over_ideal: f64,
    pub leave_over_ideal: f64,
    /// After all changes: copies on the most loaded node over the mean.
    pub load_max_over_mean: f64,
    pub primary_max_over_mean: f64,
    /// Copies of each node over the mean, the most loaded first: for plots.
    #[serde(skip)]
    pub loads: Vec<f64>,
}

/// Why a run is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0} nodes cannot share keys out: take 2 to {PLACED_NODES_MAX}")]
    Nodes(usize),
    #[error("{0} keys: take {PARTITION_COUNT} to {KEYS_MAX}")]
    Keys(u64),
    #[error("{0} copies: take 1 to {COPIES_MAX}")]
    Copies(usize),
    #[error("{0} joins and leaves: take 1 to {CHANGES_MAX}")]
    Changes(u32),
}

/// That many equal nodes, by lot.
pub fn members(nodes: usize, seed: u64) -> Vec<Member> {
    let mut random = generator(seed, Purpose::Members as u64);
    (0..nodes).map(|_| newcomer(&mut random)).collect()
}

enum Purpose {
    Members = 11,
    Keys = 12,
    Changes = 13,
}

impl PlacementRun {
    /// Refuses what cannot be run, before anything is placed.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self { members, .. } if !(2..=PLACED_NODES_MAX).contains(&members.len()) => {
                Err(Error::Nodes(members.len()))
            }
            Self { keys, .. } if !(PARTITION_COUNT as u64..=KEYS_MAX).contains(keys) => Err(Error::Keys(*keys)),
            Self { copies, .. } if !(1..=COPIES_MAX).contains(copies) => Err(Error::Copies(*copies)),
            Self { changes, .. } if !(1..=CHANGES_MAX).contains(changes) => Err(Error::Changes(*changes)),
            _ => Ok(()),
        }
    }

    /// `progress` hears how many of the joins and leaves are done.
    pub fn run(&self, progress: &mut dyn FnMut(u64)) -> Result<PlacementFigures, Error> {
        self.check()?;
        let mut random = generator(self.seed, Purpose::Keys as u64);
        let keys = spread_points(self.keys, || random.random());
        let mut placement = self.place();
        let (mut joins, mut leaves) = (Moves::default(), Moves::default());
        let mut random = generator(self.seed, Purpose::Changes as u64);
        for (done, joining) in self.order(&mut random).into_iter().enumerate() {
            progress(done as u64);
            match joining {
                true => {
                    let change = Change::Join(newcomer(&mut random));
                    joins.add(cost_of_change(placement.as_mut(), change, &keys));
                }
                false => {
                    let nodes = placement.members();
                    let change = Change::Leave(nodes[random.random_range(0..nodes.len())]);
                    leaves.add(cost_of_change(placement.as_mut(), change, &keys));
                }
            }
        }
        progress(u64::from(self.changes) * 2);
        Ok(self.figures(placement.as_ref(), joins, leaves, &keys))
    }

    fn place(&self) -> Box<dyn Placement> {
        match &self.layout {
            Some(layout) if self.kind == PlacementKind::Layout => {
                Box::new(Balanced::from_layout(self.members.clone(), layout.clone(), self.copies))
            }
            _ => self.kind.place(self.members.clone(), self.copies),
        }
    }

    /// Joins (true) and leaves, never more leaves than joins before them and one: so the ring keeps about its size.
    fn order(&self, random: &mut Generator) -> Vec<bool> {
        let pairs = (0..self.changes).map(|_| {
            let mut pair = [true, false];
            pair.shuffle(random);
            pair
        });
        pairs.flatten().collect()
    }

    fn figures(&self, placement: &dyn Placement, joins: Moves, leaves: Moves, keys: &[Point]) -> PlacementFigures {
        let peak = peak_over_mean(placement, keys);
        let mut all = joins;
        all.add(leaves);
        PlacementFigures {
            placement: self.kind,
            nodes: placement.members().len(),
            copies: self.copies,
            keys: self.keys,
            joins: self.changes,
            leaves: self.changes,
            moved_over_ideal: all.over_ideal(),
            join_over_ideal: joins.over_ideal(),
            leave_over_ideal: leaves.over_ideal(),
            load_max_over_mean: peak.replicas,
            primary_max_over_mean: peak.primaries,
            loads: loads(placement, keys),
        }
    }
}

fn newcomer(random: &mut Generator) -> Member {
    Member { id: node_id(random), zone: String::new(), capacity: 1 }
}

fn loads(placement: &dyn Placement, keys: &[Point]) -> Vec<f64> {
    let mut counts: std::collections::BTreeMap<NodeId, u64> =
        placement.members().into_iter().map(|node| (node, 0)).collect();
    let mut owners = Vec::new();
    for key in keys {
        placement.owners(*key, &mut owners);
        owners.iter().for_each(|owner| *counts.entry(*owner).or_default() += 1);
    }
    let mean = counts.values().sum::<u64>() as f64 / counts.len().max(1) as f64;
    let mut loads: Vec<f64> = counts.values().map(|count| *count as f64 / mean.max(1.0)).collect();
    loads.sort_by(|a, b| b.total_cmp(a));
    loads
}

fn as_text<S: Serializer>(kind: &PlacementKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kind)
}

#[cfg(test)]
mod tests;
