//! Core: the same key to the same endpoint, as long as that one has room.
//!
//! Consistent hashing (Karger and others, 1997) with bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with
//! bounded loads", 2016): each endpoint has many points on a circle, a key belongs to the next point clockwise, and nobody
//! takes more than `bound` times its share of what is in flight: the key goes on to the next one with room. So a popular key
//! spreads over as few endpoints as it needs, and who comes or goes moves only its own part of the keys.
//!
//! Who is no candidate keeps its points and is passed over, so that a failing health check moves no key but its own.

use crate::endpoint::EndpointId;
use crate::siphash::Key;

/// Points of an endpoint for each unit of weight, and of all endpoints at most.
const POINTS: u64 = 64;
const POINTS_MAX: u64 = 16_384;

/// How much more than its share an endpoint may have in flight.
#[derive(Clone, Debug)]
pub struct Config {
    /// 1.25 is the paper's advice: a key moves on after a few tries at most, loads differ by a quarter.
    pub bound: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { bound: 1.25 }
    }
}

#[derive(Clone, Debug)]
pub struct HashRing {
    config: Config,
    key: Key,
    /// Sorted: where on the circle, and the endpoint's index.
    points: Vec<(u64, u32)>,
}

/// What the ring must know of an endpoint: 0 is no candidate.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub share: f64,
    pub in_flight: u32,
}

impl HashRing {
    /// Nodes with the same `key` agree on who is next to what.
    pub fn new(config: Config, key: Key) -> Self {
        Self { config, key, points: Vec::new() }
    }

    /// Indexes are places in `members`.
    pub fn rebuild(&mut self, members: impl ExactSizeIterator<Item = (EndpointId, u32)> + Clone) {
        self.points.clear();
        let wanted: u64 = members.clone().map(|(_, weight)| u64::from(weight) * POINTS).sum();
        for (index, (id, weight)) in members.enumerate() {
            let points = u64::from(weight) * POINTS;
            // Weights may be any numbers; only their proportions matter when there are many points.
            let points = if wanted > POINTS_MAX { (points * POINTS_MAX / wanted).max(1) } else { points };
            self.points.extend((0..points).map(|point| (self.key.hash_words(&[id.0, point]), index as u32)));
        }
        self.points.sort_unstable();
    }

    /// The index, and how many points were passed over. `total`: all that is in flight.
    pub fn choose(&self, hash: u64, total: u32, candidates: usize, room: impl Fn(u32) -> Room) -> Option<(u32, usize)> {
        let from = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at(from);
        let average = (f64::from(total) + 1.0) / candidates.max(1) as f64;
        // All round at most: by then everybody has been asked, and not all can have more than the average.
        let mut clockwise = after.iter().chain(before).map(|(_, index)| *index).enumerate();
        let fits = |index: u32| {
            let Room { share, in_flight } = room(index);
            f64::from(in_flight) < (self.config.bound.max(1.0) * average * share).ceil()
        };
        clockwise.find(|(_, index)| fits(*index)).map(|(passed, index)| (index, passed))
    }
}

#[cfg(test)]
mod tests;
