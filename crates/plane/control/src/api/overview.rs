//! Core: everything the console shows, in one answer.

use serde::{Deserialize, Serialize};

use super::apps::AppView;
use super::instances::InstanceEntry;
use super::ring::{RingView, TransferView};
use super::status::Status;

/// How many seconds of [`RequestRates`] there are at most.
pub const RATES_LEN_MAX: usize = 120;

/// `GET /v1/overview?ring=VERSION`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overview {
    pub status: Status,
    /// None if `ring` is the version of now: the arcs are as they were.
    pub ring: Option<RingView>,
    #[serde(default)]
    pub transfers: Vec<TransferView>,
    pub apps: Vec<AppView>,
    pub instances: Vec<InstanceEntry>,
    /// Nodes whose instances and rates are missing.
    pub unreachable: Vec<String>,
    pub rate_here: RequestRates,
    pub rate_all: RequestRates,
}

/// Requests in each of the last seconds, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRates {
    /// The second (since 1970) of the last count.
    pub until_s: u64,
    pub counts: Vec<u64>,
}

impl RequestRates {
    /// Adds another node's counts, each to its own second. What is longer ago than [`RATES_LEN_MAX`] or, by the other's clock, yet
    /// to come is left out.
    pub fn add(&mut self, other: &RequestRates) {
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        let first = other.until_s.saturating_sub(other.counts.len() as u64);
        let len = (self.until_s.saturating_sub(first) as usize).min(RATES_LEN_MAX);
        let missing = len.saturating_sub(self.counts.len());
        self.counts.splice(0..0, std::iter::repeat_n(0, missing));
        for (age, count) in other.counts.iter().rev().enumerate() {
            let Some(second) = other.until_s.checked_sub(age as u64).filter(|second| *second <= self.until_s) else {
                continue;
            };
            let back = (self.until_s - second) as usize;
            if let Some(at) = self.counts.len().checked_sub(back + 1) {
                self.counts[at] += count;
            }
        }
    }

    /// Leaves out what is after that second.
    pub fn cut(&mut self, until_s: u64) {
        let after = self.until_s.saturating_sub(until_s);
        self.counts.truncate(self.counts.len().saturating_sub(after as usize));
        self.until_s -= after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(until_s: u64, counts: &[u64]) -> RequestRates {
        RequestRates { until_s, counts: counts.to_vec() }
    }

    #[test]
    fn counts_of_two_nodes_meet_in_the_same_second() {
        let mut sum = rates(100, &[1, 1, 1, 1]);
        sum.add(&rates(98, &[5, 6, 7]));
        assert_eq!(sum, rates(100, &[5, 7, 8, 1, 1]));
        sum.add(&rates(101, &[10, 20]));
        assert_eq!(sum, rates(100, &[5, 7, 8, 1, 11]));
    }

    #[test]
    fn a_node_without_a_past_takes_over_the_others() {
        let mut sum = RequestRates::default();
        sum.add(&rates(9, &[3]));
        assert_eq!(sum, rates(9, &[3]));
    }

    #[test]
    fn a_series_is_cut_at_a_second() {
        let mut cut = rates(100, &[1, 2, 3]);
        cut.cut(101);
        assert_eq!(cut, rates(100, &[1, 2, 3]));
        cut.cut(99);
        assert_eq!(cut, rates(99, &[1, 2]));
        cut.cut(9);
        assert_eq!(cut, rates(9, &[]));
    }
}
