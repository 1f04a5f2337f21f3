//! Core: ranges by rank, score or member: told, kept or removed.

use std::ops::Range;

use ringway_values::{Bound, Kind, LexBound, SortedSet};

use super::bounds::{lex_bounds, score_bounds};
use super::write_member;
use crate::call::{Args, Call};
use crate::command::args::{int, is};
use crate::command::hashes::write_pairs_head;
use crate::command::lists::indices;
use crate::fail::{Fail, Ran};

/// What the two ends are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Member,
}

/// Which words a command takes behind the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// ZRANGE: all of them.
    Any,
    /// ZRANGESTORE: all but WITHSCORES.
    Kept,
    /// WITHSCORES and LIMIT.
    Fixed,
}

struct Options {
    by: By,
    from_end: bool,
    with_scores: bool,
    limit: Option<(i64, i64)>,
}

enum Ends<'a> {
    Ranks(i64, i64),
    Scores(Bound, Bound),
    Members(LexBound<'a>, LexBound<'a>),
}

pub(super) fn tell(call: &mut Call<'_, '_>, args: Args<'_>, words: Words, by: By, from_end: bool) -> Ran {
    let options = Options::parse(&args[4..], words, by, from_end)?;
    let ends = options.ends(args[2], args[3])?;
    let Some(set) = call.keys.sorted_set(args[1])? else {
        call.out.array(0);
        return Ok(());
    };
    let ranks = options.ranks(set, &ends);
    write_pairs_head(call.out, ranks.len(), options.with_scores);
    options.walk(set, ranks, |pair| write_member(call.out, pair, options.with_scores));
    Ok(())
}

/// ZRANGESTORE: a result without members deletes the key.
pub(super) fn store(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let options = Options::parse(&args[5..], Words::Kept, By::Rank, false)?;
    let ends = options.ends(args[3], args[4])?;
    let mut members = Vec::new();
    if let Some(set) = call.keys.sorted_set(args[2])? {
        options.walk(set, options.ranks(set, &ends), |(member, score)| members.push((member.to_vec(), score)));
    }
    keep(call, args[1], &members)
}

/// Makes a sorted set of these, whatever there was, and tells how many they are.
pub(super) fn keep(call: &mut Call<'_, '_>, key: &[u8], members: &[(Vec<u8>, f64)]) -> Ran {
    if members.is_empty() {
        call.keys.delete(key)?;
    } else {
        call.keys.admit(members.iter().map(|(member, _)| member.len() + size_of::<f64>()).sum())?;
        call.keys.replace(key, Kind::SortedSet, |edit| {
            for (member, score) in members {
                edit.zset_put(member, *score);
            }
        })?;
    }
    call.out.int(members.len() as i64);
    Ok(())
}

pub(super) fn remove(call: &mut Call<'_, '_>, args: Args<'_>, by: By) -> Ran {
    let options = Options { by, from_end: false, with_scores: false, limit: None };
    let ends = options.ends(args[2], args[3])?;
    let Some(set) = call.keys.sorted_set(args[1])? else {
        call.out.int(0);
        return Ok(());
    };
    let members: Vec<Vec<u8>> = set.range(options.ranks(set, &ends)).map(|(member, _)| member.to_vec()).collect();
    if !members.is_empty() {
        call.keys.edit_existing(args[1], Kind::SortedSet, |edit| {
            for member in &members {
                edit.zset_remove(member);
            }
        })?;
    }
    call.out.int(members.len() as i64);
    Ok(())
}

impl Options {
    fn parse(rest: Args<'_>, words: Words, by: By, from_end: bool) -> Ran<Self> {
        let mut options = Self { by, from_end, with_scores: false, limit: None };
        let chooses = matches!(words, Words::Any | Words::Kept);
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            if is(word, "WITHSCORES") && words != Words::Kept {
                options.with_scores = true;
            } else if is(word, "LIMIT") {
                let (Some(offset), Some(count)) = (rest.next(), rest.next()) else { return Err(Fail::SYNTAX) };
                options.limit = Some((int(offset)?, int(count)?));
            } else if is(word, "REV") && chooses && !options.from_end {
                options.from_end = true;
            } else if is(word, "BYSCORE") && chooses && options.by == By::Rank {
                options.by = By::Score;
            } else if is(word, "BYLEX") && chooses && options.by == By::Rank {
                options.by = By::Member;
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        options.check()
    }

    fn check(self) -> Ran<Self> {
        if self.limit.is_some() && self.by == By::Rank {
            return Err(Fail::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if self.with_scores && self.by == By::Member {
            return Err(Fail::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        Ok(self)
    }

    /// From the end, the higher one is said first; ranks count from the end then.
    fn ends<'a>(&self, first: &'a [u8], second: &'a [u8]) -> Ran<Ends<'a>> {
        let (low, high) = if self.from_end { (second, first) } else { (first, second) };
        Ok(match self.by {
            By::Rank => Ends::Ranks(int(first)?, int(second)?),
            By::Score => score_bounds(low, high).map(|(low, high)| Ends::Scores(low, high))?,
            By::Member => lex_bounds(low, high).map(|(low, high)| Ends::Members(low, high))?,
        })
    }

    fn ranks(&self, set: &SortedSet, ends: &Ends<'_>) -> Range<usize> {
        let ranks = match *ends {
            Ends::Ranks(first, last) => {
                let ranks = indices(first, last, set.len());
                let mirrored = set.len() - ranks.end..set.len() - ranks.start;
                return if self.from_end { mirrored } else { ranks };
            }
            Ends::Scores(low, high) => set.ranks_of_scores(low, high),
            Ends::Members(low, high) => set.ranks_of_members(low, high),
        };
        match self.limit {
            None => ranks,
            Some((offset, count)) => limited(ranks, offset, count, self.from_end),
        }
    }

    fn walk<'a>(&self, set: &'a SortedSet, ranks: Range<usize>, mut f: impl FnMut((&'a [u8], f64))) {
        let members = set.range(ranks);
        if self.from_end { members.rev().for_each(&mut f) } else { members.for_each(&mut f) }
    }
}

/// A negative offset leaves nothing, a negative count everything.
fn limited(ranks: Range<usize>, offset: i64, count: i64, from_end: bool) -> Range<usize> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
    match from_end {
        true => ranks.end - offset - count..ranks.end - offset,
        false => ranks.start + offset..ranks.start + offset + count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_takes_from_the_side_where_the_walk_begins() {
        assert_eq!(limited(2..10, 1, 3, false), 3..6);
        assert_eq!(limited(2..10, 1, 3, true), 6..9);
        assert_eq!(limited(2..10, 0, -1, false), 2..10);
        assert_eq!(limited(2..10, 7, 100, true), 2..3);
        assert!(limited(2..10, 8, 5, false).is_empty() && limited(2..10, -1, 5, false).is_empty());
    }
}
