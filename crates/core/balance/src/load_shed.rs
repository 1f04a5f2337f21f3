//! Core: whether this node still keeps up, and which share of requests it had better refuse.
//!
//! What counts is how long work waits before it is begun. A burst makes some wait, a node that cannot keep up makes *all* wait:
//! so the least delay in an interval is looked at, as CoDel does for packets (Nichols and Jacobson, "Controlling queue delay",
//! 2012). Above the target, and with the processor busy (else it is somebody else who is slow, and refusing would not help), the
//! admitted share is cut by a tenth, else it grows again a little, as in WeChat's overload control (Zhou and others, 2018). While
//! the delay is falling already nothing is cut: it takes its time until a queue is through.

use std::time::Duration;

use crate::draws::Draws;

const CUT: f64 = 0.9;
const GROWTH: f64 = 0.02;
/// Never less than one in a hundred: somebody must find out whether it is better.
const ADMITTED_MIN: f64 = 0.01;
/// A delay this many times the target is too long whatever the processor does.
const HOPELESS: u32 = 20;
const RETRY_AFTER_MAX: f64 = 30.0;

#[derive(Clone, Debug)]
pub struct Config {
    /// So long work may wait for a processor.
    pub target: Duration,
    pub interval: Duration,
    /// Share of the processors' time, 0 to 1.
    pub busy_min: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { target: Duration::from_millis(10), interval: Duration::from_millis(100), busy_min: 0.85 }
    }
}

/// In which order requests are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Health checks, the admin API: never.
    Vital,
    Normal,
    /// First: half of the requests of others are served as long as any of these are.
    Background,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct LoadShed {
    config: Config,
    admitted: f64,
    busy: Option<f64>,
    from: Duration,
    /// The least of this interval, and of the one before.
    delay_min: Option<Duration>,
    delay_before: Duration,
}

impl LoadShed {
    pub fn new(config: Config) -> Self {
        let delay_before = Duration::ZERO;
        Self { config, admitted: 1.0, busy: None, from: Duration::ZERO, delay_min: None, delay_before }
    }

    /// The share of normal requests that is served.
    pub fn admitted(&self) -> f64 {
        self.admitted
    }

    /// A piece of work has waited so long until it was begun.
    pub fn note_delay(&mut self, now: Duration, delay: Duration) {
        self.turn(now);
        self.delay_min = Some(self.delay_min.map_or(delay, |least| least.min(delay)));
    }

    /// How busy the processors are, 0 to 1. Never told: busy.
    pub fn note_busy(&mut self, busy: f64) {
        self.busy = Some(busy);
    }

    /// May a request be served? If not, when to come back, in whole seconds. `random`: a fresh number.
    pub fn ask(&mut self, now: Duration, priority: Priority, random: u64) -> Result<(), Duration> {
        self.turn(now);
        let share = match priority {
            Priority::Vital => 1.0,
            Priority::Normal => self.admitted,
            Priority::Background => self.admitted * 2.0 - 1.0,
        };
        let mut draws = Draws::new(random);
        if draws.unit() < share {
            return Ok(());
        }
        // The less is served the longer; and not all at the same moment.
        let seconds = ((1.0 + draws.unit()) / self.admitted).min(RETRY_AFTER_MAX);
        Err(Duration::from_secs(seconds.ceil() as u64))
    }

    fn turn(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.from);
        if passed < self.config.interval {
            return;
        }
        // What was measured before a pause says nothing about now.
        let delay = self.delay_min.take().filter(|_| passed < self.config.interval * 2).unwrap_or_default();
        let is_busy =
            self.busy.is_none_or(|busy| busy >= self.config.busy_min) || delay > self.config.target * HOPELESS;
        if delay <= self.config.target || !is_busy {
            // An idle time counts as all the intervals it spans.
            let intervals = passed.as_secs_f64() / self.config.interval.as_secs_f64().max(0.001);
            self.admitted = (self.admitted + GROWTH * intervals.floor()).min(1.0);
        } else if delay >= self.delay_before {
            self.admitted = (self.admitted * CUT).max(ADMITTED_MIN);
        }
        self.delay_before = delay;
        self.from = now;
    }
}

#[cfg(test)]
mod tests;
