//! Core: one command's changes to one collection.
//!
//! They take effect at once and are written down; [`Edit::finish`] makes the [`Delta`] for the others. The methods are for one kind
//! each; on another kind they do nothing (and panic in debug builds): whoever opens an edit has looked at the kind.

use std::ops::Range;

use bytes::Bytes;

use crate::delta::Change;
use crate::{Body, Collection, Context, Delta, Dot, Hash, Kind, Life, List, Set, SortedSet};

#[derive(Debug)]
pub struct Edit<'a> {
    collection: &'a mut Collection,
    at: Dot,
    /// What had been seen before; `None`: nothing has changed yet.
    before: Option<Context>,
    changes: Vec<Change>,
    expires_ms: Option<Option<u64>>,
}

/// What a writer has seen of its own replica's writes.
const ALL: fn(Dot) -> bool = |_| true;

impl<'a> Edit<'a> {
    pub(crate) fn new(collection: &'a mut Collection, at: Dot) -> Self {
        Self { collection, at, before: None, changes: Vec::new(), expires_ms: None }
    }

    pub fn collection(&self) -> &Collection {
        self.collection
    }

    /// Makes it a collection of `kind`. What was in it is removed if it was of another.
    pub fn turn(&mut self, kind: Kind) {
        if kind == self.collection.kind() {
            return;
        }
        self.clear();
        let newest = self.collection.newest;
        if newest == Dot::NONE {
            self.collection.body = Body::new(kind);
        } else {
            self.touch();
            self.collection.raise_floor(newest);
            self.collection.body = Body::new(kind);
        }
    }

    /// Whether the field is new.
    pub fn hash_set(&mut self, field: &[u8], value: &[u8]) -> bool {
        if !self.begin_put(Kind::Hash) {
            return false;
        }
        let at = self.at;
        let Some(hash) = self.hash() else { return false };
        let len = hash.len();
        hash.0.put(field, at, value.into(), ALL);
        let is_new = hash.len() > len;
        self.changes.push(Change::Field { field: field.into(), value: value.into() });
        is_new
    }

    pub fn hash_remove(&mut self, field: &[u8]) -> bool {
        let Some(hash) = self.hash() else { return false };
        let Some(place) = hash.0.find(field) else { return false };
        hash.0.erase(place, ALL);
        self.removed(Change::Gone(field.into()));
        true
    }

    /// Whether the member is new. Adding one that is there counts as a write: it stays if somebody else removes it now.
    pub fn set_add(&mut self, member: &[u8]) -> bool {
        if !self.begin_put(Kind::Set) {
            return false;
        }
        let at = self.at;
        let Some(set) = self.set_body() else { return false };
        let len = set.len();
        set.0.put(member, at, (), ALL);
        let is_new = set.len() > len;
        self.changes.push(Change::Member(member.into()));
        is_new
    }

    pub fn set_remove(&mut self, member: &[u8]) -> bool {
        let Some(set) = self.set_body() else { return false };
        let Some(place) = set.0.find(member) else { return false };
        set.0.erase(place, ALL);
        self.removed(Change::Gone(member.into()));
        true
    }

    /// The member's score before. `score` is a number.
    pub fn zset_put(&mut self, member: &[u8], score: f64) -> Option<f64> {
        debug_assert!(!score.is_nan(), "scores are numbers");
        if score.is_nan() || !self.begin_put(Kind::SortedSet) {
            return None;
        }
        // There is one zero.
        let (at, score) = (self.at, score + 0.0);
        let before = self.sorted_set()?.put(member, at, score, ALL);
        self.changes.push(Change::Score { member: member.into(), score });
        before
    }

    /// The member's score before.
    pub fn zset_remove(&mut self, member: &[u8]) -> Option<f64> {
        let before = self.sorted_set()?.erase(member, ALL)?;
        self.removed(Change::Gone(member.into()));
        Some(before)
    }

    pub fn push_front(&mut self, value: &[u8]) {
        self.insert(0, value);
    }

    pub fn push_back(&mut self, value: &[u8]) {
        self.insert(usize::MAX, value);
    }

    /// The new element will have this index; past the end it is the last.
    pub fn insert(&mut self, index: usize, value: &[u8]) {
        if !self.begin_put(Kind::List) {
            return;
        }
        let at = self.at;
        let Some(list) = self.list() else { return };
        let position = list.position_for(index, at);
        list.put(&position, at, value, ALL);
        self.changes.push(Change::Item { position, value: Bytes::copy_from_slice(value) });
    }

    /// Whether there was an element of this index.
    pub fn set(&mut self, index: usize, value: &[u8]) -> bool {
        let Some(position) = self.list().and_then(|list| list.position(index).cloned()) else { return false };
        if !self.begin_put(Kind::List) {
            return false;
        }
        let at = self.at;
        if let Some(list) = self.list() {
            list.put(&position, at, value, ALL);
        }
        self.changes.push(Change::Item { position, value: Bytes::copy_from_slice(value) });
        true
    }

