//! Core: a list, hash, set or sorted set that replicas change at the same time.
//!
//! Observed-remove with dots (Bieniusa et al., "An optimized conflict-free replicated set", 2012): every element carries the dots of
//! the writes that put it there and that nobody has overwritten. What is not there although the context covers its dot has been
//! removed, so removals leave nothing behind. A removal takes what its writer had seen: an element that is added at the same
//! time elsewhere stays.
//!
//! Two numbers settle what elements cannot. The *floor*: a string was written over the key at that version (or another kind of
//! collection was, see `reign`), everything up to it is gone, also what nobody here has heard of. *Newest*: the latest put; of two
//! kinds the one with the newer put stays, and raises the floor to the newest of the other. All parts only grow, so replicas agree
//! in whatever order they hear of it.

use ringway_causality::Version;

use crate::{Applied, Body, Change, Context, Delta, Dot, Edit, Hash, Kind, Life, List, Set, SortedSet};

#[derive(Clone, Debug)]
pub struct Collection {
    pub(crate) floor: Dot,
    /// The latest put of this kind, [`Dot::NONE`] if the floor has passed it.
    pub(crate) newest: Dot,
    pub(crate) context: Context,
    pub(crate) life: Life,
    pub(crate) body: Body,
    /// The elements were dropped here because it had expired; that removes nothing elsewhere.
    pub(crate) is_buried: bool,
}

impl Collection {
    pub fn new(kind: Kind) -> Self {
        Self::replacing(Version::default(), kind)
    }

    /// Over a string or a tombstone of that version.
    pub fn replacing(floor: Version, kind: Kind) -> Self {
        Self {
            floor: floor.into(),
            newest: Dot::NONE,
            context: Context::default(),
            life: Life::default(),
            body: Body::new(kind),
            is_buried: false,
        }
    }

    pub fn kind(&self) -> Kind {
        self.body.kind()
    }

