//! Core: what is in a collection.

use crate::delta::Change;
use crate::{Dot, Hash, Kind, List, Set, SortedSet};

#[derive(Clone, Debug)]
pub enum Body {
    List(List),
    Hash(Hash),
    Set(Set),
    SortedSet(SortedSet),
}

impl Body {
    /// Of one of the collections' kinds.
    pub(crate) fn new(kind: Kind) -> Self {
        debug_assert!(kind != Kind::String, "a string is not a collection");
        match kind {
            Kind::String | Kind::List => Body::List(List::default()),
            Kind::Hash => Body::Hash(Hash::default()),
            Kind::Set => Body::Set(Set::default()),
            Kind::SortedSet => Body::SortedSet(SortedSet::default()),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Body::List(_) => Kind::List,
            Body::Hash(_) => Kind::Hash,
            Body::Set(_) => Kind::Set,
            Body::SortedSet(_) => Kind::SortedSet,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Body::List(list) => list.len(),
            Body::Hash(hash) => hash.len(),
            Body::Set(set) => set.len(),
            Body::SortedSet(sorted_set) => sorted_set.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn digest(&self) -> u64 {
        match self {
            Body::List(list) => list.digest(),
            Body::Hash(hash) => hash.0.digest(),
            Body::Set(set) => set.0.digest(),
            Body::SortedSet(sorted_set) => sorted_set.digest(),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Body::List(list) => list.heap_bytes(),
            Body::Hash(hash) => hash.0.heap_bytes(),
            Body::Set(set) => set.0.heap_bytes(),
            Body::SortedSet(sorted_set) => sorted_set.heap_bytes(),
        }
    }

    /// Drops all writes that are `gone`.
    pub(crate) fn retain(&mut self, gone: impl Fn(Dot) -> bool) {
        match self {
            Body::List(list) => list.retain(gone),
            Body::Hash(hash) => hash.0.retain(|_, dot| gone(dot)),
            Body::Set(set) => set.0.retain(|_, dot| gone(dot)),
            Body::SortedSet(sorted_set) => sorted_set.retain(gone),
        };
    }

    /// Joins another replica's body of the same kind: a write that one has and the other has `seen` but has no more is gone.
    pub(crate) fn absorb(&mut self, other: Body, seen: impl Fn(Dot) -> bool, seen_there: impl Fn(Dot) -> bool) {
        match (self, other) {
            (Body::List(own), Body::List(other)) => own.absorb(other, seen, seen_there),
            (Body::Hash(own), Body::Hash(other)) => own.0.absorb(other.0, seen, seen_there),
            (Body::Set(own), Body::Set(other)) => own.0.absorb(other.0, seen, seen_there),
            (Body::SortedSet(own), Body::SortedSet(other)) => own.absorb(other, seen, seen_there),
            (own, other) => {
                debug_assert!(false, "a {:?} cannot be joined with a {:?}", own.kind(), other.kind());
                false
            }
        };
    }

    /// One change by the command `at`, for which those writes are overwritten that its writer had seen.
    pub(crate) fn perform(&mut self, change: &Change, at: Dot, seen: impl Fn(Dot) -> bool) {
        match (self, change) {
            (body, Change::Clear) => body.retain(seen),
            (Body::List(list), Change::Item { position, value }) => list.put(position, at, value, seen),
            (Body::List(list), Change::ItemGone(position)) => drop(list.erase(position, seen)),
            (Body::Hash(hash), Change::Field { field, value }) => drop(hash.0.put(field, at, value.clone(), seen)),
            (Body::Hash(hash), Change::Gone(field)) => drop(hash.0.find(field).map(|place| hash.0.erase(place, seen))),
            (Body::Set(set), Change::Member(member)) => drop(set.0.put(member, at, (), seen)),
            (Body::Set(set), Change::Gone(member)) => drop(set.0.find(member).map(|place| set.0.erase(place, seen))),
            (Body::SortedSet(sorted_set), Change::Score { member, score }) => {
                sorted_set.put(member, at, *score, seen);
            }
            (Body::SortedSet(sorted_set), Change::Gone(member)) => drop(sorted_set.erase(member, seen)),
            // Removed from a kind that has lost against another: nothing of it is here.
            _ => {}
        }
    }
}
