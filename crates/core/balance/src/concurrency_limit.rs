//! Core: how many requests a service may have at once, found out instead of configured.
//!
//! Little's law: a service that answers `x` requests a second in `s` seconds each has `x * s` in flight. More do not make it
//! faster, they queue, and the queue shows as latency. So latency is compared with what it is without a queue, the *base*, as
//! TCP Vegas does for a path (Brakmo and Peterson, 1995) and Netflix's concurrency-limits for services:
//!
//! `limit = limit * min(1, tolerance * base / latency) + sqrt(limit)`, a part of the way in each window
//!
//! A base that is only ever the least seen goes stale when the service gets slower for good, and the limit is strangled; one
//! that is a long average (Netflix's Gradient2) learns a lasting queue as normal, and the limit drifts up. So it is measured
//! again now and then as BBR does (Cardwell and others, 2016): for a moment only a third is let through, the queue drains, and
//! what is measured then is the base. Its cost is bounded: a percent or two of the throughput, and only while there is a queue.
//! Bases are means of windows, not single fastest requests: requests differ in work, and the fastest one says nothing.

use std::time::Duration;

/// In each window the limit goes this part of the way.
const SMOOTHING: f64 = 0.2;
/// The limit is not cut by more than this at once, however slow it got.
const GRADIENT_MIN: f64 = 0.5;
/// Up to so much above the base is noise, no queue.
const NOISE: f64 = 1.1;
/// So far below it the service has become another one, and the base is of the old one.
const FASTER: f64 = 0.7;
/// Without a sign of a queue it grows by so much in a window.
const GROWTH: f64 = 1.1;
/// After the service has said that it has too much.
const BACK_OFF: f64 = 0.9;
/// What is let through while the base is measured.
const PROBE_SHARE: f64 = 1.0 / 3.0;
/// So many windows in a row in which cutting did not help: perhaps the base is wrong.
const STRAINED_MAX: u32 = 3;
/// Measuring the base costs time in proportion to it; this bounds the part of the time it takes.
const REMEASURE_BASES: f64 = 100.0;

#[derive(Clone, Debug)]
pub struct Config {
    pub initial: u32,
    pub min: u32,
    pub max: u32,
    /// Latency may be so many times the base before the limit falls.
    pub tolerance: f64,
    /// What is measured together: at least so long and so many.
    pub window: Duration,
    pub samples_min: u32,
    /// A base that was not seen for so long is measured again.
    pub remeasure_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 4,
            max: 4_096,
            tolerance: 1.5,
            window: Duration::from_millis(100),
            samples_min: 10,
            remeasure_after: Duration::from_secs(10),
        }
    }
}

/// How a request ended, as far as the limit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Well,
    /// The service says, or shows by a timeout, that it has too much.
    Overloaded,
    /// Says nothing: cancelled, or failed at once.
    Otherwise,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    config: Config,
    limit: f64,
    /// In seconds; `None`: not measured yet.
    base: Option<f64>,
    /// When it was last seen or measured.
    base_at: Duration,
    /// When it was last measured on purpose.
    probed_at: Option<Duration>,
    window: Sum,
    strained: u32,
    /// The base is being measured.
    probe: Option<Probe>,
}

impl ConcurrencyLimit {
    pub fn new(config: Config) -> Self {
        Self {
            limit: f64::from(config.initial.clamp(config.min, config.max)),
            config,
            base: None,
            base_at: Duration::ZERO,
            probed_at: None,
            window: Sum::default(),
            strained: 0,
            probe: None,
        }
    }

    pub fn limit(&self) -> u32 {
        (self.limit as u32).max(1)
    }

    /// How long an answer takes without a queue.
    pub fn base(&self) -> Option<Duration> {
        self.base.map(Duration::from_secs_f64)
    }

