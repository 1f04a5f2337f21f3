//! Core: the instances of one function: when one is started, who gets it, when it goes.
//!
//! An instance is started when a request finds none free, is used again by whoever comes next (the one used last first, so
//! that the others become idle), and goes when nobody has wanted it for a while. Who must wait does so in a bounded queue. A
//! function that does not start is not tried again at once: what comes meanwhile is refused with the reason.
//!
//! It does *not* know what an instance is, nor about deadlines: whoever waits too long says [`Input::GaveUp`].

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const START_DELAY_MIN: Duration = Duration::from_millis(100);
const START_DELAY_MAX: Duration = Duration::from_secs(30);

pub type InstanceId = u64;
/// One request that wants an instance.
pub type Ticket = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub instances_max: usize,
    /// Requests at once in one instance.
    pub concurrency: usize,
    pub queue_max: usize,
    /// Unused for that long, an instance goes.
    pub idle: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Wanted(Ticket),
    GaveUp(Ticket),
    Started(InstanceId),
    StartFailed(InstanceId, String),
    /// A request has left the instance.
    Done(InstanceId),
    /// The instance is gone or of no more use; what it had in hand is lost.
    Lost(InstanceId),
    Tick,
    /// Nobody will want it any more: the release was replaced.
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Start(InstanceId),
    Grant(Ticket, InstanceId),
    Refuse(Ticket, Refusal),
    Stop(InstanceId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    QueueFull,
    NotStarting(String),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Starting,
    /// Ready, with so many requests inside.
    Ready {
        in_flight: usize,
        used: Instant,
    },
}

#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    instances: BTreeMap<InstanceId, Phase>,
    waiting: VecDeque<Ticket>,
    last_id: InstanceId,
    /// Starts that failed in a row.
    failures: u32,
    /// No start before that.
    not_before: Option<Instant>,
    why: String,
    closed: bool,
}

impl Pool {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            instances: BTreeMap::new(),
            waiting: VecDeque::new(),
            last_id: 0,
            failures: 0,
            not_before: None,
            why: String::new(),
            closed: false,
        }
    }

    pub fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Wanted(ticket) => self.wanted(now, ticket, out),
            Input::GaveUp(ticket) => self.waiting.retain(|other| *other != ticket),
            Input::Started(id) => {
                self.failures = 0;
                // It may have been lost in the same moment.
                if let Some(phase) = self.instances.get_mut(&id) {
                    *phase = Phase::Ready { in_flight: 0, used: now };
                }
            }
            Input::StartFailed(id, why) => self.start_failed(now, id, why, out),
            Input::Done(id) => self.done(now, id),
            Input::Lost(id) => {
                self.instances.remove(&id);
            }
            Input::Tick => {}
            Input::Close => self.closed = true,
        }
        self.grant(now, out);
        self.reap(now, out);
        self.start(now, out);
    }

    /// When [`Input::Tick`] will have something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        let idle = self.instances.values().filter_map(|phase| match phase {
            Phase::Ready { in_flight: 0, used } => Some(*used + self.limits.idle),
            _ => None,
        });
        idle.chain(self.not_before.filter(|_| !self.waiting.is_empty())).min()
    }

    pub fn instances(&self) -> impl Iterator<Item = (InstanceId, Phase)> + '_ {
        self.instances.iter().map(|(id, phase)| (*id, *phase))
    }

    /// Why it does not start, if it is waiting to try again.
    pub fn backing_off(&self, now: Instant) -> Option<(&str, Duration)> {
        let left = self.not_before?.checked_duration_since(now)?;
        (self.failures > 0).then_some((self.why.as_str(), left))
    }

    pub fn knows(&self, id: InstanceId) -> bool {
        self.instances.contains_key(&id)
    }

    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.waiting.is_empty()
    }

    fn wanted(&mut self, now: Instant, ticket: Ticket, out: &mut Vec<Output>) {
        let refusal = if self.closed {
            Refusal::Closed
        } else if self.instances.is_empty() && self.must_wait(now) {
            Refusal::NotStarting(self.why.clone())
        } else if self.waiting.len() >= self.limits.queue_max && self.free().is_none() {
            Refusal::QueueFull
        } else {
            self.waiting.push_back(ticket);
            return;
        };
        out.push(Output::Refuse(ticket, refusal));
    }

    fn start_failed(&mut self, now: Instant, id: InstanceId, why: String, out: &mut Vec<Output>) {
        self.instances.remove(&id);
        self.failures += 1;
        self.not_before = Some(now + delay(self.failures));
        self.why = why;
        if self.instances.is_empty() {
            let refused = self.waiting.drain(..);
            out.extend(refused.map(|ticket| Output::Refuse(ticket, Refusal::NotStarting(self.why.clone()))));
        }
    }

    fn done(&mut self, now: Instant, id: InstanceId) {
        if let Some(Phase::Ready { in_flight, used }) = self.instances.get_mut(&id) {
            *in_flight = in_flight.saturating_sub(1);
            *used = now;
        }
    }

    fn grant(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let (Some(id), Some(ticket)) = (self.free(), self.waiting.front().copied()) {
            self.waiting.pop_front();
            if let Some(Phase::Ready { in_flight, used }) = self.instances.get_mut(&id) {
                *in_flight += 1;
                *used = now;
            }
            out.push(Output::Grant(ticket, id));
        }
    }

    /// The ready instance that was used last and has room.
    fn free(&self) -> Option<InstanceId> {
        let with_room = self.instances.iter().filter_map(|(id, phase)| match phase {
            Phase::Ready { in_flight, used } if *in_flight < self.limits.concurrency => Some((*used, *id)),
            _ => None,
        });
        with_room.max().map(|(_, id)| id)
    }

    fn reap(&mut self, now: Instant, out: &mut Vec<Output>) {
        let patience = if self.closed && self.waiting.is_empty() { Duration::ZERO } else { self.limits.idle };
        self.instances.retain(|id, phase| {
            let keep = match phase {
                Phase::Ready { in_flight: 0, used } => now.duration_since(*used) < patience,
                _ => true,
            };
            if !keep {
                out.push(Output::Stop(*id));
            }
            keep
        });
    }

    /// As many as those who wait can use.
    fn start(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.must_wait(now) {
            return;
        }
        loop {
            let starting = self.instances.values().filter(|phase| **phase == Phase::Starting).count();
            let enough = starting * self.limits.concurrency >= self.waiting.len();
            if enough || self.instances.len() >= self.limits.instances_max {
                return;
            }
            self.last_id += 1;
            self.instances.insert(self.last_id, Phase::Starting);
            out.push(Output::Start(self.last_id));
        }
    }

    fn must_wait(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|not_before| now < not_before)
    }
}

fn delay(failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    START_DELAY_MIN.saturating_mul(factor).min(START_DELAY_MAX)
}

#[cfg(test)]
mod tests;
