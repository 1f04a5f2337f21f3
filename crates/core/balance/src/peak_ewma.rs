//! Core: how long an endpoint takes, pessimistic at once and optimistic again by and by.
//!
//! An average in which the past fades with time, not with count, and which jumps to each peak: a slow answer is believed at
//! once, fast ones have to show it for a while. From Finagle's balancer of that name. What is not asked for a while fades towards
//! zero, so that an endpoint that was slow once is tried again.
//!
//! Unlike there one peak has a bound: where a few requests are a hundred times as much work as the others, everybody who has
//! just had one would be shunned and all run to who has been lucky.

use std::time::Duration;

/// What was measured so long ago counts a third.
const TAU: f64 = 10.0;
/// One measurement raises it to so many times what it was at most.
const PEAK_MAX: f64 = 5.0;

/// `now` is the time since any fixed moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakEwma {
    /// `None`: nothing measured yet.
    seconds: Option<f64>,
    at: Duration,
}

impl PeakEwma {
    pub fn note(&mut self, now: Duration, took: Duration) {
        let took = took.as_secs_f64();
        let value = match self.seconds {
            Some(value) if took < value => {
                let old = fade(now, self.at);
                value * old + took * (1.0 - old)
            }
            Some(value) => took.min(value * PEAK_MAX),
            None => took,
        };
        (self.seconds, self.at) = (Some(value), now);
    }

    /// In seconds, as it was when last measured.
    pub fn measured(&self) -> Option<f64> {
        self.seconds
    }

    /// In seconds; fades while nothing is measured.
    pub fn faded(&self, now: Duration) -> Option<f64> {
        self.seconds.map(|value| value * fade(now, self.at))
    }
}

/// How much of what was true then is still to be believed: 1 to 0.
pub(crate) fn fade(now: Duration, then: Duration) -> f64 {
    (-now.saturating_sub(then).as_secs_f64() / TAU).exp()
}

#[cfg(test)]
mod tests;
