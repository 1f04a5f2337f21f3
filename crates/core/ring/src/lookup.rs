//! Core: an iterative lookup, run by the node that asks. It asks one node after the other, each nearer to the key, and believes
//! nobody but the owner: only an answer *it is mine* ends it.
//!
//! It keeps a bracket: the nearest node before the key that has answered, and the nearest at or past it that has answered *not
//! mine*. The owner is between them, so a candidate from between them is progress. Whoever overshoots (it was the owner until
//! somebody joined before it) names its predecessor, which lies in the bracket, and so the lookup steps back. Candidates that were
//! not needed are remembered as detours around dead nodes. Loosely after the iterative style of the Chord paper, section 5, and
//! its timeouts of section 6.4; the owner's check at the end is ours and is what makes lookups under churn correct.
//!
//! It has no clock: the driver asks, and reports the answer, the timeout or the refusal.

use serde::{Deserialize, Serialize};

use crate::Point;
use crate::router::{CANDIDATES_MAX, Peer, Step, Verdict};

/// How many candidates are remembered.
const REMEMBERED_MAX: usize = 32;
/// How many nodes that answered are remembered, so as not to ask them twice.
const ASKED_MAX: usize = 32;
/// After so many pauses the lookup goes all the way again: the heir may be the wrong one.
const HEIR_WAITS_MAX: u32 = 8;

/// What a lookup may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes that answer.
    pub hops_max: u32,
    /// Nodes that do not.
    pub timeouts_max: u32,
    /// How often it waits: for a node that is busy, or because nobody is left to ask.
    pub waits_max: u32,
    /// How many nodes from outside of the bracket are asked between two waits because somebody past the key names them. None where
    /// all know by position: they only know less. A map or a directory names the owner wherever it stands itself.
    pub hearsay_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hops_max: 64, timeouts_max: 64, waits_max: 40, hearsay_max: 0 }
    }
}

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<P> {
    /// Ask this one. The first is always the asking node itself: answer it from its own router.
    Ask(P),
    /// Ask this one after a pause (a tenth of a second is about right on a network).
    Wait(P),
    Found(Found<P>),
    Failed(Why),
}

/// The end of a lookup that reached the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found<P> {
    pub owner: P,
    /// Other nodes that answered, the owner included: 0 if the asking node owns the key itself.
    pub hops: u32,
    pub timeouts: u32,
}

/// Why a lookup gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    #[error("too many hops")]
    TooManyHops,
    #[error("too many nodes did not answer")]
    TooManyTimeouts,
    #[error("nobody is left to ask")]
    NobodyLeft,
}

/// One lookup. It can be started again for another key, so that a million of them allocate once.
#[derive(Clone, Debug)]
pub struct Lookup<P> {
    me: P,
    key: Point,
    limits: Limits,
    hops: u32,
    timeouts: u32,
    waits: u32,
    /// Answered, and precedes the key.
    before: Point,
    /// Answered, is at or past the key, and does not own it.
    after: Point,
    /// Whom to ask, the best last.
    candidates: Vec<P>,
    /// The last that answered.
    asked: Vec<P>,
    asked_next: usize,
    dead: Vec<P>,
    /// Who stands at `after`: it inherits if the owner has died.
    heir: Option<P>,
    /// Somebody before the key has named the asking node: then that is the one past the key.
    is_named: bool,
    hearsay: u32,
}

impl<P: Peer> Lookup<P> {
    /// A lookup of `key` by the node that stands at `me`. The first to ask is that node itself.
    pub fn start(me: P, key: Point, limits: Limits) -> (Self, Action<P>) {
        let mut lookup = Self {
            me,
            key,
            limits,
            hops: 0,
            timeouts: 0,
            waits: 0,
            before: me.point(),
            after: me.point(),
            candidates: Vec::with_capacity(REMEMBERED_MAX),
            asked: Vec::with_capacity(ASKED_MAX),
            asked_next: 0,
            dead: Vec::new(),
            heir: None,
            is_named: false,
            hearsay: 0,
        };
        let first = lookup.again(me, key);
        (lookup, first)
    }

    /// Forgets everything and starts for another key, without allocating.
    pub fn again(&mut self, me: P, key: Point) -> Action<P> {
        (self.me, self.key) = (me, key);
        (self.hops, self.timeouts, self.waits) = (0, 0, 0);
        self.forget();
        Action::Ask(me)
    }

    pub fn key(&self) -> Point {
        self.key
    }

    pub fn hops(&self) -> u32 {
        self.hops
    }

    pub fn timeouts(&self) -> u32 {
        self.timeouts
    }

    /// `from` has answered.
    pub fn answered(&mut self, from: P, step: &Step<P>) -> Action<P> {
        match step {
            Step::Mine => self.heard(from, Verdict::Mine, &[]),
            Step::Ask(candidates) => self.heard(from, Verdict::Ask, candidates),
            Step::Busy => self.heard(from, Verdict::Busy, &[]),
            Step::Unknown => self.heard(from, Verdict::Unknown, &[]),
        }
    }

