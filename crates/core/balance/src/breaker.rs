//! Core: stops asking a service that fails anyway, and finds out when it is well again.
//!
//! Like a fuse: *closed*, all requests pass and are counted. Fails too large a share of enough of them, it *opens*: requests are
//! refused at once, clients need not wait for a timeout and the service can recover. After a while it is *half open*: a few
//! requests pass as probes; if all of them succeed it closes, if one fails it opens for twice as long (Nygard, "Release it!",
//! 2007; the window as in Hystrix and resilience4j).

use std::fmt;
use std::time::Duration;

use crate::window::Window;

#[derive(Clone, Debug)]
pub struct Config {
    pub window: Duration,
    /// Fewer requests in the window never open it.
    pub volume_min: u64,
    /// 0 to 1.
    pub failed_share_max: f64,
    pub open_for: Duration,
    pub open_for_max: Duration,
    /// So many successes close it again; so many are let through at a time.
    pub probes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            volume_min: 20,
            failed_share_max: 0.5,
            open_for: Duration::from_secs(1),
            open_for_max: Duration::from_secs(30),
            probes: 3,
        }
    }
}

/// Given back with how the request ended: what began in another state of the fuse says nothing about this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Closed,
    Open { until: Duration },
    HalfOpen,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: Config,
    window: Window,
    state: State,
    /// Grows with each change of state.
    epoch: u64,
    /// Of the half-open state: probes let through, and those that succeeded.
    sent: u32,
    succeeded: u32,
    /// When to believe that probes which did not come back never will.
    probes_until: Duration,
    /// How often it has opened without closing between.
    reopened: u32,
}

impl Breaker {
    pub fn new(config: Config) -> Self {
        Self {
            window: Window::new(config.window),
            config,
            state: State::Closed,
            epoch: 0,
            sent: 0,
            succeeded: 0,
            probes_until: Duration::ZERO,
            reopened: 0,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// May a request pass? If not, when to ask again.
    pub fn ask(&mut self, now: Duration) -> Result<Permit, Duration> {
        match self.state {
            State::Open { until } if now < until => return Err(until - now),
            State::Open { .. } => self.half_open(now),
            State::HalfOpen if now >= self.probes_until => self.half_open(now),
            State::HalfOpen | State::Closed => {}
        }
        if self.state == State::HalfOpen {
            if self.sent >= self.config.probes {
                return Err(self.probes_until.saturating_sub(now));
            }
            self.sent += 1;
        }
        Ok(Permit { epoch: self.epoch })
    }

    /// It ended. True: this has changed the state.
    pub fn note(&mut self, now: Duration, permit: Permit, has_failed: bool) -> bool {
        if permit.epoch != self.epoch {
            return false;
        }
        match (self.state, has_failed) {
            (State::Closed, _) => {
                self.window.note(now, has_failed);
                let counts = self.window.counts(now);
                let opens = has_failed
                    && counts.all >= self.config.volume_min
                    && counts.failed_share() >= self.config.failed_share_max;
                if opens {
                    self.open(now);
                }
                opens
            }
            (State::HalfOpen, true) => {
                self.open(now);
                true
            }
            (State::HalfOpen, false) => {
                self.succeeded += 1;
                let closes = self.succeeded >= self.config.probes;
                if closes {
                    self.close();
                }
                closes
            }
            (State::Open { .. }, _) => false,
        }
    }

    /// It was cancelled: nothing is known. A probe's place is free again.
    pub fn forget(&mut self, permit: Permit) {
        if permit.epoch == self.epoch && self.state == State::HalfOpen {
            self.sent = self.sent.saturating_sub(1);
        }
    }

    fn open(&mut self, now: Duration) {
        let open_for = self.config.open_for.saturating_mul(1 << self.reopened.min(20)).min(self.config.open_for_max);
        self.reopened += 1;
        self.epoch += 1;
        self.state = State::Open { until: now + open_for };
    }

    fn half_open(&mut self, now: Duration) {
        self.epoch += 1;
        (self.sent, self.succeeded) = (0, 0);
        self.probes_until = now + self.config.open_for_max;
        self.state = State::HalfOpen;
    }

    fn close(&mut self) {
        self.epoch += 1;
        self.reopened = 0;
        self.window.clear();
        self.state = State::Closed;
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed: requests pass",
            Self::Open { .. } => "open: the service fails, requests are refused at once",
            Self::HalfOpen => "half open: a few requests find out whether the service is well again",
        })
    }
}

#[cfg(test)]
mod tests;
