//! Core: the latency that a given share of requests stays below, kept in one number.
//!
//! Each sample above the estimate pushes it up a little, each one below pulls it down less, and the two are in balance exactly
//! at the quantile (Ma, Muthukrishnan and Sandler, "Frugal streaming for estimating quantiles", 2013; the steps are in the
//! logarithm, so that they fit microseconds and minutes). It follows what changes, needs no window, and, as only the side of a
//! sample counts, one that was broken off above the estimate counts as exactly as one that was measured to its end.

use std::time::Duration;

/// One sample moves the estimate by so much of it at most.
const STEP: f64 = 0.05;

#[derive(Clone, Debug)]
pub struct Quantile {
    /// 0.95: 95 of 100 are below.
    share: f64,
    /// The logarithm of seconds.
    estimate: Option<f64>,
    samples: u64,
}

impl Quantile {
    pub fn new(share: f64) -> Self {
        Self { share, estimate: None, samples: 0 }
    }

    pub fn note(&mut self, took: Duration) {
        let sample = took.as_secs_f64().max(1e-6).ln();
        self.samples += 1;
        let Some(estimate) = &mut self.estimate else {
            self.estimate = Some(sample);
            return;
        };
        // The first ones take it near at once.
        let step = STEP.max(1.0 / self.samples as f64);
        *estimate += if sample > *estimate { step * self.share } else { -step * (1.0 - self.share) };
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    pub fn estimate(&self) -> Option<Duration> {
        self.estimate.map(|log| Duration::from_secs_f64(log.exp()))
    }
}

#[cfg(test)]
mod tests;
