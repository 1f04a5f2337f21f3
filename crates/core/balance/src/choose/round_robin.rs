//! Core: everybody in turn, as often as their weight says, spread evenly.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): each has a clock that goes slower the more it weighs, and the one whose clock
//! is least far is next. As smooth as nginx's weighted round robin, which adds up all weights for each request; this is a
//! heap. The clocks start at different phases (multiples of the golden ratio), so that light ones do not come all at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::choose::Candidates;

/// How far the clock of an endpoint with an average share goes in one turn.
const STRIDE: f64 = (1_u64 << 24) as f64;
const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;

/// What an endpoint keeps: its share of the turns, and its clock.
pub trait Taker {
    fn share(&self) -> f64;
    fn turn(&mut self) -> &mut Option<u64>;
}

#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    turns: BinaryHeap<Reverse<(u64, u32)>>,
    /// The latest turn taken.
    now: u64,
    /// Room for those passed over.
    passed: Vec<Reverse<(u64, u32)>>,
}

impl RoundRobin {
    /// Others are candidates now, or have other shares. Clocks go on; who was away does not make up for it.
    pub fn rebuild<T: Taker>(&mut self, candidates: &Candidates, takers: &mut [T]) {
        let mut turns = std::mem::take(&mut self.turns).into_vec();
        turns.clear();
        for &index in candidates.indexes() {
            let taker = &mut takers[index as usize];
            let stride = stride(taker.share());
            let phase = (f64::from(index) * GOLDEN_RATIO).fract();
            let turn = taker.turn().get_or_insert(self.now + (stride as f64 * phase) as u64);
            // Nor does one whose share was small until now wait as if it still were.
            *turn = (*turn).clamp(self.now, self.now + stride);
            turns.push(Reverse((*turn, index)));
        }
        self.turns = BinaryHeap::from(turns);
    }

    pub fn choose<T: Taker>(&mut self, takers: &mut [T], is_avoided: impl Fn(&T) -> bool) -> Option<u32> {
        let chosen = loop {
            let Some(Reverse((turn, index))) = self.turns.pop() else { break None };
            if !is_avoided(&takers[index as usize]) {
                break Some((turn, index));
            }
            self.passed.push(Reverse((turn, index)));
        };
        self.turns.extend(self.passed.drain(..));
        let (turn, index) = chosen?;
        self.now = self.now.max(turn);
        let taker = &mut takers[index as usize];
        let next = turn + stride(taker.share());
        *taker.turn() = Some(next);
        self.turns.push(Reverse((next, index)));
        Some(index)
    }
}

fn stride(share: f64) -> u64 {
    (STRIDE / share.max(0.000_1)) as u64
}

#[cfg(test)]
mod tests;