    pub fn pop_front(&mut self) -> Option<Bytes> {
        self.remove(0)
    }

    pub fn pop_back(&mut self) -> Option<Bytes> {
        let last = self.list()?.len().checked_sub(1)?;
        self.remove(last)
    }

    pub fn remove(&mut self, index: usize) -> Option<Bytes> {
        let (position, value) = self.list()?.take_at(index)?;
        self.removed(Change::ItemGone(position));
        Some(value)
    }

    /// Removes what is outside of the range.
    pub fn truncate(&mut self, keep: Range<usize>) {
        let Some(list) = self.list() else { return };
        let len = list.len();
        if keep.start >= keep.end.min(len) {
            return self.clear();
        }
        for _ in keep.end..len {
            self.pop_back();
        }
        for _ in 0..keep.start {
            self.pop_front();
        }
    }

    /// Puts all elements of another collection of the same kind; a list's come last, in their order.
    pub fn copy_from(&mut self, other: &Collection) {
        match &other.body {
            Body::List(list) => list.iter().for_each(|value| self.push_back(value)),
            Body::Hash(hash) => {
                for (field, value) in hash.iter() {
                    self.hash_set(field, value);
                }
            }
            Body::Set(set) => {
                for member in set.iter() {
                    self.set_add(member);
                }
            }
            Body::SortedSet(sorted_set) => {
                for (member, score) in sorted_set.iter() {
                    self.zset_put(member, score);
                }
            }
        }
    }

    /// Removes everything, and the expiry.
    pub fn clear(&mut self) {
        if !self.collection.is_empty() || self.collection.is_buried {
            self.touch();
            self.collection.body = Body::new(self.collection.kind());
            self.collection.is_buried = false;
            self.changes.push(Change::Clear);
        }
        self.forget_expiry();
    }

    pub fn set_expiry(&mut self, expires_ms: Option<u64>) {
        self.touch();
        self.collection.life.merge(Life { expires_ms, version: self.at.into() });
        // Said twice by one command: the last word counts.
        self.collection.life.expires_ms = expires_ms;
        self.expires_ms = Some(expires_ms);
    }

    /// For the other replicas; `None` if nothing has changed.
    pub fn finish(self) -> Option<Delta> {
        let mut before = self.before?;
        before.raise(self.collection.floor);
        Some(Delta {
            before,
            at: self.at.into(),
            floor: self.collection.floor.into(),
            kind: self.collection.kind(),
            changes: self.changes,
            expires_ms: self.expires_ms,
        })
    }

    /// Whether something of `kind` can be put here.
    fn begin_put(&mut self, kind: Kind) -> bool {
        debug_assert!(kind == self.collection.kind(), "a {:?} is no {kind:?}", self.collection.kind());
        if kind != self.collection.kind() {
            return false;
        }
        self.touch();
        if self.collection.is_buried {
            self.clear();
        }
        if self.collection.is_empty() && self.expires_ms.is_none() {
            // Whoever was to expire is no more; this is another one.
            self.forget_expiry();
        }
        self.collection.newest = self.collection.newest.max(self.at);
        true
    }

    fn forget_expiry(&mut self) {
        if self.collection.life.expires_ms.is_some() {
            self.set_expiry(None);
        }
    }

    fn removed(&mut self, change: Change) {
        self.touch();
        self.changes.push(change);
    }

    fn touch(&mut self) {
        if self.before.is_none() {
            self.before = Some(self.collection.context.clone());
            self.collection.context.insert(self.at);
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        debug_assert!(self.collection.kind() == Kind::List, "a {:?} is no list", self.collection.kind());
        if let Body::List(list) = &mut self.collection.body { Some(list) } else { None }
    }

    fn hash(&mut self) -> Option<&mut Hash> {
        debug_assert!(self.collection.kind() == Kind::Hash, "a {:?} is no hash", self.collection.kind());
        if let Body::Hash(hash) = &mut self.collection.body { Some(hash) } else { None }
    }

    fn set_body(&mut self) -> Option<&mut Set> {
        debug_assert!(self.collection.kind() == Kind::Set, "a {:?} is no set", self.collection.kind());
        if let Body::Set(set) = &mut self.collection.body { Some(set) } else { None }
    }

    fn sorted_set(&mut self) -> Option<&mut SortedSet> {
        debug_assert!(self.collection.kind() == Kind::SortedSet, "a {:?} is no sorted set", self.collection.kind());
        if let Body::SortedSet(sorted_set) = &mut self.collection.body { Some(sorted_set) } else { None }
    }
}
