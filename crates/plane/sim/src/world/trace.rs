//! Core: the last lines of what happened, for whoever looks for a fault.

use std::collections::VecDeque;
use std::time::Duration;

use ringway_ring::chord::{Body, Event, KeyArc, Message};
use ringway_ring::{Point, VirtualNode};

/// Costs nothing if no lines are wanted.
#[derive(Debug)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Trace {
    pub(super) fn new(lines_max: usize) -> Self {
        Self { lines: VecDeque::new(), lines_max }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    pub(super) fn message(&mut self, now: Duration, from: VirtualNode, to: VirtualNode, message: &Message) {
        if matches!(message.body, Body::Step { .. } | Body::StepReply(_) | Body::Ping | Body::Pong { .. }) {
            return;
        }
        self.add(now, to, || format!("<- {from:?} {:?}", message.body));
    }

    pub(super) fn event(&mut self, now: Duration, own: VirtualNode, event: &Event) {
        self.add(now, own, || format!("{event:?}"));
    }

    pub(super) fn arc(&mut self, now: Duration, own: VirtualNode, arc: Option<KeyArc>) {
        self.add(now, own, || format!("owns {arc:?}"));
    }

    pub(super) fn down(&mut self, now: Duration, own: VirtualNode, dead: VirtualNode) {
        self.add(now, own, || format!("hears that {dead:?} is down"));
    }

    pub(super) fn lost(&mut self, now: Duration, own: VirtualNode, key: Point) {
        self.add(now, own, || format!("has no owner for {:016x}: lost", key.0));
    }

    pub(super) fn note(&mut self, now: Duration, own: VirtualNode, what: &str) {
        self.add(now, own, || what.to_owned());
    }

    fn add(&mut self, now: Duration, own: VirtualNode, what: impl FnOnce() -> String) {
        if self.lines_max == 0 {
            return;
        }
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:10.4} {own:?} {}", now.as_secs_f64(), what()));
    }
}
