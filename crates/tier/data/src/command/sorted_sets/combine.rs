//! Core: unions, intersections and differences of sorted sets; a set counts as one whose scores are 1.

use std::collections::HashMap;

use ringway_values::{Body, SortedSet};

use super::range::keep;
use super::write_member;
use crate::call::{Args, Call, Keys, Live};
use crate::command::args::{double, int, is};
use crate::command::hashes::write_pairs_head;
use crate::command::sets::limit;
use crate::fail::{Fail, Ran};

type Scored = Vec<(Vec<u8>, f64)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

struct Question {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

pub(super) fn zunion(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    tell(call, args, Operation::Union, "zunion")
}

pub(super) fn zinter(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    tell(call, args, Operation::Intersection, "zinter")
}

pub(super) fn zdiff(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    tell(call, args, Operation::Difference, "zdiff")
}

pub(super) fn zunionstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    store(call, args, Operation::Union, "zunionstore")
}

pub(super) fn zinterstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    store(call, args, Operation::Intersection, "zinterstore")
}

pub(super) fn zdiffstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    store(call, args, Operation::Difference, "zdiffstore")
}

pub(super) fn zintercard(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (sources, rest) = sources(call.keys, &args[1..], "zintercard")?;
    let limit = limit(rest)?;
    let count = Question::about(sources.len()).intersection(sources).len();
    call.out.int(count.min(limit) as i64);
    Ok(())
}

fn tell(call: &mut Call<'_, '_>, args: Args<'_>, operation: Operation, name: &str) -> Ran {
    let (sources, rest) = sources(call.keys, &args[1..], name)?;
    let question = Question::parse(sources.len(), rest, operation, true)?;
    let members = question.answer(sources, operation);
    write_pairs_head(call.out, members.len(), question.with_scores);
    for (member, score) in &members {
        write_member(call.out, (member, *score), question.with_scores);
    }
    Ok(())
}

fn store(call: &mut Call<'_, '_>, args: Args<'_>, operation: Operation, name: &str) -> Ran {
    let (sources, rest) = sources(call.keys, &args[2..], name)?;
    let question = Question::parse(sources.len(), rest, operation, false)?;
    keep(call, args[1], &question.answer(sources, operation))
}

/// What is in the keys behind their number, and the words that follow. Redis looks at the keys before it reads on.
fn sources<'a>(keys: &mut Keys<'_>, words: Args<'a>, name: &str) -> Ran<(Vec<Scored>, Args<'a>)> {
    let (names, rest) = counted(words, name)?;
    let sources = names.iter().map(|name| source(keys, name)).collect::<Ran<_>>()?;
    Ok((sources, rest))
}

/// The keys behind their number, and what follows.
fn counted<'a>(words: Args<'a>, name: &str) -> Ran<(Args<'a>, Args<'a>)> {
    let count = usize::try_from(int(words[0])?).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| Fail::of(format!("ERR at least 1 input key is needed for '{name}' command")))?;
    words[1..].split_at_checked(count).ok_or(Fail::SYNTAX)
}

impl Question {
    fn about(sources: usize) -> Self {
        Self { weights: vec![1.0; sources], aggregate: Aggregate::Sum, with_scores: false }
    }

    fn parse(sources: usize, mut rest: Args<'_>, operation: Operation, is_told: bool) -> Ran<Self> {
        let mut question = Self::about(sources);
        let weighs = operation != Operation::Difference;
        while let Some((word, behind)) = rest.split_first() {
            if is(word, "WEIGHTS") && weighs {
                let (weights, behind) = behind.split_at_checked(sources).ok_or(Fail::SYNTAX)?;
                question.weights = weights.iter().map(|weight| weight_of(weight)).collect::<Ran<_>>()?;
                rest = behind;
            } else if is(word, "AGGREGATE") && weighs {
                let (aggregate, behind) = behind.split_first().ok_or(Fail::SYNTAX)?;
                question.aggregate = Aggregate::parse(aggregate)?;
                rest = behind;
            } else if is(word, "WITHSCORES") && is_told {
                question.with_scores = true;
                rest = behind;
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        Ok(question)
    }

    /// In the order of a sorted set.
    fn answer(&self, sources: Vec<Scored>, operation: Operation) -> Scored {
        let weighed = sources.into_iter().zip(&self.weights).map(|(members, weight)| weigh(members, *weight));
        let mut members: Scored = match operation {
            Operation::Union => self.union(weighed.collect()).into_iter().collect(),
            Operation::Intersection => self.intersection(weighed.collect()),
            Operation::Difference => difference(weighed.collect()),
        };
        members.sort_unstable_by(|a, b| SortedSet::compare((&a.0, a.1), (&b.0, b.1)));
        members
    }

    /// The smallest first, as Redis does: sums of floats depend on it.
    fn union(&self, mut sources: Vec<Scored>) -> HashMap<Vec<u8>, f64> {
        sources.sort_by_key(Vec::len);
        let mut all = HashMap::new();
        for (member, score) in sources.into_iter().flatten() {
            let score = or_zero(score);
            all.entry(member).and_modify(|sum| *sum = self.aggregate.of(*sum, score)).or_insert(score);
        }
        all
    }

    fn intersection(&self, mut sources: Vec<Scored>) -> Scored {
        sources.sort_by_key(Vec::len);
        let mut sources = sources.into_iter();
        let mut left = sources.next().unwrap_or_default();
        left.iter_mut().for_each(|(_, score)| *score = or_zero(*score));
        for source in sources {
            let scores: HashMap<Vec<u8>, f64> = source.into_iter().collect();
            left.retain_mut(|(member, sum)| {
                let score = scores.get(member);
                score.map(|score| *sum = self.aggregate.of(*sum, *score)).is_some()
            });
        }
        left
    }
}

fn difference(sources: Vec<Scored>) -> Scored {
    let mut sources = sources.into_iter();
    let mut left: HashMap<Vec<u8>, f64> = sources.next().unwrap_or_default().into_iter().collect();
    for (member, _) in sources.flatten() {
        left.remove(&member);
    }
    left.into_iter().collect()
}

/// Members and scores of a set of either kind.
fn source(keys: &mut Keys<'_>, key: &[u8]) -> Ran<Scored> {
    match keys.live(key)? {
        None => Ok(Vec::new()),
        Some((Live::Collection(collection), _)) => match collection.body() {
            Body::SortedSet(set) => Ok(set.iter().map(|(member, score)| (member.to_vec(), score)).collect()),
            Body::Set(set) => Ok(set.iter().map(|member| (member.to_vec(), 1.0)).collect()),
            _ => Err(Fail::WRONG_TYPE),
        },
        Some(_) => Err(Fail::WRONG_TYPE),
    }
}

fn weigh(mut members: Scored, weight: f64) -> Scored {
    members.iter_mut().for_each(|(_, score)| *score *= weight);
    members
}

fn weight_of(word: &[u8]) -> Ran<f64> {
    double(word).map_err(|_| Fail::new("ERR weight value is not a float"))
}

/// Infinity times nothing is nothing.
fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl Aggregate {
    fn parse(word: &[u8]) -> Ran<Self> {
        match word {
            word if is(word, "SUM") => Ok(Aggregate::Sum),
            word if is(word, "MIN") => Ok(Aggregate::Min),
            word if is(word, "MAX") => Ok(Aggregate::Max),
            _ => Err(Fail::SYNTAX),
        }
    }

    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => or_zero(a + b),
            Aggregate::Min => a.min(b),
            Aggregate::Max => a.max(b),
        }
    }
}
