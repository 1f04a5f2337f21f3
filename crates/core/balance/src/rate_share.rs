//! Core: one rate limit for the whole ring, kept by each node on its own with a share of it.
//!
//! Asking another node for each request would cost a hop; so nodes tell each other now and then how much is asked of them, and
//! each takes the part of the limit that is its part of the demand. What they tell is a register for each node that only that
//! node writes, with a number that grows: reports may be lost, doubled, passed on and come late (a join-semilattice; Shapiro and
//! others, 2011).
//!
//! Nobody takes more than the others have left: who is to have more waits until those who are to have less say so, and the sum
//! overshoots by what is under way at most. A node that is not heard of keeps what it had when it was last heard of, and the
//! others leave it that; cut off from all, it therefore goes on with its last share.

use std::time::Duration;

use crate::rate_limit::Rate;

/// Every node is counted as if so much of an even part were asked of it: the first requests on an idle node find a share.
const IDLE_DEMAND: f64 = 0.05;
/// However little the others have left.
const SHARE_MIN: f64 = 0.01;
/// Demand fades so fast, in seconds.
const TAU: f64 = 2.0;
/// Who was not heard of for so long keeps what it has.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    pub node: u64,
    /// Grows with each report of that node.
    pub number: u64,
    /// Requests a second that are made there, allowed or not.
    pub demand: f64,
    /// Requests a second that it allows.
    pub share: f64,
}

#[derive(Clone, Debug)]
struct Peer {
    node: u64,
    report: Option<Report>,
    heard_at: Duration,
}

/// One limit, as one node sees it. `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct RateShare {
    limit: Rate,
    own: Report,
    peers: Vec<Peer>,
    asked: u64,
    told_at: Option<Duration>,
}

impl RateShare {
    /// `others`: the other nodes that keep the limit. `number`: larger than any this node has used before (a clock will do).
    /// Until it has heard of the others it has an even part.
    pub fn new(limit: Rate, node: u64, number: u64, others: &[u64]) -> Self {
        let own = Report { node, number, demand: 0.0, share: 0.0 };
        let mut share = Self { limit, own, peers: Vec::new(), asked: 0, told_at: None };
        share.set_others(Duration::ZERO, others);
        share.own.share = share.even_part();
        share
    }

    pub fn set_limit(&mut self, limit: Rate) {
        self.own.share *= limit.per_second / self.limit.per_second.max(1e-6);
        self.limit = limit;
    }

    /// Who has left gives its share back; who comes is left an even part until it is heard of.
    pub fn set_others(&mut self, now: Duration, others: &[u64]) {
        self.peers.retain(|peer| others.contains(&peer.node));
        for &node in others.iter().filter(|node| **node != self.own.node) {
            if !self.peers.iter().any(|peer| peer.node == node) {
                self.peers.push(Peer { node, report: None, heard_at: now });
            }
        }
    }

    /// A request was made here, allowed or not.
    pub fn note(&mut self) {
        self.asked += 1;
    }

    /// What this node may allow.
    pub fn rate(&self) -> Rate {
        let part = self.own.share / self.limit.per_second.max(1e-6);
        Rate { per_second: self.own.share, burst: ((f64::from(self.limit.burst) * part).ceil() as u32).max(1) }
    }

    /// What another one says of itself, from itself or passed on. True: it was new.
    pub fn merge(&mut self, now: Duration, report: Report) -> bool {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.node == report.node) else { return false };
        let is_new = peer.report.is_none_or(|old| report.number > old.number);
        if is_new {
            (peer.report, peer.heard_at) = (Some(report), now);
        }
        is_new
    }

    /// A few times a second: takes its share anew, and says what to tell the others.
    pub fn tick(&mut self, now: Duration) -> Report {
        self.measure(now);
        self.own.share = self.next_share(now);
        self.own.number += 1;
        self.own
    }

    fn measure(&mut self, now: Duration) {
        let asked = std::mem::take(&mut self.asked) as f64;
        if let Some(told_at) = self.told_at {
            let seconds = now.saturating_sub(told_at).as_secs_f64().max(0.001);
            let old = (-seconds / TAU).exp();
            self.own.demand = self.own.demand * old + asked / seconds * (1.0 - old);
        }
        self.told_at = Some(now);
    }

    fn next_share(&self, now: Duration) -> f64 {
        let is_silent = |peer: &&Peer| now.saturating_sub(peer.heard_at) >= SILENT_AFTER || peer.report.is_none();
        let kept: f64 = self.peers.iter().filter(is_silent).map(|peer| self.share_of(peer)).sum();
        let idle = self.even_part() * IDLE_DEMAND;
        let heard = self.peers.iter().filter(|peer| !is_silent(peer)).filter_map(|peer| peer.report);
        let demand = self.own.demand + idle;
        let wanted = demand + heard.map(|report| report.demand + idle).sum::<f64>();
        let fair = (self.limit.per_second - kept).max(0.0) * demand / wanted.max(1e-9);
        let left = self.limit.per_second - self.peers.iter().map(|peer| self.share_of(peer)).sum::<f64>();
        fair.min(left).max(self.even_part() * SHARE_MIN)
    }

    fn share_of(&self, peer: &Peer) -> f64 {
        peer.report.map_or(self.even_part(), |report| report.share)
    }

    fn even_part(&self) -> f64 {
        self.limit.per_second / (self.peers.len() + 1) as f64
    }
}

#[cfg(test)]
mod tests;
