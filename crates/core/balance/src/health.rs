//! Core: when to ask an endpoint whether it is well, and when to believe the answer.
//!
//! One answer proves little: so many good ones in a row make it healthy, so many bad ones unhealthy. The first answer decides at
//! once, for until then nothing is known. While the last answers contradict what is believed, it is asked more often (as
//! HAProxy's `fastinter`), so that the verdict comes soon without asking everybody all the time. Times are jittered: many nodes
//! that ask one endpoint must not come together.

use std::time::Duration;

use crate::draws::Draws;

/// How often to ask, and how many answers to believe.
#[derive(Clone, Debug)]
pub struct Config {
    pub interval: Duration,
    /// While its answers contradict what is believed of it.
    pub interval_in_doubt: Duration,
    /// An answer that takes longer is a bad one.
    pub timeout: Duration,
    /// So many good answers in a row make it healthy.
    pub up_after: u32,
    /// So many bad ones unhealthy.
    pub down_after: u32,
    /// So much earlier or later, 0 to 1.
    pub jitter: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            interval_in_doubt: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            up_after: 2,
            down_after: 3,
            jitter: 0.2,
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask it; say what came of it with this number.
    Probe {
        number: u64,
        deadline: Duration,
    },
    Up,
    /// After so many bad answers in a row.
    Down(u32),
}

/// The checks of one endpoint. `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Health {
    config: Config,
    /// `None`: nothing heard yet. Counts as healthy: who starts an endpoint waits until it listens.
    is_up: Option<bool>,
    /// Answers in a row that contradict it.
    contrary: u32,
    state: State,
    /// Of the latest probe.
    number: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { until: Duration },
    Asked { deadline: Duration },
}

impl Health {
    /// The first probe comes within one interval, at a random moment.
    pub fn new(config: Config, now: Duration, random: u64) -> Self {
        let until = now + config.interval.mul_f64(Draws::new(random).unit());
        Self { config, is_up: None, contrary: 0, state: State::Waiting { until }, number: 0 }
    }

    pub fn is_up(&self) -> bool {
        self.is_up.unwrap_or(true)
    }

    pub fn next_wake(&self) -> Duration {
        match self.state {
            State::Waiting { until } => until,
            State::Asked { deadline } => deadline,
        }
    }

    /// The time has come, perhaps.
    pub fn wake(&mut self, now: Duration, random: u64) -> Option<Output> {
        match self.state {
            State::Waiting { until } if now >= until => {
                self.number += 1;
                let deadline = now + self.config.timeout;
                self.state = State::Asked { deadline };
                Some(Output::Probe { number: self.number, deadline })
            }
            State::Asked { deadline } if now >= deadline => self.heard(now, self.number, false, random),
            _ => None,
        }
    }

    /// Probe `number` was answered. What comes after its deadline has been judged already.
    pub fn heard(&mut self, now: Duration, number: u64, is_good: bool, random: u64) -> Option<Output> {
        if !matches!(self.state, State::Asked { .. }) || number != self.number {
            return None;
        }
        let change = self.judge(is_good);
        let interval = if self.contrary > 0 { self.config.interval_in_doubt } else { self.config.interval };
        self.state = State::Waiting { until: now + Draws::new(random).jitter(interval, self.config.jitter) };
        change
    }

    fn judge(&mut self, is_good: bool) -> Option<Output> {
        if self.is_up == Some(is_good) {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let enough = if is_good { self.config.up_after } else { self.config.down_after };
        if self.is_up.is_some() && self.contrary < enough {
            return None;
        }
        let bad = std::mem::take(&mut self.contrary);
        self.is_up = Some(is_good);
        Some(if is_good { Output::Up } else { Output::Down(bad) })
    }
}

#[cfg(test)]
mod tests;
