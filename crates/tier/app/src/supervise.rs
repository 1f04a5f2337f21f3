//! Core: the life of one instance of a service: started, checked, started again when it fails, ended when told.
//!
//! Like a night nurse: looks in often while the patient is new, rarely when all is well, and calls for help at the third bad
//! sign. Who exits is started again after a pause that doubles each time, and is short again after ten good seconds.

use std::time::{Duration, Instant};

const CHECK_WHILE_STARTING: Duration = Duration::from_millis(100);
const CHECK_WHILE_HEALTHY: Duration = Duration::from_secs(5);
/// Failed checks in a row until an instance that was healthy is started again.
const MISSES_MAX: u32 = 3;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Healthy for that long, the instance has earned a short pause again.
const PROVEN_AFTER: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until it must be healthy.
    pub start_timeout: Duration,
    /// Between SIGTERM and SIGKILL.
    pub stop_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Launched,
    LaunchFailed(String),
    CheckPassed,
    CheckFailed(String),
    /// A request could not be served: look at once.
    Suspect,
    Exited(String),
    Stop,
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Launch,
    Check,
    /// SIGTERM
    Terminate,
    /// SIGKILL
    Kill,
    /// It can be given requests from now on.
    Ready,
    /// The process is gone, and nothing more will happen.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pausing {
        until: Instant,
    },
    Launching {
        stop: bool,
    },
    Starting {
        since: Instant,
        check_at: Option<Instant>,
    },
    Healthy {
        since: Instant,
        check_at: Option<Instant>,
        misses: u32,
    },
    /// SIGTERM was sent; `kill_at` is empty after SIGKILL.
    Ending {
        kill_at: Option<Instant>,
        stop: bool,
    },
    Gone,
}

#[derive(Debug)]
pub struct Supervisor {
    limits: Limits,
    phase: Phase,
    /// In a row.
    failures: u32,
    restarts: u64,
    why: String,
}

impl Supervisor {
    /// It launches the instance at the first [`Input::Tick`].
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, phase: Phase::Pausing { until: now }, failures: 0, restarts: 0, why: String::new() }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// What last went wrong; empty if nothing has.
    pub fn why(&self) -> &str {
        &self.why
    }

    pub fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Launched => self.launched(now, out),
            Input::LaunchFailed(why) | Input::Exited(why) => self.exited(now, why, out),
            Input::CheckPassed => self.check_passed(now, out),
            Input::CheckFailed(why) => self.check_failed(now, why, out),
            Input::Suspect => self.suspect(now),
            Input::Stop => self.stop(now, out),
            Input::Tick => {}
        }
        self.act(now, out);
    }

    /// When [`Input::Tick`] will have something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        match self.phase {
            Phase::Pausing { until } => Some(until),
            Phase::Starting { since, check_at } => {
                let give_up = since + self.limits.start_timeout;
                Some(check_at.map_or(give_up, |check_at| check_at.min(give_up)))
            }
            Phase::Healthy { check_at, .. } => check_at,
            Phase::Ending { kill_at, .. } => kill_at,
            Phase::Launching { .. } | Phase::Gone => None,
        }
    }

    /// What the time has come for.
    fn act(&mut self, now: Instant, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Pausing { until } if *until <= now => {
                self.phase = Phase::Launching { stop: false };
                out.push(Output::Launch);
            }
            Phase::Starting { since, .. } if *since + self.limits.start_timeout <= now => {
                let within = self.limits.start_timeout;
                let why = std::mem::take(&mut self.why);
                self.why = format!("not healthy within {within:?}: {why}");
                self.end(now, false, out);
            }
            Phase::Starting { check_at, .. } | Phase::Healthy { check_at, .. }
                if check_at.is_some_and(|check_at| check_at <= now) =>
            {
                *check_at = None;
                out.push(Output::Check);
            }
            Phase::Ending { kill_at, .. } if kill_at.is_some_and(|kill_at| kill_at <= now) => {
                *kill_at = None;
                out.push(Output::Kill);
            }
            _ => {}
        }
    }

    fn launched(&mut self, now: Instant, out: &mut Vec<Output>) {
        if let Phase::Launching { stop } = self.phase {
            self.phase = Phase::Starting { since: now, check_at: Some(now) };
            if stop {
                self.end(now, true, out);
            }
        }
    }

    fn exited(&mut self, now: Instant, why: String, out: &mut Vec<Output>) {
        let stop = match self.phase {
            Phase::Ending { stop, .. } | Phase::Launching { stop } => stop,
            Phase::Gone => return,
            _ => false,
        };
        if stop {
            self.phase = Phase::Gone;
            out.push(Output::Gone);
            return;
        }
        if self.is_proven(now) {
            self.failures = 0;
        }
        // Why it was ended says more than that it has exited then.
        if !matches!(self.phase, Phase::Ending { .. }) {
            self.why = why;
        }
        self.failures += 1;
        self.restarts += 1;
        self.phase = Phase::Pausing { until: now + pause(self.failures) };
    }

    fn check_passed(&mut self, now: Instant, out: &mut Vec<Output>) {
        let check_at = Some(now + CHECK_WHILE_HEALTHY);
        match &mut self.phase {
            Phase::Starting { .. } => {
                self.phase = Phase::Healthy { since: now, check_at, misses: 0 };
                out.push(Output::Ready);
                if self.failures == 0 {
                    self.why.clear();
                }
            }
            Phase::Healthy { check_at: next, misses, .. } => (*next, *misses) = (check_at, 0),
            _ => {}
        }
        if self.is_proven(now) {
            self.failures = 0;
            self.why.clear();
        }
    }

    fn check_failed(&mut self, now: Instant, why: String, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Starting { check_at, .. } => {
                *check_at = Some(now + CHECK_WHILE_STARTING);
                self.why = why;
            }
            Phase::Healthy { misses, .. } if *misses + 1 >= MISSES_MAX => {
                self.why = format!("failed {MISSES_MAX} health checks: {why}");
                self.end(now, false, out);
            }
            Phase::Healthy { check_at, misses, .. } => {
                *misses += 1;
                *check_at = Some(now + CHECK_WHILE_HEALTHY);
                self.why = why;
            }
            _ => {}
        }
    }

    fn suspect(&mut self, now: Instant) {
        // None: it is being looked at just now.
        if let Phase::Healthy { check_at: Some(check_at), .. } = &mut self.phase {
            *check_at = now;
        }
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Pausing { .. } => {
                self.phase = Phase::Gone;
                out.push(Output::Gone);
            }
            Phase::Launching { stop } | Phase::Ending { stop, .. } => *stop = true,
            Phase::Starting { .. } | Phase::Healthy { .. } => self.end(now, true, out),
            Phase::Gone => {}
        }
    }

    fn end(&mut self, now: Instant, stop: bool, out: &mut Vec<Output>) {
        if self.is_proven(now) {
            self.failures = 0;
        }
        self.phase = Phase::Ending { kill_at: Some(now + self.limits.stop_timeout), stop };
        out.push(Output::Terminate);
    }

    fn is_proven(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Healthy { since, .. } if now.duration_since(since) >= PROVEN_AFTER)
    }
}

fn pause(failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE_MIN.saturating_mul(factor).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests;
