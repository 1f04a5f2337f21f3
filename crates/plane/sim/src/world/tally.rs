//! Core: what has been counted in a world.

use std::time::Duration;

use ringway_ring::Point;
use ringway_ring::chord::Body;

use super::{Fault, Id};
use crate::statistics::Histogram;

/// How many wrong answers are kept in full; all are counted.
const WRONG_KEPT_MAX: usize = 16;

/// Counts since the last `World::forget`.
#[derive(Debug, Default)]
pub struct Tally {
    /// Lookups that ended well.
    pub right: u64,
    /// Lookups that ended with somebody who was not the owner when it (or in plain mode, its predecessor) said so.
    pub wrong: u64,
    /// Lookups that ended with a node that was dead (only without owner check).
    pub dead_owner: u64,
    /// Lookups without an answer in time.
    pub lost: u64,
    /// Lookups whose asker went before the answer came: nobody waits for them.
    pub abandoned: u64,
    /// Of all lookups that ended, right or wrong.
    pub hops: Histogram,
    pub timeouts: Histogram,
    pub milliseconds: Histogram,
    /// Answers *it is mine* that nodes gave to anybody, and how many of them were wrong.
    pub answers: u64,
    pub answers_wrong: u64,
    pub wrong_kept: Vec<Wrong>,
    pub messages: u64,
    /// Messages of lookups, whether for users or for finger tables.
    pub messages_lookup: u64,
    pub node_seconds: f64,
    pub joined: u64,
    pub left: u64,
    pub crashed: u64,
    pub isolated: u64,
    pub merging: u64,
    pub points_taken: u64,
    pub twins_refused: u64,
    pub live_max: usize,
    pub(super) settled_at: Duration,
}

/// A wrong answer: when, who said so, and why it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub at: Duration,
    pub key: Point,
    pub by: Id,
    pub fault: Fault,
}

impl Tally {
    /// Lookups that somebody waited for until their end.
    pub fn ended(&self) -> u64 {
        self.right + self.wrong + self.dead_owner + self.lost
    }

    pub fn messages_per_node_second(&self) -> f64 {
        if self.node_seconds == 0.0 { 0.0 } else { self.messages as f64 / self.node_seconds }
    }

    pub(super) fn count_message(&mut self, body: &Body) {
        self.messages += 1;
        if matches!(body, Body::Step { .. } | Body::StepReply(_)) {
            self.messages_lookup += 1;
        }
    }

    pub(super) fn keep_wrong(&mut self, wrong: Wrong) {
        if self.wrong_kept.len() < WRONG_KEPT_MAX {
            self.wrong_kept.push(wrong);
        }
    }
}