    /// The same with the candidates apart.
    pub fn heard(&mut self, from: P, verdict: Verdict, candidates: &[P]) -> Action<P> {
        if verdict == Verdict::Busy {
            return self.wait_for(from);
        }
        let is_new = !from.is_same_node(&self.me) && !self.was_asked(&from);
        self.hops += u32::from(is_new);
        if verdict == Verdict::Mine {
            return Action::Found(Found { owner: from, hops: self.hops, timeouts: self.timeouts });
        }
        if self.hops >= self.limits.hops_max {
            return Action::Failed(Why::TooManyHops);
        }
        // Who knows nobody is in no ring, or not any more: where it stands says nothing.
        if verdict == Verdict::Ask {
            self.narrow(from);
        }
        if is_new {
            self.remember_asked(from);
        }
        self.remember(candidates);
        self.ask_next(candidates)
    }

    /// `peer` did not answer in time, or could not be reached.
    pub fn timed_out(&mut self, peer: P) -> Action<P> {
        self.timeouts += 1;
        if self.timeouts >= self.limits.timeouts_max {
            return Action::Failed(Why::TooManyTimeouts);
        }
        self.dead.push(peer);
        if self.heir.take_if(|heir| heir.is_same_node(&peer)).is_some() {
            self.after = self.me.point();
        }
        self.ask_next(&[])
    }

    /// Moves the nearer end of the bracket to a node that has just said *not mine*.
    fn narrow(&mut self, from: P) {
        let point = from.point();
        if !point.is_between(self.before, self.after) {
            return;
        }
        if self.key.is_owned_by(self.before, point) {
            (self.after, self.heir) = (point, Some(from));
        } else {
            self.before = point;
        }
    }

    /// Candidates from within the bracket go first, in the order given; the others are kept as detours, behind all.
    fn remember(&mut self, candidates: &[P]) {
        for peer in candidates[..candidates.len().min(CANDIDATES_MAX)].iter().rev() {
            if peer.is_same_node(&self.me) {
                self.is_named |= self.key.is_owned_by(self.before, peer.point());
                continue;
            }
            let room = self.candidates.len() < REMEMBERED_MAX;
            if !peer.point().is_between(self.before, self.after) {
                if room {
                    self.candidates.insert(0, *peer);
                }
                continue;
            }
            if !room {
                self.candidates.remove(0);
            }
            self.candidates.push(*peer);
        }
    }

    /// The best from within the bracket; else, if nobody past the key is known yet, a detour; else whom the last one `named`.
    fn ask_next(&mut self, named: &[P]) -> Action<P> {
        let has_upper_end = self.is_named || self.heir.is_some();
        let mut detour = None;
        for index in (0..self.candidates.len()).rev() {
            let peer = self.candidates[index];
            let is_inside = peer.point().is_between(self.before, self.after);
            if !is_inside && (has_upper_end || detour.is_some()) || !self.is_worth_asking(&peer) {
                continue;
            }
            if is_inside {
                return Action::Ask(self.candidates.remove(index));
            }
            detour = Some(index);
        }
        match detour {
            Some(index) => Action::Ask(self.candidates.remove(index)),
            None => self.ask_on_hearsay(named),
        }
    }

    fn ask_on_hearsay(&mut self, named: &[P]) -> Action<P> {
        // The asking node itself may be named, too: for another place than the one where it began.
        let is_new = |peer: &&P| peer.point() != self.me.point() && self.is_worth_asking(peer);
        match named.iter().find(is_new) {
            Some(peer) if self.hearsay < self.limits.hearsay_max => {
                self.hearsay += 1;
                Action::Ask(*peer)
            }
            _ => self.wait_for_heir(),
        }
    }

    fn is_worth_asking(&self, peer: &P) -> bool {
        !self.was_asked(peer) && !self.dead.iter().any(|dead| dead.is_same_node(peer))
    }

    fn was_asked(&self, peer: &P) -> bool {
        self.asked.iter().any(|asked| asked.is_same_node(peer))
    }

    /// Nobody is left between the last before the key and the first past it, and both say *not mine*: the owner has just died or
    /// come, and its neighbour has not noticed yet. It is asked again after a pause; asking all around the ring would be no use.
    fn wait_for_heir(&mut self) -> Action<P> {
        match self.heir {
            Some(heir) if !(self.waits + 1).is_multiple_of(HEIR_WAITS_MAX) => self.wait_for(heir),
            _ => self.start_over(),
        }
    }

    /// After a pause the asking node looks again at what it knows itself, which may have been repaired. Who was asked may be asked
    /// again (it may have become the owner), and who did not answer as well (the message may have been lost).
    fn start_over(&mut self) -> Action<P> {
        self.forget();
        self.wait_for(self.me)
    }

    fn wait_for(&mut self, peer: P) -> Action<P> {
        self.waits += 1;
        if self.waits > self.limits.waits_max {
            return Action::Failed(Why::NobodyLeft);
        }
        self.hearsay = 0;
        Action::Wait(peer)
    }

    fn forget(&mut self) {
        (self.before, self.after) = (self.me.point(), self.me.point());
        (self.heir, self.is_named) = (None, false);
        self.candidates.clear();
        self.dead.clear();
        self.asked.clear();
        self.asked_next = 0;
    }

    fn remember_asked(&mut self, peer: P) {
        if self.asked.len() < ASKED_MAX {
            self.asked.push(peer);
            return;
        }
        self.asked[self.asked_next] = peer;
        self.asked_next = (self.asked_next + 1) % ASKED_MAX;
    }
}

#[cfg(test)]
mod tests;
