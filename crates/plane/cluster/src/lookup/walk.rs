//! Driver: one walk. Asks whom the core names, measures, and writes down every stop.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ringway_ports::{Stop, Walk, Walked};
use ringway_ring::{Action, Limits, Lookup, NodeId, Peer, Point, Step, Via, VirtualNode};
use ringway_rt::clock;

use super::message::{Saw, Told};

/// Before somebody is asked again who was busy or knew nobody.
const PAUSE: Duration = Duration::from_millis(100);
const WALK_WITHIN: Duration = Duration::from_secs(20);
/// The neighbours of 4096 virtual nodes, 16 at a time, are 256 steps around half the circle each way.
const LIMITS: Limits = Limits { hops_max: 1024, timeouts_max: 32, waits_max: 8, hearsay_max: 0 };
/// A table or a directory that is old names an owner that was; who that was knows better.
const HEARSAY_MAX: u32 = 4;

/// Answers for one (virtual) node: by a message, or from own knowledge.
pub(super) trait Ask: Sync {
    fn own(&self) -> NodeId;
    fn ask(&self, at: VirtualNode) -> BoxFuture<'_, Result<Told, String>>;
}

/// A place that can be asked. In the textbook's walk each virtual node is asked for itself, else the machine for all it has.
#[derive(Clone, Copy, Debug)]
struct Spot {
    at: VirtualNode,
    walk: Walk,
}

impl Peer for Spot {
    fn point(&self) -> Point {
        self.at.point
    }

    fn is_same_node(&self, other: &Self) -> bool {
        match self.walk {
            Walk::Node => self.at.node == other.at.node,
            Walk::Virtual => self.at.point == other.at.point,
        }
    }
}

pub(super) async fn walk(asker: &impl Ask, start: VirtualNode, key: Point, via: Via, walk: Walk) -> Walked {
    let began = clock::now();
    let mut walker = Walker { asker, walk, stops: Vec::new(), ahead: VecDeque::new(), unmeasured: Duration::ZERO };
    let spot = |at| Spot { at, walk };
    let hearsay_max = if matches!(via, Via::Index | Via::Table) { HEARSAY_MAX } else { 0 };
    let (mut lookup, mut action) = Lookup::start(spot(start), key, Limits { hearsay_max, ..LIMITS });
    let (owner, failure) = loop {
        let next = match action {
            Action::Ask(next) => next,
            Action::Wait(next) => {
                tokio::time::sleep(PAUSE).await;
                next
            }
            Action::Found(found) => break (Some(found.owner.at.node), None),
            Action::Failed(why) => break (None, Some(walker.explain(&format!("{why} after {:.1?}", began.elapsed())))),
        };
        if began.elapsed() > WALK_WITHIN {
            break (None, Some(format!("it took longer than {WALK_WITHIN:?}")));
        }
        action = match walker.step(next.at).await {
            Some(step) => lookup.answered(next, &with_mode(step, walk)),
            None => lookup.timed_out(next),
        };
    };
    let hops = walker.stops.iter().filter(|stop| !stop.is_local && stop.failure.is_none()).count() as u32;
    let steps = walker.stops.len().saturating_sub(1) as u32;
    let took = began.elapsed().saturating_sub(walker.unmeasured);
    Walked { via, stops: walker.stops, owner, hops, steps, took, failure }
}

fn with_mode(step: Step<VirtualNode>, walk: Walk) -> Step<Spot> {
    match step {
        Step::Mine => Step::Mine,
        Step::Ask(candidates) => Step::Ask(candidates.into_iter().map(|at| Spot { at, walk }).collect()),
        Step::Busy => Step::Busy,
        Step::Unknown => Step::Unknown,
    }
}

struct Walker<'a, A> {
    asker: &'a A,
    walk: Walk,
    stops: Vec<Stop>,
    /// Answers that came along with an earlier one.
    ahead: VecDeque<Saw>,
    /// Went into questions that were asked again, because the view of who answered had to be made first.
    unmeasured: Duration,
}

impl<A: Ask> Walker<'_, A> {
    /// None: no answer.
    async fn step(&mut self, at: VirtualNode) -> Option<Step<VirtualNode>> {
        if let Some(saw) = self.ahead.pop_front()
            && saw.at == at
        {
            return Some(self.note(saw, Duration::ZERO, true));
        }
        self.ahead.clear();
        let is_local = at.node == self.asker.own();
        let mut asked = clock::now();
        let mut answer = self.asker.ask(at).await;
        if answer.as_ref().is_ok_and(|told| told.is_first) {
            self.unmeasured += asked.elapsed();
            asked = clock::now();
            answer = self.asker.ask(at).await;
        }
        let round_trip = if is_local { Duration::ZERO } else { asked.elapsed() };
        match answer {
            Ok(told) => {
                let mut steps = told.steps.into_iter();
                let first = steps.next().unwrap_or_else(|| Saw::nothing(at.point, at.node, "nothing"));
                self.ahead = if self.walk == Walk::Virtual { steps.collect() } else { VecDeque::new() };
                Some(self.note(first, round_trip, is_local))
            }
            Err(failure) => {
                let stop =
                    Stop { node: at.node, at: Some(at.point), round_trip, is_local, entries: 0, ..Stop::default() };
                self.stops.push(Stop { failure: Some(failure), ..stop });
                None
            }
        }
    }

    fn note(&mut self, saw: Saw, round_trip: Duration, is_local: bool) -> Step<VirtualNode> {
        let Saw { at, step, entries, knew } = saw;
        let stop = Stop { node: at.node, at: Some(at.point), round_trip, is_local, entries, knew, failure: None };
        self.stops.push(stop);
        step
    }

    /// Why it ended, with what the last one who said anything of use said.
    fn explain(&self, why: &str) -> String {
        let last = self.stops.iter().rev().find(|stop| !stop.is_local);
        let said = last.and_then(|stop| stop.failure.clone().or_else(|| Some(stop.knew.clone())));
        match said.filter(|said| !said.is_empty()) {
            Some(said) => format!("{why}; last: {said}"),
            None => why.to_owned(),
        }
    }
}
