//! Core: whether those who use a node wait longer than they use to.
//!
//! Two histograms of how long commands take: of the last seconds, and of calm times, when this node gave nothing away. If 99 of
//! 100 took less than T in calm times and do not take less than twice T now, clients suffer. Powers of the square root of two are
//! exact enough for that, and a clock that jumps does no harm: only durations are handed in.

use std::time::Duration;

/// Faster than this nobody suffers, however calm it was before.
const FLOOR: Duration = Duration::from_millis(1);
/// Fewer commands than this say nothing.
const COUNT_MIN: u64 = 50;
const WINDOW: Duration = Duration::from_secs(1);
/// Calm times are remembered so long: older ones fade to half.
const CALM_COUNT_MAX: u64 = 100_000;
const BUCKETS: usize = 64;

#[derive(Clone, Debug)]
struct Histogram {
    counts: [u64; BUCKETS],
    total: u64,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Strain {
    calm: Histogram,
    recent: Histogram,
    before: Histogram,
    window_at: Duration,
}

impl Default for Strain {
    fn default() -> Self {
        let empty = Histogram { counts: [0; BUCKETS], total: 0 };
        Self { calm: empty.clone(), recent: empty.clone(), before: empty, window_at: Duration::ZERO }
    }
}

impl Strain {
    /// A batch of `count` commands took so long; `is_calm`: nothing is being given away.
    pub fn note(&mut self, now: Duration, took: Duration, count: u64, is_calm: bool) {
        self.turn(now);
        self.recent.add(took, count);
        if is_calm {
            self.calm.add(took, count);
            if self.calm.total > CALM_COUNT_MAX {
                self.calm.fade();
            }
        }
    }

    pub fn is_strained(&mut self, now: Duration) -> bool {
        self.turn(now);
        let Some(calm) = self.calm.p99() else { return false };
        let recent = if self.recent.total >= COUNT_MIN { self.recent.p99() } else { self.before.p99() };
        recent.is_some_and(|recent| recent > FLOOR && recent > calm.max(FLOOR / 2) * 2)
    }

    /// How long 99 of 100 commands took lately, at most; `None`: too few.
    pub fn recent_p99(&self) -> Option<Duration> {
        self.recent.p99().or_else(|| self.before.p99())
    }

    fn turn(&mut self, now: Duration) {
        let age = now.saturating_sub(self.window_at);
        if age < WINDOW {
            return;
        }
        self.before = std::mem::replace(&mut self.recent, Histogram { counts: [0; BUCKETS], total: 0 });
        if age >= WINDOW * 2 {
            self.before = self.recent.clone();
        }
        self.window_at = now;
    }
}

impl Histogram {
    fn add(&mut self, took: Duration, count: u64) {
        self.counts[bucket(took)] += count;
        self.total += count;
    }

    /// Upper bound; `None`: too few to say.
    fn p99(&self) -> Option<Duration> {
        if self.total < COUNT_MIN {
            return None;
        }
        let wanted = self.total - self.total / 100;
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        at.map(upper_bound)
    }

    fn fade(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
        self.total = self.counts.iter().sum();
    }
}

/// Two buckets for each doubling, from 1 µs on.
fn bucket(took: Duration) -> usize {
    let micros = (took.as_micros() as u64).max(1);
    let power = micros.ilog2() as usize;
    let is_upper = u128::from(micros) * u128::from(micros) >= 1_u128 << (2 * power + 1);
    (2 * power + usize::from(is_upper)).min(BUCKETS - 1)
}

fn upper_bound(bucket: usize) -> Duration {
    Duration::from_micros(2_f64.powf((bucket + 1) as f64 / 2.0).ceil() as u64)
}

#[cfg(test)]
mod tests;
