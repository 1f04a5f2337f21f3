//! Core: what is known of one endpoint: a process, or a node, that answers requests.
//!
//! Its load is *how long a new request would take there*: the latency it shows, times the queue the request would join, divided
//! by the share of requests that succeed (if one of `n` fails, so many tries are needed for a good answer, and answers that fail
//! fast must not look attractive). Latencies are [`PeakEwma`]s. An endpoint that has stopped answering shows no latency at all:
//! while requests wait, the time since it last answered counts as its latency.
//!
//! *Slow start*: who joins or comes back has cold caches, and gets a small share that grows.

use std::fmt;
use std::time::Duration;

use crate::outlier;
use crate::peak_ewma::{PeakEwma, fade};

/// No latency is taken for shorter: the clock, and what was measured long ago, say no more.
const SECONDS_MIN: f64 = 10e-6;
/// Nothing has come back yet, and something is on its way: not more, please.
const SECONDS_UNKNOWN: f64 = 1.0;
/// How much one answer changes the share of failures, at least and at most, however long nothing has been heard.
const GAIN: (f64, f64) = (0.01, 0.1);
/// An endpoint that only fails looks so many times as slow as it is.
const SUCCESS_MIN: f64 = 0.02;

/// Who it is; the driver says what the number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub u64);

/// How those who are new get their share.
#[derive(Clone, Debug)]
pub struct SlowStart {
    /// So long until the whole share.
    pub span: Duration,
    /// The share to begin with, 0 to 1.
    pub from: f64,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self { span: Duration::from_secs(10), from: 0.1 }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// No answer, or one that says that the endpoint is to blame.
    Failed,
    /// The client went away, or another attempt was faster. Says nothing about the endpoint.
    Cancelled,
}

/// Whether it may be chosen, and why not, in words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    Ready,
    /// Has so many percent of its share.
    WarmingUp(u8),
    Ejected {
        left: Duration,
        why: outlier::Why,
    },
    /// Fails its active checks.
    Unhealthy,
    /// Is to be stopped: keeps what is bound to it, gets nothing new.
    Draining,
    /// The process or the node is gone.
    Lost,
}

/// The best rank that anybody has is chosen from: a bad endpoint is better than none, but one that is gone is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Ready,
    Ejected,
    Unhealthy,
    Draining,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Endpoint {
    id: EndpointId,
    weight: u32,
    in_flight: u32,
    /// Those of them whose answer has not begun.
    waiting: u32,
    latency: PeakEwma,
    failed_share: f64,
    answered_at: Duration,
    /// When it last answered, or began to have something to answer.
    progress_at: Duration,
    warm_since: Duration,
    pub(crate) is_draining: bool,
    pub(crate) is_lost: bool,
    is_unhealthy: bool,
    ejected: Option<(Duration, outlier::Why)>,
    pub(crate) record: outlier::Record,
    /// Its weight by that of the average candidate; 0: is none.
    pub(crate) share: f64,
    /// When its turn is, in round robin's time.
    pub(crate) turn: Option<u64>,
}

impl Endpoint {
    pub fn new(now: Duration, id: EndpointId, weight: u32, record: outlier::Record) -> Self {
        Self {
            id,
            weight: weight.max(1),
            in_flight: 0,
            waiting: 0,
            latency: PeakEwma::default(),
            failed_share: 0.0,
            answered_at: now,
            progress_at: now,
            warm_since: now,
            is_draining: false,
            is_lost: false,
            is_unhealthy: false,
            ejected: None,
            record,
            share: 0.0,
            turn: None,
        }
    }

    pub fn id(&self) -> EndpointId {
        self.id
    }

    pub fn weight(&self) -> u32 {
        self.weight
    }

