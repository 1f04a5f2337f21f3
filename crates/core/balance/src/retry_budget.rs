//! Core: how many retries a service can bear.
//!
//! "Three tries each" is harmless while one request in a hundred fails and triples the load when all do, just when the service
//! can bear it least. A budget bounds what retries add: a share of the requests of the last seconds, and a few a second so that
//! a quiet service may retry at all. From Finagle's `RetryBudget` and linkerd. Hedges spend from one as well.

use std::time::Duration;

use crate::window::{Counts, Window};

#[derive(Clone, Debug)]
pub struct Config {
    /// Retries by requests, 0 to 1.
    pub share: f64,
    /// Allowed beyond that.
    pub per_second_min: f64,
    /// How far it looks back: what was not used for so long is gone.
    pub window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { share: 0.2, per_second_min: 3.0, window: Duration::from_secs(10) }
    }
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    config: Config,
    /// All requests; those that "failed" are the retries spent.
    window: Window,
}

impl RetryBudget {
    pub fn new(config: Config) -> Self {
        Self { window: Window::new(config.window), config }
    }

    /// A first try is made.
    pub fn note_request(&mut self, now: Duration) {
        self.window.add(now, Counts { all: 1, failed: 0 });
    }

    /// Whether one may be made; if so, it is paid for.
    pub fn spend(&mut self, now: Duration) -> bool {
        let may = self.left(now) >= 1.0;
        if may {
            self.window.add(now, Counts { all: 0, failed: 1 });
        }
        may
    }

    pub fn left(&mut self, now: Duration) -> f64 {
        let Counts { all, failed } = self.window.counts(now);
        let floor = self.config.per_second_min * self.config.window.as_secs_f64();
        all as f64 * self.config.share + floor - failed as f64
    }
}

#[cfg(test)]
mod tests;
