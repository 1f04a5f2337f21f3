//! Core: the port through which a node says what it knows about a key, and the four ways of knowing it.
//!
//! Asking for the way in a strange town: one inn keeps the address book (0, the key index), everybody has the map (1, the node
//! table), everybody knows his street (2, neighbours), or everybody knows his street and a few friends in ever more distant
//! quarters (3, fingers: Stoica et al., "Chord", SIGCOMM 2001). Whoever is asked says *here* only if it is so by his own deeds;
//! otherwise he names others. So a stale answer costs a hop and never a wrong result, and the four are interchangeable.
//!
//! The same implementations run in a live node and, over borrowed compact arrays, in the simulator at 10^6 nodes: hence the type
//! parameter for what a peer is, [`Peers`] for where they are kept, and the caller's [`Next`], so that a step allocates nothing.
//! What this does *not* do: ask anybody. That is [`crate::lookup::Lookup`] and its driver.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Point, VirtualNode};

/// How many candidates an answer between nodes names at most.
pub const CANDIDATES_MAX: usize = 16;

/// One of the four lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// 0: one node keeps key -> node.
    Index,
    /// 1: every node knows every node.
    Table,
    /// 2: every node knows the next few on either side.
    Neighbours,
    /// 3: finger tables and a successor list.
    Fingers,
}

/// What a node answers about a key from its own knowledge alone. This is what goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step<P> {
    /// It falls to me: the only answer that ends a lookup.
    Mine,
    /// These may know better, the best first; at most [`CANDIDATES_MAX`].
    Ask(Vec<P>),
    /// My own state is undefined at the moment (I join, or repair my list): ask again in a moment.
    Busy,
    /// I know nobody to ask.
    Unknown,
}

/// [`Step`] without its candidates, which are in the caller's [`Next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Mine,
    Ask,
    Busy,
    Unknown,
}

/// Somebody who can be asked: a virtual node in a live ring, an index in the simulator.
pub trait Peer: Copy + fmt::Debug {
    fn point(&self) -> Point;
    /// Whether both are places of one machine: it answers for all its places, and they die together.
    fn is_same_node(&self, other: &Self) -> bool;
}

/// Peers in a row, wherever they are kept.
pub trait Peers<P> {
    fn count(&self) -> usize;
    /// `number` is below [`Peers::count`].
    fn peer(&self, number: usize) -> P;
}

/// One node's way of knowing who has a key.
pub trait Router<P: Peer> {
    fn via(&self) -> Via;

    /// How many entries it keeps: other nodes, or keys.
    fn entries(&self) -> usize;

    /// Answers from own knowledge. Candidates go into `next` (which is cleared first), the best first, as many as it takes.
    fn look(&self, key: Point, next: &mut Next<P>) -> Verdict;

    /// The same for the wire.
    fn step(&self, key: Point) -> Step<P> {
        let mut next = Next::new(CANDIDATES_MAX);
        match self.look(key, &mut next) {
            Verdict::Mine => Step::Mine,
            Verdict::Ask => Step::Ask(next.peers),
            Verdict::Busy => Step::Busy,
            Verdict::Unknown => Step::Unknown,
        }
    }
}

/// Candidates, the best first, bounded; made once and used for every step.
#[derive(Clone, Debug)]
pub struct Next<P> {
    peers: Vec<P>,
    limit: usize,
}

impl Via {
    pub const fn all() -> [Via; 4] {
        [Via::Index, Via::Table, Via::Neighbours, Via::Fingers]
    }

    pub const fn word(self) -> &'static str {
        match self {
            Via::Index => "index",
            Via::Table => "table",
            Via::Neighbours => "neighbours",
            Via::Fingers => "fingers",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a text is no way of looking up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no router: it is index, table, neighbours or fingers")]
pub struct ParseViaError(pub String);

impl FromStr for Via {
    type Err = ParseViaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Via::all().into_iter().find(|via| via.word() == text).ok_or_else(|| ParseViaError(text.to_owned()))
    }
}

impl<P: Copy> Next<P> {
    /// For at most `limit` candidates (one at least); this is the only allocation.
    pub fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { peers: Vec::with_capacity(limit), limit }
    }

    pub fn clear(&mut self) {
        self.peers.clear();
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.peers.len() < self.limit
    }

    /// Adds the next best; what does not fit is dropped.
    pub fn push(&mut self, peer: P) {
        if self.has_room() {
            self.peers.push(peer);
        }
    }

    /// Adds one that must not be dropped: if there is no room, it takes the place of the last, unless that is the only one.
    pub fn push_last(&mut self, peer: P) {
        if self.peers.len() == self.limit && self.limit > 1 {
            self.peers.pop();
        }
        self.push(peer);
    }

    pub fn as_slice(&self) -> &[P] {
        &self.peers
    }
}

impl Peer for VirtualNode {
    fn point(&self) -> Point {
        self.point
    }

    fn is_same_node(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<P: Copy> Peers<P> for &[P] {
    fn count(&self) -> usize {
        self.len()
    }

    fn peer(&self, number: usize) -> P {
        self[number]
    }
}

impl<P: Copy> Peers<P> for Vec<P> {
    fn count(&self) -> usize {
        self.len()
    }

    fn peer(&self, number: usize) -> P {
        self[number]
    }
}

#[cfg(test)]
mod tests;