    /// A request has ended, with so many in flight before it did.
    pub fn note(&mut self, now: Duration, took: Duration, in_flight: u32, served: Served) {
        if let Some(probe) = self.probe.take_if(|probe| now >= probe.until) {
            self.set(probe.limit);
        }
        let window = &mut self.window;
        window.in_flight_max = window.in_flight_max.max(in_flight);
        window.overloaded += u32::from(served == Served::Overloaded);
        // While the base is measured only what began meanwhile: it did so when the queue had drained.
        let counts = self.probe.is_none_or(|probe| now.saturating_sub(took) >= probe.from);
        if served == Served::Well && counts {
            window.seconds += took.as_secs_f64();
            window.count += 1;
        }
        let is_full = self.window.count >= self.config.samples_min || self.window.is_overloaded();
        if is_full && now.saturating_sub(self.window.from) >= self.config.window {
            let window = std::mem::replace(&mut self.window, Sum { from: now, ..Sum::default() });
            self.close(now, window);
        }
    }

    fn close(&mut self, now: Duration, window: Sum) {
        if window.is_overloaded() {
            let limit = self.probe.take().map_or(self.limit, |probe| probe.limit);
            self.set(limit * BACK_OFF);
        }
        if window.count < self.config.samples_min {
            return;
        }
        let mean = (window.seconds / f64::from(window.count)).max(1e-6);
        if let Some(probe) = self.probe.take() {
            self.set_base(now, mean);
            self.set(probe.limit);
            return;
        }
        // Much faster, or the first one: it may have been measured with a queue, as nothing was known then.
        let is_another = self.base.is_none_or(|base| mean < base * FASTER);
        let base = self.learn(now, mean);
        if !window.is_overloaded() {
            self.adapt(window.in_flight_max, base, mean);
        }
        if self.is_base_doubtful(now, base, is_another) {
            self.probed_at = Some(now);
            self.probe = Some(Probe { limit: self.limit, from: now, until: now + self.every(base) / 5 });
            self.limit = (self.limit * PROBE_SHARE).max(1.0);
        }
    }

    /// A lower latency is a better base; what is near it confirms it.
    fn learn(&mut self, now: Duration, mean: f64) -> f64 {
        match self.base {
            Some(base) if mean < base => self.set_base(now, base + (mean - base) * SMOOTHING),
            Some(base) if mean > base * NOISE => {}
            Some(base) => self.set_base(now, base),
            None => self.set_base(now, mean),
        }
        self.base.unwrap_or(mean)
    }

    fn adapt(&mut self, in_flight_max: u32, base: f64, mean: f64) {
        let gradient = (self.config.tolerance * base / mean).clamp(GRADIENT_MIN, 1.0);
        self.strained = if gradient <= GRADIENT_MIN { self.strained + 1 } else { 0 };
        // What is not used says nothing about what would be if it were.
        if f64::from(in_flight_max) < self.limit / 2.0 {
            return;
        }
        let next = self.limit * gradient + self.limit.sqrt();
        let next = self.limit + (next - self.limit) * SMOOTHING;
        let has_no_queue = mean <= base * NOISE && f64::from(in_flight_max) >= self.limit * 0.9;
        self.set(if has_no_queue { next.max(self.limit * GROWTH) } else { next });
    }

    fn is_base_doubtful(&self, now: Duration, base: f64, is_another: bool) -> bool {
        let every = self.every(base);
        // A sign that it is wrong: sooner, but not all the time.
        let has_sign = is_another || self.strained >= STRAINED_MAX;
        let may_again = self.probed_at.is_none_or(|at| now.saturating_sub(at) >= every / 10);
        now.saturating_sub(self.base_at) >= every || has_sign && may_again
    }

    /// How often the base is measured if nothing says that it is wrong.
    fn every(&self, base: f64) -> Duration {
        self.config.remeasure_after.max(Duration::from_secs_f64(base * REMEASURE_BASES))
    }

    fn set_base(&mut self, now: Duration, base: f64) {
        (self.base, self.base_at) = (Some(base), now);
        self.strained = 0;
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(f64::from(self.config.min), f64::from(self.config.max));
    }
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    /// Goes back to this.
    limit: f64,
    from: Duration,
    /// Is given up then: too little was answered to measure anything.
    until: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    from: Duration,
    seconds: f64,
    count: u32,
    in_flight_max: u32,
    overloaded: u32,
}

impl Sum {
    /// One in ten says so: a single timeout among many is none of our doing.
    fn is_overloaded(&self) -> bool {
        self.overloaded > 0 && self.overloaded * 10 >= self.count
    }
}

#[cfg(test)]
mod tests;
