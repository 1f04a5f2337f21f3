//! Core: whether a failed request may be tried again, and after which pause.
//!
//! Doing it twice must be harmless: either the endpoint cannot have begun with it, or the method is idempotent (RFC 9110, 9.2.2).
//! And there must still be something to send, and nothing sent to the client yet. Pauses grow and are drawn from zero on ("full
//! jitter"; Brooker, "Exponential backoff and jitter", 2015): clients that failed together must not come back together.
//!
//! Whether there is room for a retry at all says [`crate::retry_budget`].

use std::fmt;
use std::time::Duration;

use crate::draws::Draws;

#[derive(Clone, Debug)]
pub struct Config {
    /// Tries after the first one.
    pub retries_max: u32,
    /// The first pause is not longer, each later one may be twice as long.
    pub pause: Duration,
    pub pause_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { retries_max: 2, pause: Duration::from_millis(25), pause_max: Duration::from_secs(1) }
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No byte of it has reached the endpoint: it could not be connected to, or the pooled connection was closed.
    NotSent,
    /// The endpoint says that it has not begun with it: HTTP/2's REFUSED_STREAM, or a stream above GOAWAY's last.
    Refused,
    /// Sent, and the connection broke before an answer began.
    NoAnswer,
    TimedOut,
    Status(u16),
    /// Part of the answer has been passed on.
    BrokeOff,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub method: &'a str,
    pub failure: Failure,
    /// There is no body, or all that was sent of it is still at hand.
    pub has_body: bool,
    /// Retries that were made already.
    pub retries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    RetryAfter(Duration),
    GiveUp(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Trying again would not help.
    Final,
    NotIdempotent,
    BodyIsGone,
    AnswerHasBegun,
    TriedEnough,
}

/// Whether doing it twice is as good as once. Unknown methods are not.
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

/// What to do about a failed attempt. `random`: a fresh number.
pub fn judge(config: &Config, attempt: &Attempt<'_>, random: u64) -> Verdict {
    match reason_against(config, attempt) {
        Some(reason) => Verdict::GiveUp(reason),
        None => Verdict::RetryAfter(pause(config, attempt.retries, random)),
    }
}

/// Somewhere between nothing and `pause`, doubled for each retry before.
fn pause(config: &Config, retries: u32, random: u64) -> Duration {
    let longest = config.pause.saturating_mul(1 << retries.min(20)).min(config.pause_max);
    longest.mul_f64(Draws::new(random).unit())
}

fn reason_against(config: &Config, attempt: &Attempt<'_>) -> Option<Reason> {
    let has_not_begun = match attempt.failure {
        Failure::BrokeOff => return Some(Reason::AnswerHasBegun),
        // 500 is the app's own answer; 429 asks for less, not more.
        Failure::Status(status) if !matches!(status, 502..=504) => return Some(Reason::Final),
        Failure::NotSent | Failure::Refused => true,
        Failure::Status(_) | Failure::NoAnswer | Failure::TimedOut => false,
    };
    if !has_not_begun && !is_idempotent(attempt.method) {
        return Some(Reason::NotIdempotent);
    }
    if !attempt.has_body {
        return Some(Reason::BodyIsGone);
    }
    (attempt.retries >= config.retries_max).then_some(Reason::TriedEnough)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Final => "the answer is final",
            Self::NotIdempotent => "it may have been done, and doing it twice is not harmless",
            Self::BodyIsGone => "its body has been sent and is not kept",
            Self::AnswerHasBegun => "part of the answer has been passed on",
            Self::TriedEnough => "tried often enough",
        })
    }
}

#[cfg(test)]
mod tests;
