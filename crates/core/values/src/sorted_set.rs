//! Core: a sorted set: members with a score, by score and then by their bytes.
//!
//! A table from member to score, and the members once more in order. Scores are never "not a number".

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::Dot;
use crate::chunked::{Chunked, Items, Place};
use crate::table::Table;

#[derive(Clone, Debug, Default)]
pub struct SortedSet {
    scores: Table<Arc<[u8]>, f64>,
    order: Chunked<Ranked>,
}

#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    score: f64,
    member: Arc<[u8]>,
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Including(f64),
    Excluding(f64),
}

/// One end of a range of members, all of one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    Lowest,
    Highest,
    Including(&'a [u8]),
    Excluding(&'a [u8]),
}

impl SortedSet {
    /// The order of members with their scores. 0 and -0 are one score; there is no "not a number".
    pub fn compare((one, score): (&[u8], f64), (other, other_score): (&[u8], f64)) -> Ordering {
        score.partial_cmp(&other_score).unwrap_or(Ordering::Equal).then_with(|| one.cmp(other))
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// How many members are before it.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.index_of(self.place_of(score, member)))
    }

    pub fn iter(&self) -> Ranks<'_> {
        self.range(0..self.len())
    }

    /// By rank; those that are there.
    pub fn range(&self, ranks: Range<usize>) -> Ranks<'_> {
        Ranks(self.order.range(ranks))
    }

    /// Any order, but all of 0 to `len` are different members.
    pub fn nth(&self, index: usize) -> Option<(&[u8], f64)> {
        self.scores.entries().get(index).map(|entry| (entry.key.as_ref(), entry.slot.value))
    }

    /// The ranks of the scores from `low` to `high`.
    pub fn ranks_of_scores(&self, low: Bound, high: Bound) -> Range<usize> {
        let start = self.rank_of(|at| match low {
            Bound::Including(low) => at.score < low,
            Bound::Excluding(low) => at.score <= low,
        });
        let end = self.rank_of(|at| match high {
            Bound::Including(high) => at.score <= high,
            Bound::Excluding(high) => at.score < high,
        });
        start..end.max(start)
    }

    /// The ranks of the members from `low` to `high`. Means something only if all scores are the same.
    pub fn ranks_of_members(&self, low: LexBound<'_>, high: LexBound<'_>) -> Range<usize> {
        let start = self.rank_of(|at| match low {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(low) => at.member.as_ref() < low,
            LexBound::Excluding(low) => at.member.as_ref() <= low,
        });
        let end = self.rank_of(|at| match high {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(high) => at.member.as_ref() <= high,
            LexBound::Excluding(high) => at.member.as_ref() < high,
        });
        start..end.max(start)
    }

    /// See [`crate::Hash::scan`].
    pub fn scan(&self, cursor: u64, count: usize, mut f: impl FnMut(&[u8], f64)) -> u64 {
        self.scores.scan(cursor, count, |entry| f(&entry.key, entry.slot.value))
    }

    pub(crate) fn scores(&self) -> &Table<Arc<[u8]>, f64> {
        &self.scores
    }

    pub(crate) fn digest(&self) -> u64 {
        self.scores.digest()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.scores.heap_bytes() + self.order.heap_bytes() + self.len() * ARC_HEAD_BYTES
    }

    /// Writes `score` over those writes of `member` that are `gone`. The score that was read before.
    pub(crate) fn put(&mut self, member: &[u8], dot: Dot, score: f64, gone: impl Fn(Dot) -> bool) -> Option<f64> {
        let before = self.score(member);
        let at = self.scores.put(member, dot, score, gone);
        let entry = &self.scores.entries()[at];
        let (score, shared) = (entry.slot.value, entry.key.clone());
        self.reorder(shared, before, Some(score));
        before
    }

    /// Drops the writes of `member` that are `gone`. The score that was read before.
    pub(crate) fn erase(&mut self, member: &[u8], gone: impl Fn(Dot) -> bool) -> Option<f64> {
        let at = self.scores.find(member)?;
        let entry = &self.scores.entries()[at];
        let (before, shared) = (entry.slot.value, entry.key.clone());
        let after = match self.scores.erase(at, gone) {
            true => None,
            false => self.score(member),
        };
        self.reorder(shared, Some(before), after);
        Some(before)
    }

    pub(crate) fn of(scores: Table<Arc<[u8]>, f64>) -> Self {
        let mut sorted_set = Self { scores, order: Chunked::default() };
        sorted_set.sort();
        sorted_set
    }

    pub(crate) fn retain(&mut self, gone: impl Fn(Dot) -> bool) -> bool {
        let changed = self.scores.retain(|_, dot| gone(dot));
        if changed {
            self.sort();
        }
        changed
    }

    pub(crate) fn absorb(&mut self, other: Self, seen: impl Fn(Dot) -> bool, seen_there: impl Fn(Dot) -> bool) -> bool {
        let changed = self.scores.absorb(other.scores, seen, seen_there);
        if changed {
            self.sort();
        }
        changed
    }

    /// Makes the order anew.
    fn sort(&mut self) {
        let entries = self.scores.entries().iter();
        let mut all: Vec<_> =
            entries.map(|entry| Ranked { score: entry.slot.value, member: entry.key.clone() }).collect();
        all.sort_unstable_by(|a, b| Self::compare(pair(a), pair(b)));
        self.order = all.into_iter().collect();
    }

    fn reorder(&mut self, member: Arc<[u8]>, before: Option<f64>, after: Option<f64>) {
        if before.map(f64::to_bits) == after.map(f64::to_bits) {
            return;
        }
        if let Some(before) = before {
            self.order.remove(self.place_of(before, &member));
        }
        if let Some(score) = after {
            self.order.insert(self.place_of(score, &member), Ranked { score, member });
        }
    }

    fn place_of(&self, score: f64, member: &[u8]) -> Place {
        self.order.partition_point(|at| Self::compare(pair(at), (member, score)) == Ordering::Less)
    }

    fn rank_of(&self, before: impl Fn(&Ranked) -> bool) -> usize {
        self.order.index_of(self.order.partition_point(before))
    }
}

/// The two counters in front of a shared member.
const ARC_HEAD_BYTES: usize = 16;

/// Members and scores in order, from either end.
#[derive(Debug)]
pub struct Ranks<'a>(Items<'a, Ranked>);

impl<'a> Iterator for Ranks<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Ranks<'_> {}

impl DoubleEndedIterator for Ranks<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(pair)
    }
}

fn pair(at: &Ranked) -> (&[u8], f64) {
    (&at.member, at.score)
}