    pub fn set_weight(&mut self, weight: u32) {
        self.weight = weight.max(1);
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// In seconds, as last measured.
    pub fn latency(&self) -> Option<f64> {
        self.latency.measured()
    }

    /// 0 to 1, of its latest answers.
    pub fn failed_share(&self) -> f64 {
        self.failed_share
    }

    pub fn condition(&self, now: Duration, slow_start: &SlowStart) -> Condition {
        match self.ejected {
            _ if self.is_lost => Condition::Lost,
            _ if self.is_draining => Condition::Draining,
            _ if self.is_unhealthy => Condition::Unhealthy,
            Some((until, why)) if now < until => Condition::Ejected { left: until - now, why },
            _ => match self.warmth(now, slow_start) {
                warmth if warmth < 1.0 => Condition::WarmingUp((warmth * 100.0) as u8),
                _ => Condition::Ready,
            },
        }
    }

    /// Its weight as far as it has warmed up.
    pub fn effective_weight(&self, now: Duration, slow_start: &SlowStart) -> f64 {
        f64::from(self.weight) * self.warmth(now, slow_start)
    }

    /// Seconds that a new request would take here.
    pub fn load(&self, now: Duration) -> f64 {
        let queue = 1.0 + f64::from(self.in_flight) / self.share.max(0.001);
        let (latency, failed_share) = if self.waiting > 0 {
            let silent_for = now.saturating_sub(self.progress_at).as_secs_f64();
            (self.latency.measured().unwrap_or(SECONDS_UNKNOWN).max(silent_for), self.failed_share)
        } else {
            (self.latency.faded(now).unwrap_or(0.0), self.failed_share * fade(now, self.answered_at))
        };
        latency.max(SECONDS_MIN) * queue / (1.0 - failed_share).max(SUCCESS_MIN)
    }

    /// A request is on its way.
    pub fn begin(&mut self, now: Duration) {
        if self.waiting == 0 {
            self.progress_at = now;
        }
        self.in_flight += 1;
        self.waiting += 1;
    }

    /// An answer has begun, or will not come. `took` since the request was sent.
    pub fn answered(&mut self, now: Duration, took: Duration, outcome: Outcome) {
        self.waiting = self.waiting.saturating_sub(1);
        if outcome == Outcome::Cancelled {
            return;
        }
        self.progress_at = now;
        let has_failed = outcome == Outcome::Failed;
        // A failure that comes fast says nothing about how long an answer takes, nor is it a reason to forget it.
        let known = self.latency.measured().filter(|_| has_failed).map_or(Duration::ZERO, Duration::from_secs_f64);
        self.latency.note(now, took.max(known));
        let gain = (1.0 - fade(now, self.answered_at)).clamp(GAIN.0, GAIN.1);
        self.failed_share += gain * (f64::from(u8::from(has_failed)) - self.failed_share);
        self.answered_at = now;
    }

    /// All of it is done, the body too.
    pub fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(crate) fn eject(&mut self, until: Duration, why: outlier::Why) {
        self.ejected = Some((until, why));
    }

    pub(crate) fn ejected_until(&self) -> Option<Duration> {
        self.ejected.map(|(until, _)| until)
    }

    /// Its pause is over: it warms up again.
    pub(crate) fn readmit(&mut self, now: Duration) {
        if let Some((until, _)) = self.ejected.take_if(|(until, _)| now >= *until) {
            self.warm_since = until;
        }
    }

    pub(crate) fn set_healthy(&mut self, now: Duration, is_healthy: bool) {
        if is_healthy && self.is_unhealthy {
            self.warm_since = now;
        }
        self.is_unhealthy = !is_healthy;
    }

    fn warmth(&self, now: Duration, slow_start: &SlowStart) -> f64 {
        let passed = now.saturating_sub(self.warm_since).as_secs_f64() / slow_start.span.as_secs_f64().max(0.001);
        passed.clamp(slow_start.from.clamp(0.001, 1.0), 1.0)
    }
}

impl Condition {
    /// `None`: never to be chosen.
    pub fn rank(&self) -> Option<Rank> {
        match self {
            Self::Ready | Self::WarmingUp(_) => Some(Rank::Ready),
            Self::Ejected { .. } => Some(Rank::Ejected),
            Self::Unhealthy => Some(Rank::Unhealthy),
            Self::Draining => Some(Rank::Draining),
            Self::Lost => None,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::WarmingUp(percent) => write!(f, "warming up, at {percent}% of its share"),
            Self::Ejected { left, why } => write!(f, "ejected for {} s more: {why}", left.as_secs_f64().ceil()),
            Self::Unhealthy => f.write_str("fails its health checks"),
            Self::Draining => f.write_str("draining: gets nothing new"),
            Self::Lost => f.write_str("gone"),
        }
    }
}

#[cfg(test)]
mod tests;
