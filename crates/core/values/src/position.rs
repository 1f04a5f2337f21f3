//! Core: where an element of a list is, in words that stay true whatever happens around it.
//!
//! Positions are ordered and dense: between any two there is a third. A position is a path of steps (Logoot: Weiss, Urso, Molli,
//! 2009): a place, and the write that made it, which tells two replicas' steps to one place apart. The ends take places far from
//! each other, so that lists that are only pushed and popped have paths of one step, and an insertion usually finds a free place
//! between its neighbours; only then a path grows.

use crate::Dot;

/// How far from the last element the next one is pushed.
const STRIDE: i64 = 1 << 16;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub(crate) first: Step,
    /// `None` rather than empty. A path is later than the path it begins with.
    pub(crate) rest: Option<Box<[Step]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub place: i64,
    pub dot: Dot,
}

impl Position {
    /// The only element's.
    pub fn only(dot: Dot) -> Self {
        Self { first: Step { place: 0, dot }, rest: None }
    }

    pub fn after(last: &Position, dot: Dot) -> Self {
        match last.first.place.checked_add(STRIDE) {
            Some(place) => Self { first: Step { place, dot }, rest: None },
            None => Self::of(&path_after(&last.steps(), dot)),
        }
    }

    pub fn before(first: &Position, dot: Dot) -> Self {
        match first.first.place.checked_sub(STRIDE) {
            Some(place) => Self { first: Step { place, dot }, rest: None },
            None => Self::of(&path_before(&first.steps(), dot)),
        }
    }

    /// `low` is before `high`.
    pub fn between(low: &Position, high: &Position, dot: Dot) -> Self {
        if let Some(place) = middle(low.first.place, high.first.place) {
            return Self { first: Step { place, dot }, rest: None };
        }
        Self::of(&path_between(&low.steps(), &high.steps(), dot))
    }

    pub(crate) fn of(steps: &[Step]) -> Self {
        let (first, rest) = steps.split_first().expect("paths are made with at least one step");
        Self { first: *first, rest: (!rest.is_empty()).then(|| rest.into()) }
    }

    pub(crate) fn rest(&self) -> &[Step] {
        self.rest.as_deref().unwrap_or_default()
    }

    /// The element's share in the digest of its list, with the write that is in it.
    pub(crate) fn digest(&self, write: Dot) -> u64 {
        let steps = std::iter::once(&self.first).chain(self.rest());
        let sum = steps.fold(write.mixed(), |sum, step| {
            (sum.rotate_left(23) ^ step.dot.mixed() ^ step.place as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93)
        });
        sum ^ (sum >> 31)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        crate::size_class(size_of_val(self.rest()))
    }

    fn steps(&self) -> Vec<Step> {
        std::iter::once(&self.first).chain(self.rest()).copied().collect()
    }
}

fn middle(low: i64, high: i64) -> Option<i64> {
    let gap = high.checked_sub(low).unwrap_or(i64::MAX);
    (gap >= 2).then(|| low + gap / 2)
}

/// Later than `path` and than all that begin with it, as few steps as possible.
fn path_after(path: &[Step], dot: Dot) -> Vec<Step> {
    match path.split_first() {
        None => vec![Step { place: 0, dot }],
        Some((first, rest)) => match first.place.checked_add(STRIDE) {
            Some(place) => vec![Step { place, dot }],
            None => behind(*first, path_after(rest, dot)),
        },
    }
}

fn path_before(path: &[Step], dot: Dot) -> Vec<Step> {
    match path.split_first() {
        // Nobody asks: before the path that another begins with, it has to go before what follows.
        None => vec![Step { place: 0, dot }],
        // A list that is only pushed to at its front comes near the end of the numbers after years.
        Some((first, rest)) => match first.place.checked_sub(STRIDE).or_else(|| middle(i64::MIN, first.place)) {
            Some(place) => vec![Step { place, dot }],
            None => behind(*first, path_before(rest, dot)),
        },
    }
}

fn path_between(low: &[Step], high: &[Step], dot: Dot) -> Vec<Step> {
    let Some((high_first, high_rest)) = high.split_first() else { return path_after(low, dot) };
    let Some((low_first, low_rest)) = low.split_first() else { return path_before(high, dot) };
    if low_first == high_first {
        return behind(*low_first, path_between(low_rest, high_rest, dot));
    }
    match middle(low_first.place, high_first.place) {
        Some(place) => vec![Step { place, dot }],
        None => behind(*low_first, path_after(low_rest, dot)),
    }
}

fn behind(first: Step, mut rest: Vec<Step>) -> Vec<Step> {
    rest.insert(0, first);
    rest
}

#[cfg(test)]
mod tests;
