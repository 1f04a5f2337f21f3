//! Core and a thin driver: requests per second over the last two minutes, for the console's line.
//!
//! The front end counts requests in one number that only grows; once a second the difference goes into a ring of 120 places.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringway_rt::Tasks;

/// How far back one can look.
pub const SECONDS_KEPT: usize = 120;

/// Cheap to clone; all clones are one history.
#[derive(Clone, Debug)]
pub struct RequestRate {
    total: Arc<AtomicU64>,
    history: Arc<Mutex<History>>,
}

impl RequestRate {
    /// `total`: how many requests there have been; only grows.
    pub fn new(total: Arc<AtomicU64>) -> Self {
        Self { total, history: Arc::default() }
    }

    /// The second (since 1970) of the last count, and the counts of the seconds up to it, oldest first, at most
    /// [`SECONDS_KEPT`].
    pub fn history(&self) -> (u64, Vec<u64>) {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        (history.last_second, history.counts.iter().copied().collect())
    }

    /// Samples every second until the group stops.
    pub fn run(&self, tasks: &Tasks) {
        let (rate, stopping) = (self.clone(), tasks.stopping());
        tasks.spawn("request rate", async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    biased;
                    () = &mut stopping => return,
                    _ = every.tick() => rate.sample(ringway_rt::clock::wall_ms() / 1000),
                }
            }
        });
    }

    fn sample(&self, second: u64) {
        let total = self.total.load(Ordering::Relaxed);
        self.history.lock().unwrap_or_else(PoisonError::into_inner).sample(second, total);
    }
}

/// The counts of the last seconds.
#[derive(Debug, Default)]
struct History {
    last_second: u64,
    last_total: u64,
    counts: VecDeque<u64>,
}

impl History {
    /// Takes the total as of `second`. Seconds nobody sampled (a busy or suspended machine) share what came in them; a clock that
    /// went back overwrites nothing.
    fn sample(&mut self, second: u64, total: u64) {
        let new = total.saturating_sub(self.last_total);
        let seconds = if self.last_second == 0 { 1 } else { second.saturating_sub(self.last_second) };
        if seconds == 0 {
            // Within the same second: its count grows at the next sample.
            return;
        }
        let kept = seconds.min(SECONDS_KEPT as u64);
        for nth in 0..kept {
            self.counts.push_back(new / seconds + u64::from(nth < new % seconds));
        }
        self.counts.drain(..self.counts.len().saturating_sub(SECONDS_KEPT));
        (self.last_second, self.last_total) = (second, total);
    }
}

#[cfg(test)]
mod tests;
