//! Core: how fast a node may fetch what the ring has given it, so that those who use the cluster do not notice.
//!
//! A token bucket in bytes: a chunk may be fetched when the one before it has been paid for. And politeness, as TCP is polite
//! (additive increase, multiplicative decrease; Chiu and Jain, 1989): when a source says that its clients wait longer than they
//! use to ([`crate::Strain`]), the rate is halved; while nobody complains it grows again. It never falls below a floor, so that
//! every move ends.

use std::time::Duration;

/// However much clients suffer, this much goes on: bytes a second.
const FLOOR: u64 = 1 << 20;
/// How often one complaint may halve the rate: what was asked for before is still on its way.
const HALVE_EVERY: Duration = Duration::from_millis(500);
/// From half the rate back to all of it.
const RECOVERY: Duration = Duration::from_secs(8);
/// What may be fetched at once after a pause.
const BURST: Duration = Duration::from_millis(10);

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: u64,
    rate: u64,
    /// When everything fetched so far is paid for.
    paid_at: Duration,
    halved_at: Option<Duration>,
    grown_at: Duration,
}

impl Pace {
    /// `limit`: bytes a second at most.
    pub fn new(limit: u64) -> Self {
        let (paid_at, grown_at) = (Duration::ZERO, Duration::ZERO);
        Self { limit, rate: limit, paid_at, halved_at: None, grown_at }
    }

    /// Bytes a second, now.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    pub fn set_limit(&mut self, limit: u64) {
        if limit != self.limit {
            (self.limit, self.rate) = (limit, limit);
        }
    }

    /// `bytes` have been fetched; `is_strained`: the source says that its clients wait. How long to wait before the next chunk.
    pub fn note(&mut self, now: Duration, bytes: u64, is_strained: bool) -> Duration {
        self.adapt(now, is_strained);
        let cost = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.rate.max(1));
        self.paid_at = self.paid_at.max(now.saturating_sub(BURST)) + cost;
        self.paid_at.saturating_sub(now)
    }

    fn adapt(&mut self, now: Duration, is_strained: bool) {
        if is_strained {
            if self.halved_at.is_none_or(|at| now.saturating_sub(at) >= HALVE_EVERY) {
                self.rate = (self.rate / 2).max(FLOOR.min(self.limit));
                self.halved_at = Some(now);
            }
            self.grown_at = now;
            return;
        }
        let since = now.saturating_sub(self.grown_at).min(RECOVERY);
        let more = (u128::from(self.limit / 2) * since.as_millis() / RECOVERY.as_millis()) as u64;
        if more > 0 {
            self.rate = (self.rate + more).min(self.limit);
            self.grown_at = now;
        }
    }
}

#[cfg(test)]
mod tests;
