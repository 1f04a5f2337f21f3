//! Core: how one of several endpoints is chosen, a file for each way.
//!
//! They see endpoints as numbers with a weight, and what is asked of them is O(1) or O(log n) and allocates nothing. Who is a
//! candidate at all is decided elsewhere ([`crate::Endpoints`]).

pub mod least_loaded;
pub mod least_requests;
pub mod round_robin;

use crate::draws::Draws;

/// Weights are counted in thousandths.
const SCALE: f64 = 1_000.0;

/// Those who may be chosen now, and how likely each is.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    indexes: Vec<u32>,
    /// Where each one's part of the line ends; its own is as long as its weight.
    ends: Vec<u64>,
}

impl Candidates {
    pub fn clear(&mut self) {
        self.indexes.clear();
        self.ends.clear();
    }

    pub fn push(&mut self, index: u32, weight: f64) {
        self.indexes.push(index);
        self.ends.push(self.total() + ((weight * SCALE) as u64).max(1));
    }

    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    pub fn indexes(&self) -> &[u32] {
        &self.indexes
    }

    /// A place among the candidates, each as likely as its weight.
    fn draw(&self, draws: &mut Draws) -> usize {
        self.place_at(draws.below(self.total()))
    }

    /// As `draw`, among the others than `place`.
    fn draw_other(&self, draws: &mut Draws, place: usize) -> usize {
        let (start, end) = (if place == 0 { 0 } else { self.ends[place - 1] }, self.ends[place]);
        let at = draws.below(self.total() - (end - start));
        self.place_at(if at < start { at } else { at + (end - start) })
    }

    fn place_at(&self, at: u64) -> usize {
        self.ends.partition_point(|end| *end <= at)
    }

    fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
