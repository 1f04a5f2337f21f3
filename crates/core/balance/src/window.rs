//! Core: how many of the latest events failed, in a window that slides.
//!
//! A ring of slices. All windows of the same width turn at the same moments, so that one can be taken out of the sum of many
//! ([`Window::subtract`]). Adding and asking cost a few instructions; old slices go when time has passed.

use std::time::Duration;

const SLICES: usize = 10;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: u64,
    pub failed: u64,
}

impl Counts {
    /// 0 to 1; 0 of nothing.
    pub fn failed_share(self) -> f64 {
        if self.all == 0 { 0.0 } else { self.failed as f64 / self.all as f64 }
    }

    pub fn without(self, other: Self) -> Self {
        Self { all: self.all.saturating_sub(other.all), failed: self.failed.saturating_sub(other.failed) }
    }
}

/// `now` is the time since any fixed moment, the same for windows that are subtracted.
#[derive(Clone, Debug)]
pub struct Window {
    width: Duration,
    slices: [Counts; SLICES],
    sum: Counts,
    /// Slices since time began, and when the present one ends.
    turned: u64,
    ends_at: Duration,
}

impl Window {
    /// What happened longer ago than `span` is forgotten, to a tenth of it.
    pub fn new(span: Duration) -> Self {
        let width = (span / SLICES as u32).max(Duration::from_nanos(1));
        Self { width, slices: Default::default(), sum: Counts::default(), turned: 0, ends_at: width }
    }

    pub fn note(&mut self, now: Duration, has_failed: bool) {
        self.add(now, Counts { all: 1, failed: u64::from(has_failed) });
    }

    pub fn add(&mut self, now: Duration, counts: Counts) {
        self.turn(now);
        let slice = &mut self.slices[(self.turned % SLICES as u64) as usize];
        for to in [slice, &mut self.sum] {
            to.all += counts.all;
            to.failed += counts.failed;
        }
    }

    pub fn counts(&mut self, now: Duration) -> Counts {
        self.turn(now);
        self.sum
    }

    /// As if what `other` has counted had never been counted here.
    pub fn subtract(&mut self, now: Duration, other: &mut Self) {
        debug_assert_eq!(self.width, other.width, "only windows that turn together");
        self.turn(now);
        other.turn(now);
        for (slice, less) in self.slices.iter_mut().zip(&other.slices) {
            *slice = slice.without(*less);
        }
        self.sum = self.sum.without(other.sum);
    }

    pub fn clear(&mut self) {
        (self.slices, self.sum) = (Default::default(), Counts::default());
    }

    fn turn(&mut self, now: Duration) {
        // Nearly always: no division.
        if now < self.ends_at {
            return;
        }
        let turned = (now.as_nanos() / self.width.as_nanos()) as u64;
        let passed = (turned - self.turned).min(SLICES as u64);
        for slice in turned - passed + 1..=turned {
            let old = std::mem::take(&mut self.slices[(slice % SLICES as u64) as usize]);
            self.sum = self.sum.without(old);
        }
        self.turned = turned;
        self.ends_at = Duration::from_nanos_u128(self.width.as_nanos() * (u128::from(turned) + 1));
    }
}

#[cfg(test)]
mod tests;
