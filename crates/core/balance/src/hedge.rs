//! Core: a second attempt beside a slow first one; whichever answers first wins, the other is cancelled.
//!
//! Dean and Barroso, "The tail at scale", 2013: a hedge that waits for the 95th percentile adds at most five percent to the load
//! and takes most of the tail away. Waiting for a *running* percentile keeps that true when everything gets slower; a budget
//! keeps it true when it gets slower at once. Only for requests that may be made twice ([`crate::retry::is_idempotent`]).

use std::time::Duration;

use crate::endpoint::EndpointId;
use crate::quantile::Quantile;
use crate::retry;
use crate::retry_budget::{self, RetryBudget};

/// Fewer answers than this say nothing about the tail.
const SAMPLES_MIN: u64 = 100;

#[derive(Clone, Debug)]
pub struct Config {
    /// `None`: after as long as so many of 100 take (`percentile`).
    pub delay: Option<Duration>,
    pub percentile: u8,
    /// Sooner is never.
    pub delay_min: Duration,
    pub budget: retry_budget::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            delay: None,
            percentile: 95,
            delay_min: Duration::from_millis(1),
            budget: retry_budget::Config { share: 0.1, per_second_min: 0.5, window: Duration::from_secs(10) },
        }
    }
}

/// For one service. `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Hedge {
    config: Config,
    tail: Quantile,
    budget: RetryBudget,
}

impl Hedge {
    pub fn new(config: Config) -> Self {
        let tail = Quantile::new(f64::from(config.percentile.min(99)) / 100.0);
        Self { tail, budget: RetryBudget::new(config.budget.clone()), config }
    }

    /// A request is sent: how long to wait for its answer before a hedge. `None`: no hedge for this one.
    pub fn begin(&mut self, now: Duration, method: &str) -> Option<Duration> {
        self.budget.note_request(now);
        if !retry::is_idempotent(method) {
            return None;
        }
        let known = if self.tail.samples() >= SAMPLES_MIN { self.tail.estimate() } else { None };
        self.config.delay.or(known).map(|delay| delay.max(self.config.delay_min))
    }

    /// It has waited that long: whether it may be sent to another one as well. If so, that is paid for.
    pub fn may_hedge(&mut self, now: Duration) -> bool {
        self.budget.spend(now)
    }

    /// How long the first attempt took, or how long it had taken when it was cancelled for the second's sake. Hedges' own times
    /// are not noted: they would make the tail look shorter than it is.
    pub fn note_first(&mut self, took: Duration) {
        self.tail.note(took);
    }
}

/// Two attempts of one request, or only one.
#[derive(Clone, Copy, Debug)]
pub struct Race {
    running: [Option<EndpointId>; 2],
}

/// What becomes of a race after one attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// This is the answer; cancel the other attempt if there is one.
    Use { cancel: Option<EndpointId> },
    /// It failed, but the other one still runs: wait for that.
    Wait,
    /// It failed and was the last one.
    Failed,
}

impl Race {
    pub fn new(first: EndpointId) -> Self {
        Self { running: [Some(first), None] }
    }

    /// The second attempt is under way.
    pub fn hedge(&mut self, second: EndpointId) {
        self.running[1] = Some(second);
    }

    /// One attempt has ended. An answer that is a failure (5xx) does not win while the other one may still do better.
    pub fn ended(&mut self, id: EndpointId, is_good: bool) -> Finish {
        if let Some(place) = self.running.iter_mut().find(|place| **place == Some(id)) {
            *place = None;
        }
        let other = self.running.iter().flatten().next().copied();
        match other {
            _ if is_good => {
                self.running = [None, None];
                Finish::Use { cancel: other }
            }
            Some(_) => Finish::Wait,
            None => Finish::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
