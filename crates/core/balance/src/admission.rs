//! Core: who goes now, who waits, who is turned away at once, in front of a service with an adaptive limit.
//!
//! A short queue keeps the service busy; a long one only makes everybody's answer late. So a burst may wait long, but once the
//! queue has been there for that long it is no burst: then only those may wait who will have their turn soon (the insight of
//! CoDel, and of Maurer, "Fail at scale", 2015). Who would wait too long hears so when it comes, not when it has waited: the
//! wait is foretold by how fast requests are being answered, and so is when to come back (`Retry-After`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::concurrency_limit::{self, ConcurrencyLimit, Served};
use crate::draws::Draws;
use crate::window::Window;

/// How far the rate of answers looks back.
const RATE_SPAN: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Config {
    pub limit: concurrency_limit::Config,
    /// So many at most.
    pub waiting_max: usize,
    /// In a burst.
    pub wait_max: Duration,
    /// When there has been a queue for longer than that, but for short breaks.
    pub wait_max_overloaded: Duration,
    pub retry_after_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit: concurrency_limit::Config::default(),
            waiting_max: 1_024,
            wait_max: Duration::from_secs(1),
            wait_max_overloaded: Duration::from_millis(100),
            retry_after_max: Duration::from_secs(30),
        }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// What a request hears when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Go,
    Wait(Ticket),
    /// In whole seconds.
    Shed {
        retry_after: Duration,
    },
}

/// What those who wait hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Go(Ticket),
    Shed { ticket: Ticket, retry_after: Duration },
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Admission {
    config: Config,
    limit: ConcurrencyLimit,
    in_flight: u32,
    /// Since when each has waited, first come first; `None`: went away.
    waiting: VecDeque<Option<Duration>>,
    /// The ticket of the first in it.
    first: u64,
    /// Since when there have been queues with no more than short breaks between.
    busy_since: Option<Duration>,
    /// When the first one came that needed not wait after one that did.
    calm_since: Option<Duration>,
    answered: Window,
    begun_at: Option<Duration>,
}

impl Admission {
    pub fn new(config: Config) -> Self {
        Self {
            limit: ConcurrencyLimit::new(config.limit.clone()),
            config,
            in_flight: 0,
            waiting: VecDeque::new(),
            first: 0,
            busy_since: None,
            calm_since: None,
            answered: Window::new(RATE_SPAN),
            begun_at: None,
        }
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn limit(&self) -> &ConcurrencyLimit {
        &self.limit
    }

    /// A request comes. `random`: a fresh number. `Go` is followed by one `done`.
    pub fn ask(&mut self, now: Duration, random: u64) -> Answer {
        self.begun_at.get_or_insert(now);
        if self.waiting.is_empty() && self.in_flight < self.limit.limit() {
            self.note_calm(now);
            self.in_flight += 1;
            return Answer::Go;
        }
        self.calm_since = None;
        self.busy_since.get_or_insert(now);
        if self.waiting.len() >= self.config.waiting_max || self.foretold_wait(now) > self.wait_max(now) {
            return Answer::Shed { retry_after: self.retry_after(now, random) };
        }
        self.waiting.push_back(Some(now));
        Answer::Wait(Ticket(self.first + self.waiting.len() as u64 - 1))
    }

    /// One that was let go has ended, `took` after it was. Ask for [`Admission::turn`]s then.
    pub fn done(&mut self, now: Duration, took: Duration, served: Served) {
        self.limit.note(now, took, self.in_flight, served);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.answered.note(now, false);
    }

    /// Who is next; until there is none. `Go` is followed by one `done`.
    pub fn turn(&mut self, now: Duration, random: u64) -> Option<Turn> {
        self.drop_the_gone();
        let since = (*self.waiting.front()?)?;
        let ticket = Ticket(self.first);
        if now.saturating_sub(since) >= self.config.wait_max {
            self.pop();
            return Some(Turn::Shed { ticket, retry_after: self.retry_after(now, random) });
        }
        (self.in_flight < self.limit.limit()).then(|| {
            self.pop();
            self.in_flight += 1;
            Turn::Go(ticket)
        })
    }

    /// When to ask for turns even if nothing ends.
    pub fn next_wake(&self) -> Option<Duration> {
        let since = self.waiting.iter().flatten().next()?;
        Some(*since + self.config.wait_max)
    }

    /// Its client went away.
    pub fn give_up(&mut self, ticket: Ticket) {
        let place = ticket.0.checked_sub(self.first).and_then(|place| self.waiting.get_mut(place as usize));
        if let Some(place) = place {
            *place = None;
        }
        self.drop_the_gone();
    }

    /// An empty moment is none: the queue is through only when nobody has had to wait for as long as one may in overload.
    fn note_calm(&mut self, now: Duration) {
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_sub(since) >= self.config.wait_max_overloaded {
            self.busy_since = None;
        }
    }

    fn wait_max(&self, now: Duration) -> Duration {
        let is_burst = self.busy_since.is_none_or(|since| now.saturating_sub(since) < self.config.wait_max);
        if is_burst { self.config.wait_max } else { self.config.wait_max_overloaded }
    }

    /// Of one that comes now. Nothing if nothing is known.
    fn foretold_wait(&mut self, now: Duration) -> Duration {
        let rate = self.rate(now);
        let seconds = if rate > 0.0 { (self.waiting.len() + 1) as f64 / rate } else { 0.0 };
        Duration::from_secs_f64(seconds)
    }

    /// When the queue will be through, and up to as long again: who was turned away together must not come back together.
    fn retry_after(&mut self, now: Duration, random: u64) -> Duration {
        let drained = self.foretold_wait(now).as_secs_f64().max(0.5) * (1.0 + Draws::new(random).unit());
        let longest = self.config.retry_after_max.as_secs().max(1);
        Duration::from_secs((drained.ceil() as u64).clamp(1, longest))
    }

    /// Answers a second.
    fn rate(&mut self, now: Duration) -> f64 {
        let span = self.begun_at.map_or(RATE_SPAN, |begun| now.saturating_sub(begun).min(RATE_SPAN));
        self.answered.counts(now).all as f64 / span.as_secs_f64().max(0.1)
    }

    fn drop_the_gone(&mut self) {
        while self.waiting.front().is_some_and(Option::is_none) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        self.waiting.pop_front();
        self.first += 1;
    }
}

#[cfg(test)]
mod tests;
