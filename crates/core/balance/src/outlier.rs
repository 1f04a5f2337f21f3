//! Core: which endpoint is to have a pause because it fails more than the others.
//!
//! Passive: real requests are the probes. Two rules. *In a row*: so many failures without one success between. *Share*: it fails
//! more often than the others together, by a gap that matters and that chance does not explain (one-sided test of two
//! proportions). Envoy compares with the mean minus 1.9 standard deviations over the hosts, which five hosts can hardly reach,
//! whatever one of them does; counting requests instead of hosts has no such floor. When all fail alike, nobody is an outlier,
//! not even for failures in a row: pauses that double through an outage would outlast it.
//!
//! A pause doubles each time, and an endpoint that behaves earns the doublings back. At most a share of all may be out at once,
//! never all: it may be the callers' network that is broken.

use std::fmt;
use std::time::Duration;

use crate::window::{Counts, Window};

/// Others that fail so large a share are no better: it is the service that is broken, or we are.
const FAILING_TOO: f64 = 0.5;

/// When to eject, and for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// So many failures in a row.
    pub in_row_max: u32,
    /// How far the share of failures looks back.
    pub window: Duration,
    /// Fewer requests than this in the window say nothing about a share.
    pub volume_min: u64,
    /// So much more of its requests must fail than of the others'.
    pub gap_min: f64,
    /// So many standard deviations from what chance would do. It is asked at each failure, so the bar is high.
    pub deviations_min: f64,
    pub pause: Duration,
    pub pause_max: Duration,
    /// 0 to 1.
    pub ejected_share_max: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_row_max: 5,
            window: Duration::from_secs(10),
            volume_min: 20,
            gap_min: 0.1,
            deviations_min: 4.0,
            pause: Duration::from_secs(10),
            pause_max: Duration::from_secs(300),
            ejected_share_max: 0.5,
        }
    }
}

/// What an endpoint was ejected for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    InRow(u32),
    /// In percent.
    Share {
        own: u8,
        others: u8,
    },
}

/// What is remembered of one endpoint.
#[derive(Clone, Debug)]
pub struct Record {
    in_row: u32,
    window: Window,
    /// How often the pause has been doubled.
    doublings: u32,
    back_at: Duration,
}

/// The rules, and what all endpoints together did.
#[derive(Clone, Debug)]
pub struct Outlier {
    config: Config,
    sum: Window,
}

impl Outlier {
    pub fn new(config: Config) -> Self {
        Self { sum: Window::new(config.window), config }
    }

    pub fn record(&self) -> Record {
        Record { in_row: 0, window: Window::new(self.config.window), doublings: 0, back_at: Duration::ZERO }
    }

    /// A request has ended. `Some`: this one is worse than the others.
    pub fn note(&mut self, now: Duration, record: &mut Record, has_failed: bool) -> Option<Why> {
        record.window.note(now, has_failed);
        self.sum.note(now, has_failed);
        if !has_failed {
            record.in_row = 0;
            return None;
        }
        record.in_row += 1;
        let own = record.window.counts(now);
        let others = self.sum.counts(now).without(own);
        if record.in_row >= self.config.in_row_max && others.failed_share() < FAILING_TOO {
            return Some(Why::InRow(record.in_row));
        }
        self.is_worse(own, others)
    }

    /// Whether one more of `all` may go, when `ejected` are out.
    pub fn may_eject(&self, ejected: usize, all: usize) -> bool {
        let most = (all as f64 * self.config.ejected_share_max) as usize;
        ejected < most.max(1).min(all.saturating_sub(1))
    }

    /// It is out; until when. What it did is forgotten, here and in what the others are compared with.
    pub fn eject(&mut self, now: Duration, record: &mut Record) -> Duration {
        let good_for = now.saturating_sub(record.back_at).as_secs_f64() / self.config.pause.as_secs_f64().max(0.001);
        record.doublings = record.doublings.saturating_sub(good_for as u32);
        let pause = self.config.pause.saturating_mul(1 << record.doublings.min(20)).min(self.config.pause_max);
        record.doublings += 1;
        record.back_at = now + pause;
        self.forget(now, record);
        record.back_at
    }

    /// As if it had never been asked; the length of its next pause is not forgotten.
    pub fn forget(&mut self, now: Duration, record: &mut Record) {
        self.sum.subtract(now, &mut record.window);
        record.window.clear();
        record.in_row = 0;
    }

    fn is_worse(&self, own: Counts, others: Counts) -> Option<Why> {
        if own.all < self.config.volume_min || others.all < self.config.volume_min {
            return None;
        }
        let gap = own.failed_share() - others.failed_share();
        let both = Counts { all: own.all + others.all, failed: own.failed + others.failed }.failed_share();
        let deviation = (both * (1.0 - both) * (1.0 / own.all as f64 + 1.0 / others.all as f64)).sqrt();
        let is_worse = gap >= self.config.gap_min && gap >= self.config.deviations_min * deviation;
        is_worse.then(|| Why::Share { own: percent(own), others: percent(others) })
    }
}

fn percent(counts: Counts) -> u8 {
    (counts.failed_share() * 100.0).round() as u8
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InRow(count) => write!(f, "{count} failures in a row"),
            Self::Share { own, others } => write!(f, "{own}% of its requests failed, {others}% of the others'"),
        }
    }
}

#[cfg(test)]
mod tests;