    pub fn len(&self) -> usize {
        self.body.len()
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub fn body(&self) -> &Body {
        &self.body
    }

    pub fn list(&self) -> Option<&List> {
        if let Body::List(list) = &self.body { Some(list) } else { None }
    }

    pub fn hash(&self) -> Option<&Hash> {
        if let Body::Hash(hash) = &self.body { Some(hash) } else { None }
    }

    pub fn set(&self) -> Option<&Set> {
        if let Body::Set(set) = &self.body { Some(set) } else { None }
    }

    pub fn sorted_set(&self) -> Option<&SortedSet> {
        if let Body::SortedSet(sorted_set) = &self.body { Some(sorted_set) } else { None }
    }

    pub fn life(&self) -> Life {
        self.life
    }

    /// Everything up to it is gone.
    pub fn floor(&self) -> Version {
        self.floor.into()
    }

    /// The latest put of this kind that the floor has not passed.
    pub fn newest(&self) -> Version {
        self.newest.into()
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// One command's changes. Its dot is later than [`Collection::latest`].
    pub fn edit(&mut self, dot: Version) -> Edit<'_> {
        debug_assert!(dot > self.latest(), "{dot:?} is not later than {:?}", self.latest());
        Edit::new(self, dot.into())
    }

    pub fn is_live(&self, now_ms: u64) -> bool {
        !self.is_empty() && !self.life.is_expired(now_ms)
    }

    pub fn latest(&self) -> Version {
        self.context.latest().max(self.floor).max(self.life.version.into()).into()
    }

    pub fn heap_bytes(&self) -> usize {
        self.context.heap_bytes() + self.body.heap_bytes()
    }

    /// Of all that has to be the same at every replica.
    pub fn digest(&self) -> u64 {
        let mut sum = Mix::new(self.body.digest());
        sum.add_dot(self.floor);
        sum.add_dot(self.newest);
        if self.newest != Dot::NONE {
            sum.add(self.kind() as u64);
        }
        sum.add_dot(self.life.version.into());
        sum.add(self.life.expires_ms.map_or(0, |at| at.wrapping_add(1)));
        self.context.dots().iter().for_each(|dot| sum.add_dot(*dot));
        sum.0
    }

    /// Applies what a command changed at another replica.
    pub fn apply(&mut self, delta: &Delta) -> Applied {
        let at = Dot::from(delta.at);
        if self.covers(at) {
            return Applied::Known;
        }
        let floor = self.floor.max(delta.floor.into());
        let has_gap = delta.before.dots().iter().any(|dot| *dot > floor && !self.context.covers(*dot));
        if has_gap || self.is_buried {
            return Applied::Gap;
        }
        self.raise_floor(floor);
        self.context.insert(at);
        let puts = delta.changes.iter().any(Change::is_put);
        if !puts || self.reign(delta.kind, at) {
            let seen = |dot| dot == at || dot <= Dot::from(delta.floor) || delta.before.covers(dot);
            delta.changes.iter().for_each(|change| self.body.perform(change, at, seen));
        }
        if let Some(expires_ms) = delta.expires_ms {
            self.life.merge(Life { expires_ms, version: delta.at });
        }
        self.raise_floor(self.floor);
        Applied::Changed
    }

    /// Joins another replica's state. Whether anything changed.
    pub fn merge(&mut self, mut other: Collection) -> bool {
        let before = (self.digest(), self.is_buried);
        self.level(&mut other);
        let life_before = self.life;
        self.life.merge(other.life);
        let still_over = |life: Life| life.expires_ms.is_some_and(|at| Some(at) <= life_before.expires_ms);
        if !self.is_buried || !still_over(self.life) {
            self.absorb(other.body, &other.context, other.is_buried);
        }
        self.newest = self.newest.max(other.newest);
        self.context.merge(&other.context);
        before != (self.digest(), self.is_buried)
    }

    fn absorb(&mut self, body: Body, context: &Context, is_buried: bool) {
        let was_buried = self.is_buried;
        let seen = |dot| !was_buried && self.context.covers(dot);
        self.body.absorb(body, seen, |dot| !is_buried && context.covers(dot));
        self.is_buried = was_buried && is_buried;
    }

    /// Brings two states to one floor and one kind.
    fn level(&mut self, other: &mut Collection) {
        let mut floor = self.floor.max(other.floor);
        if self.newest > floor && other.newest > floor && self.kind() != other.kind() {
            floor = floor.max(self.newest.min(other.newest));
        }
        self.raise_floor(floor);
        other.raise_floor(floor);
        if self.newest == Dot::NONE {
            self.body = Body::new(other.kind());
        } else if other.newest == Dot::NONE {
            other.body = Body::new(self.kind());
        }
    }

    /// A put of `kind` by the command `at`: whether it stands. Of two kinds the newer put's stays.
    pub(crate) fn reign(&mut self, kind: Kind, at: Dot) -> bool {
        if kind == self.kind() || self.newest == Dot::NONE {
            if kind != self.kind() {
                self.body = Body::new(kind);
            }
            self.newest = self.newest.max(at);
            return true;
        }
        if at < self.newest {
            self.raise_floor(at);
            return false;
        }
        self.raise_floor(self.newest);
        self.body = Body::new(kind);
        self.newest = at;
        true
    }

    /// Everything up to `floor` is gone, whether it is known here or not.
    pub(crate) fn raise_floor(&mut self, floor: Dot) {
        if floor > self.floor {
            self.floor = floor;
            self.body.retain(|dot| dot <= floor);
        }
        self.context.raise(self.floor);
        if self.newest <= self.floor {
            self.newest = Dot::NONE;
        }
        if Dot::from(self.life.version) <= self.floor {
            self.life = Life::default();
        }
    }

    /// Whether there is nothing to remember but the floor.
    pub(crate) fn is_spent(&self) -> bool {
        self.context.is_empty() && self.life == Life::default()
    }

    pub(crate) fn due_ms(&self, retention_ms: u64) -> Option<u64> {
        match self.is_empty() {
            true => Some(self.dead_since_ms().saturating_add(retention_ms)),
            false => self.life.expires_ms,
        }
    }

    pub(crate) fn is_forgettable(&self, now_ms: u64, retention_ms: u64) -> bool {
        !self.is_live(now_ms) && self.dead_since_ms().saturating_add(retention_ms) <= now_ms
    }

    pub(crate) fn bury(&mut self) {
        if !self.is_empty() {
            self.body = Body::new(self.kind());
            self.is_buried = true;
        }
    }

    fn dead_since_ms(&self) -> u64 {
        let expired_ms = self.life.expires_ms.filter(|_| self.is_buried || !self.is_empty());
        self.latest().wall_ms.max(expired_ms.unwrap_or(0))
    }

    fn covers(&self, dot: Dot) -> bool {
        dot <= self.floor || self.context.covers(dot)
    }
}

/// Makes one number of several, in their order.
pub(crate) struct Mix(pub u64);

impl Mix {
    pub fn new(start: u64) -> Self {
        Self(start ^ 0x2545_F491_4F6C_DD1D)
    }

    pub fn add(&mut self, number: u64) {
        let sum = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = sum ^ (sum >> 29);
    }

    pub fn add_dot(&mut self, dot: Dot) {
        self.add(dot.time);
        self.add(dot.node);
    }
}

#[cfg(test)]
mod tests;
