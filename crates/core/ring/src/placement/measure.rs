//! Core: what a placement costs: copies that change hands against the ideal K/N, and the most loaded node against the mean.

use std::collections::HashMap;

use crate::{Member, NodeId, Placement, Point};

/// Copies that went to a node that did not hold them, and how many would have been enough.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Moves {
    pub copies: u64,
    pub ideal: f64,
}

/// Load of the most loaded node over the mean of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub replicas: f64,
    pub primaries: f64,
}

impl Moves {
    pub fn over_ideal(self) -> f64 {
        if self.ideal == 0.0 { 0.0 } else { self.copies as f64 / self.ideal }
    }

    pub fn add(&mut self, other: Moves) {
        self.copies += other.copies;
        self.ideal += other.ideal;
    }
}

/// `count` keys, one in each of `count` equal arcs, at a place in it that `random` says (any 64 bits): as even as keys can be, so
/// that what is measured is the placement and not the draw.
pub fn spread_points(count: u64, mut random: impl FnMut() -> u64) -> Vec<Point> {
    let arc = u64::MAX / count.max(1);
    (0..count).map(|number| Point(number * arc + random() % arc.max(1))).collect()
}

/// Takes one node in or out and counts what moves. The ideal is what the node that comes should get, or the one that goes should
/// have had.
pub fn cost_of_change(placement: &mut dyn Placement, change: Change, keys: &[Point]) -> Moves {
    let mut held: Vec<NodeId> = Vec::new();
    let mut starts: Vec<usize> = Vec::with_capacity(keys.len() + 1);
    let mut owners = Vec::new();
    let mut nodes = placement.members().len();
    for key in keys {
        placement.owners(*key, &mut owners);
        starts.push(held.len());
        held.extend(&owners);
    }
    starts.push(held.len());
    match change {
        Change::Join(member) => placement.join(member),
        Change::Leave(node) => placement.leave(node),
    }
    nodes = nodes.max(placement.members().len());
    let mut copies = 0;
    let mut kept = 0;
    for (key, range) in keys.iter().zip(starts.windows(2)) {
        placement.owners(*key, &mut owners);
        let before = &held[range[0]..range[1]];
        copies += owners.iter().filter(|owner| !before.contains(owner)).count() as u64;
        kept += owners.len();
    }
    Moves { copies, ideal: kept as f64 / nodes as f64 }
}

/// One node more or less.
#[derive(Clone, Debug)]
pub enum Change {
    Join(Member),
    Leave(NodeId),
}

/// The most loaded node over the mean.
pub fn peak_over_mean(placement: &dyn Placement, keys: &[Point]) -> Cost {
    let mut load: HashMap<NodeId, (u64, u64)> = placement.members().into_iter().map(|node| (node, (0, 0))).collect();
    let mut owners = Vec::new();
    for key in keys {
        placement.owners(*key, &mut owners);
        for (place, owner) in owners.iter().enumerate() {
            let (replicas, primaries) = load.entry(*owner).or_default();
            *replicas += 1;
            *primaries += u64::from(place == 0);
        }
    }
    let over_mean = |loads: Vec<u64>| {
        let (max, sum) = (loads.iter().max().copied().unwrap_or(0), loads.iter().sum::<u64>());
        if sum == 0 { 0.0 } else { max as f64 * loads.len() as f64 / sum as f64 }
    };
    Cost {
        replicas: over_mean(load.values().map(|load| load.0).collect()),
        primaries: over_mean(load.values().map(|load| load.1).collect()),
    }
}
