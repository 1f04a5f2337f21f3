//! Core: the one with the fewest requests in flight for its share; among equals the one that has waited longest.
//!
//! A tournament tree: each endpoint is a leaf, each inner place holds the better of the two below it, the root is the winner.
//! One change replays one path. Exact, unlike the least loaded of two, and blind to how long requests take: for requests that
//! are alike in cost, or long ones (WebSockets), where the number is the load.

/// Nobody: loses against all.
const ABSENT: (u64, u64) = (u64::MAX, u64::MAX);
/// Requests in flight for a share are counted in thousandths.
const SCALE: f64 = 1_000.0;

#[derive(Clone, Debug, Default)]
pub struct LeastRequests {
    leaves: usize,
    /// Leaf `i` is at `leaves + i`, the winner's at 1. Each holds the index of the winner below.
    tree: Vec<u32>,
    keys: Vec<(u64, u64)>,
    /// Grows with each change: who changed last comes last among equals.
    turn: u64,
}

impl LeastRequests {
    /// So many endpoints, none a candidate.
    pub fn reset(&mut self, count: usize) {
        self.leaves = count.next_power_of_two().max(2);
        self.keys.clear();
        self.keys.resize(self.leaves, ABSENT);
        self.tree.clear();
        self.tree.resize(self.leaves * 2, 0);
        (0..self.leaves).for_each(|leaf| self.tree[self.leaves + leaf] = leaf as u32);
        (1..self.leaves).rev().for_each(|place| self.tree[place] = self.better(place));
    }

    /// `share`: 0 is no candidate.
    pub fn set(&mut self, index: u32, in_flight: u32, share: f64) {
        self.turn += 1;
        let load = (f64::from(in_flight) * SCALE / share) as u64;
        self.set_key(index, if share > 0.0 { (load, self.turn) } else { ABSENT });
    }

    pub fn choose(&mut self, avoid: impl Iterator<Item = u32>) -> Option<u32> {
        let mut taken_out = [(0_u32, ABSENT); 4];
        let mut count = 0;
        // More than a request is tried on: bounded by the room for them.
        for index in avoid.take(taken_out.len()) {
            taken_out[count] = (index, self.keys[index as usize]);
            count += 1;
            self.set_key(index, ABSENT);
        }
        let winner = self.tree.get(1).copied().filter(|index| self.keys[*index as usize] != ABSENT);
        taken_out[..count].iter().rev().for_each(|(index, key)| self.set_key(*index, *key));
        winner
    }

    fn set_key(&mut self, index: u32, key: (u64, u64)) {
        self.keys[index as usize] = key;
        let mut place = (self.leaves + index as usize) / 2;
        while place > 0 {
            self.tree[place] = self.better(place);
            place /= 2;
        }
    }

    fn better(&self, place: usize) -> u32 {
        let (one, other) = (self.tree[place * 2], self.tree[place * 2 + 1]);
        if self.keys[other as usize] < self.keys[one as usize] { other } else { one }
    }
}

#[cfg(test)]
mod tests;
