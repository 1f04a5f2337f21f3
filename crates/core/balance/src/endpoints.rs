//! Core: all endpoints of one service: who may be chosen, who is, and what becomes of those that fail.
//!
//! Brings the parts together: conditions ([`crate::endpoint`]), the way of choosing ([`crate::choose`],
//! [`crate::hash_ring`]), passive ejection ([`crate::outlier`]). A choice is O(log n) and allocates nothing; only when the
//! members or somebody's condition change, all are looked at (and a few times a second while somebody warms up).
//!
//! Does not retry, probe or send: the driver does, and tells what came of it.

use std::fmt;
use std::time::Duration;

use crate::choose::round_robin::{RoundRobin, Taker};
use crate::choose::{Candidates, least_loaded, least_requests::LeastRequests};
use crate::draws::Draws;
use crate::endpoint::{Condition, Endpoint, EndpointId, Outcome, Rank, SlowStart};
use crate::hash_ring::{self, HashRing, Room};
use crate::outlier::{self, Outlier};
use crate::siphash::Key;

/// How often the shares of those who warm up grow.
const WARM_STEP: Duration = Duration::from_millis(100);

/// By what an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    #[default]
    LeastLoaded,
    RoundRobin,
    LeastRequests,
    /// By the key of the request; as the least loaded if it has none.
    Hash,
}

#[derive(Clone, Debug, Default)]
pub struct Config {
    pub strategy: Strategy,
    pub slow_start: SlowStart,
    pub outlier: outlier::Config,
    pub hash_ring: hash_ring::Config,
}

/// A request that needs an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// A fresh random number.
    pub random: u64,
    /// A good hash of what the request is to be placed by.
    pub key: Option<u64>,
    /// Whom the client's session is bound to. Bind it anew if somebody else is chosen.
    pub bound_to: Option<EndpointId>,
    /// Those that it has been tried on.
    pub avoid: &'a [EndpointId],
}

/// Who gets the request, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub id: EndpointId,
    pub why: Why,
    /// Other than `Ready`: nobody better was there.
    pub rank: Rank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Only,
    Bound,
    LessLoadedThan(EndpointId),
    LeastLoaded,
    Turn,
    LeastRequests,
    /// So many points of the ring had no room or no candidate.
    Hash {
        passed: usize,
    },
}

/// Somebody's condition changed by what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejected {
    pub id: EndpointId,
    pub until: Duration,
    pub why: outlier::Why,
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct Endpoints {
    config: Config,
    /// Sorted by id.
    members: Vec<Endpoint>,
    candidates: Candidates,
    rank: Rank,
    outlier: Outlier,
    chooser: Chooser,
    in_flight: u32,
    /// When somebody's share changes by itself; `None`: not before somebody does something.
    wake: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Chooser {
    LeastLoaded,
    RoundRobin(RoundRobin),
    LeastRequests(LeastRequests),
    Hash(HashRing),
}

impl Endpoints {
    /// `key`: the same on all nodes, if they are to place keys alike.
    pub fn new(config: Config, key: Key) -> Self {
        let chooser = match config.strategy {
            Strategy::LeastLoaded => Chooser::LeastLoaded,
            Strategy::RoundRobin => Chooser::RoundRobin(RoundRobin::default()),
            Strategy::LeastRequests => Chooser::LeastRequests(LeastRequests::default()),
            Strategy::Hash => Chooser::Hash(HashRing::new(config.hash_ring.clone(), key)),
        };
        Self {
            outlier: Outlier::new(config.outlier.clone()),
            members: Vec::new(),
            candidates: Candidates::default(),
            rank: Rank::Ready,
            chooser,
            in_flight: 0,
            wake: None,
            config,
        }
    }

    /// Those who serve from now on, with weights (1 and more). What is known of those who stay is kept.
    pub fn set_members(&mut self, now: Duration, members: &[(EndpointId, u32)]) {
        let mut old = std::mem::take(&mut self.members);
        for &(id, weight) in members {
            let mut endpoint = match old.binary_search_by_key(&id, Endpoint::id) {
                Ok(at) => old.remove(at),
                Err(_) => Endpoint::new(now, id, weight, self.outlier.record()),
            };
            endpoint.set_weight(weight);
            self.members.push(endpoint);
        }
        old.iter_mut().for_each(|gone| self.outlier.forget(now, &mut gone.record));
        self.members.sort_by_key(Endpoint::id);
        self.members.dedup_by_key(|endpoint| endpoint.id());
        self.in_flight = self.members.iter().map(Endpoint::in_flight).sum();
        if let Chooser::Hash(ring) = &mut self.chooser {
            ring.rebuild(self.members.iter().map(|endpoint| (endpoint.id(), endpoint.weight())));
        }
        self.refresh(now);
    }

    /// It is to be stopped: keeps its sessions, gets no new requests.
    pub fn set_draining(&mut self, now: Duration, id: EndpointId, is_draining: bool) {
        self.change(now, id, |endpoint| endpoint.is_draining = is_draining);
    }

    /// Its process or node is gone, or back.
    pub fn set_lost(&mut self, now: Duration, id: EndpointId, is_lost: bool) {
        self.change(now, id, |endpoint| endpoint.is_lost = is_lost);
    }

    /// What the active checks say ([`crate::health`]).
    pub fn set_healthy(&mut self, now: Duration, id: EndpointId, is_healthy: bool) {
        self.change(now, id, |endpoint| endpoint.set_healthy(now, is_healthy));
    }

    /// `None`: there is nobody, or all are gone.
    pub fn choose(&mut self, now: Duration, ask: &Ask<'_>) -> Option<Choice> {
        if self.wake.is_some_and(|wake| now >= wake) {
            self.refresh(now);
        }
        if let Some(choice) = ask.bound_to.and_then(|id| self.bound(now, id, ask.avoid)) {
            return Some(choice);
        }
        let chosen = match self.candidates.indexes() {
            [] => None,
            [only] => Some((*only, Why::Only)),
            _ => self.choose_among(now, ask),
        };
        // All have been tried: once more is better than giving up.
        let chosen = chosen.or_else(|| self.choose_among(now, &Ask { avoid: &[], ..*ask }));
        chosen.map(|(index, why)| Choice { id: self.members[index as usize].id(), why, rank: self.rank })
    }

    /// A request goes to it. Each `begin` is followed by one `answered` and one `end`.
    pub fn begin(&mut self, now: Duration, id: EndpointId) {
        if let Some(index) = self.index(id) {
            self.members[index].begin(now);
            self.in_flight += 1;
            self.note_queue(index);
        }
    }

    /// Its answer has begun `took` after the request was sent, or will not come.
    pub fn answered(&mut self, now: Duration, id: EndpointId, took: Duration, outcome: Outcome) -> Option<Ejected> {
        let index = self.index(id)?;
        let endpoint = &mut self.members[index];
        endpoint.answered(now, took, outcome);
        if outcome == Outcome::Cancelled || endpoint.ejected_until().is_some_and(|until| now < until) {
            return None;
        }
        let why = self.outlier.note(now, &mut endpoint.record, outcome == Outcome::Failed)?;
        self.eject(now, index, why)
    }

    /// All of its answer is through.
    pub fn end(&mut self, id: EndpointId) {
        if let Some(index) = self.index(id) {
            self.in_flight = self.in_flight.saturating_sub(self.members[index].in_flight().min(1));
            self.members[index].end();
            self.note_queue(index);
        }
    }

    /// For those who want to see.
    pub fn members(&self) -> &[Endpoint] {
        &self.members
    }

    pub fn condition(&self, now: Duration, id: EndpointId) -> Option<Condition> {
        self.index(id).map(|index| self.members[index].condition(now, &self.config.slow_start))
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    fn choose_among(&mut self, now: Duration, ask: &Ask<'_>) -> Option<(u32, Why)> {
        let mut draws = Draws::new(ask.random);
        let members = &mut self.members;
        match (&mut self.chooser, ask.key) {
            (Chooser::LeastLoaded, _) | (Chooser::Hash(_), None) => {
                let is_avoided = |index| is_avoided(members, ask.avoid, index);
                let load = |index: u32| members[index as usize].load(now);
                let (index, other) = least_loaded::choose(&self.candidates, &mut draws, is_avoided, load)?;
                let other = other.map(|other| Why::LessLoadedThan(members[other as usize].id()));
                Some((index, other.unwrap_or(Why::LeastLoaded)))
            }
            (Chooser::RoundRobin(turns), _) => {
                let is_avoided = |endpoint: &Endpoint| ask.avoid.contains(&endpoint.id());
                turns.choose(members, is_avoided).map(|index| (index, Why::Turn))
            }
            (Chooser::LeastRequests(tree), _) => {
                let avoid = ask.avoid.iter().filter_map(|id| index_of(members, *id)).map(|index| index as u32);
                tree.choose(avoid).map(|index| (index, Why::LeastRequests))
            }
            (Chooser::Hash(ring), Some(hash)) => {
                let room = |index: u32| {
                    let endpoint = &members[index as usize];
                    let share = if is_avoided(members, ask.avoid, index) { 0.0 } else { endpoint.share };
                    Room { share, in_flight: endpoint.in_flight() }
                };
                let (index, passed) = ring.choose(hash, self.in_flight, self.candidates.len(), room)?;
                Some((index, Why::Hash { passed }))
            }
        }
    }

    /// A session stays with an endpoint that drains, not with one that fails.
    fn bound(&self, now: Duration, id: EndpointId, avoid: &[EndpointId]) -> Option<Choice> {
        let rank = self.condition(now, id)?.rank()?;
        let stays = matches!(rank, Rank::Ready | Rank::Draining) && !avoid.contains(&id);
        stays.then_some(Choice { id, why: Why::Bound, rank })
    }

    fn eject(&mut self, now: Duration, index: usize, why: outlier::Why) -> Option<Ejected> {
        let is_out = |endpoint: &&Endpoint| {
            let rank = endpoint.condition(now, &self.config.slow_start).rank();
            rank != Some(Rank::Ready)
        };
        let out = self.members.iter().filter(is_out).count();
        if !self.outlier.may_eject(out, self.members.len()) {
            return None;
        }
        let endpoint = &mut self.members[index];
        let until = self.outlier.eject(now, &mut endpoint.record);
        endpoint.eject(until, why);
        let id = endpoint.id();
        self.refresh(now);
        Some(Ejected { id, until, why })
    }

    fn change(&mut self, now: Duration, id: EndpointId, change: impl FnOnce(&mut Endpoint)) {
        if let Some(index) = self.index(id) {
            change(&mut self.members[index]);
            self.refresh(now);
        }
    }

    /// Who may be chosen now, and with what share.
    fn refresh(&mut self, now: Duration) {
        let slow_start = &self.config.slow_start;
        self.members.iter_mut().for_each(|endpoint| endpoint.readmit(now));
        let rank_of = |endpoint: &Endpoint| endpoint.condition(now, slow_start).rank();
        self.rank = self.members.iter().filter_map(rank_of).min().unwrap_or(Rank::Ready);
        self.candidates.clear();
        let (mut sum, mut is_warming) = (0.0, false);
        for (index, endpoint) in self.members.iter_mut().enumerate() {
            let condition = endpoint.condition(now, slow_start);
            endpoint.share = 0.0;
            if condition.rank() == Some(self.rank) {
                endpoint.share = endpoint.effective_weight(now, slow_start);
                sum += endpoint.share;
                self.candidates.push(index as u32, endpoint.share);
            }
            is_warming |= matches!(condition, Condition::WarmingUp(_));
        }
        let average = sum / self.candidates.len().max(1) as f64;
        for &index in self.candidates.indexes() {
            self.members[index as usize].share /= average;
        }
        self.rebuild();
        let back = self.members.iter().filter_map(Endpoint::ejected_until).min();
        self.wake = back.into_iter().chain(is_warming.then_some(now + WARM_STEP)).min();
    }

    fn rebuild(&mut self) {
        match &mut self.chooser {
            Chooser::RoundRobin(turns) => turns.rebuild(&self.candidates, &mut self.members),
            Chooser::LeastRequests(tree) => {
                tree.reset(self.members.len());
                for (index, endpoint) in self.members.iter().enumerate() {
                    tree.set(index as u32, endpoint.in_flight(), endpoint.share);
                }
            }
            Chooser::LeastLoaded | Chooser::Hash(_) => {}
        }
    }

    fn note_queue(&mut self, index: usize) {
        if let Chooser::LeastRequests(tree) = &mut self.chooser {
            let endpoint = &self.members[index];
            tree.set(index as u32, endpoint.in_flight(), endpoint.share);
        }
    }

    fn index(&self, id: EndpointId) -> Option<usize> {
        index_of(&self.members, id)
    }
}

impl Taker for Endpoint {
    fn share(&self) -> f64 {
        self.share
    }

    fn turn(&mut self) -> &mut Option<u64> {
        &mut self.turn
    }
}

fn index_of(members: &[Endpoint], id: EndpointId) -> Option<usize> {
    members.binary_search_by_key(&id, Endpoint::id).ok()
}

fn is_avoided(members: &[Endpoint], avoid: &[EndpointId], index: u32) -> bool {
    !avoid.is_empty() && avoid.contains(&members[index as usize].id())
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("the only one"),
            Self::Bound => f.write_str("the session is bound to it"),
            Self::LessLoadedThan(other) => write!(f, "not more loaded than {}, the other of two drawn", other.0),
            Self::LeastLoaded => f.write_str("the least loaded of those not tried yet"),
            Self::Turn => f.write_str("its turn"),
            Self::LeastRequests => f.write_str("the fewest requests in flight"),
            Self::Hash { passed: 0 } => f.write_str("the key belongs to it"),
            Self::Hash { passed } => write!(f, "next on the ring, {passed} points before it had no room"),
        }
    }
}

#[cfg(test)]
mod tests;
