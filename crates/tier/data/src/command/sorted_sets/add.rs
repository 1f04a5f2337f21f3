//! Core: ZADD and ZINCRBY.

use ringway_values::{Edit, Kind};

use super::write_score;
use crate::call::{Args, Call};
use crate::command::args::{double, is};
use crate::fail::{Fail, Ran};

const NO_NUMBER: Fail = Fail::new("ERR resulting score is not a number (NaN)");

#[derive(Clone, Copy, Default)]
struct Options {
    if_missing: bool,
    if_there: bool,
    if_greater: bool,
    if_less: bool,
    count_changed: bool,
    add_up: bool,
}

#[derive(Default)]
struct Outcome {
    added: i64,
    updated: i64,
    /// Of the last member; `None` if it was not touched.
    score: Option<f64>,
}

pub(super) fn zadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (options, pairs) = Options::parse(&args[2..])?;
    let scored = pairs.iter().map(|[score, member]| Ok((double(score)?, *member))).collect::<Ran<Vec<_>>>()?;
    let outcome = put(call, args[1], options, &scored)?;
    match (options.add_up, options.count_changed) {
        (true, _) => write_score(call.out, outcome.score),
        (false, true) => call.out.int(outcome.added + outcome.updated),
        (false, false) => call.out.int(outcome.added),
    }
    Ok(())
}

pub(super) fn zincrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    // ZADD's options are taken here too, but leave no room for score and member.
    let (options, pairs) = Options::parse(&args[2..])?;
    let options = Options { add_up: true, ..options };
    let scored = pairs.iter().map(|[score, member]| Ok((double(score)?, *member))).collect::<Ran<Vec<_>>>()?;
    let outcome = put(call, args[1], options, &scored)?;
    write_score(call.out, outcome.score);
    Ok(())
}

fn put(call: &mut Call<'_, '_>, key: &[u8], options: Options, scored: &[(f64, &[u8])]) -> Ran<Outcome> {
    let Some(set) = call.keys.sorted_set(key)? else {
        return if options.if_there { Ok(Outcome::default()) } else { put_all(call, key, options, scored) };
    };
    let is_no_number = |(by, member): &(f64, &[u8])| (set.score(member).unwrap_or(0.0) + by).is_nan();
    if options.add_up && scored.iter().any(is_no_number) {
        return Err(NO_NUMBER);
    }
    put_all(call, key, options, scored)
}

fn put_all(call: &mut Call<'_, '_>, key: &[u8], options: Options, scored: &[(f64, &[u8])]) -> Ran<Outcome> {
    call.keys.admit(scored.iter().map(|(_, member)| member.len() + size_of::<f64>()).sum())?;
    call.keys.edit(key, Kind::SortedSet, |edit| {
        let mut outcome = Outcome::default();
        scored.iter().for_each(|(score, member)| options.put(edit, &mut outcome, member, *score));
        outcome
    })
}

impl Options {
    /// What is behind the key: words, then pairs of score and member.
    fn parse<'a, 'b>(words: &'b [&'a [u8]]) -> Ran<(Self, &'b [[&'a [u8]; 2]])> {
        let mut options = Self::default();
        let count = words.iter().take_while(|word| options.take(word)).count();
        let (pairs, rest) = words[count..].as_chunks::<2>();
        if !rest.is_empty() || pairs.is_empty() {
            return Err(Fail::SYNTAX);
        }
        options.check(pairs.len())?;
        Ok((options, pairs))
    }

    fn take(&mut self, word: &[u8]) -> bool {
        let flags = [
            ("NX", &mut self.if_missing),
            ("XX", &mut self.if_there),
            ("GT", &mut self.if_greater),
            ("LT", &mut self.if_less),
            ("CH", &mut self.count_changed),
            ("INCR", &mut self.add_up),
        ];
        let found = flags.into_iter().find(|(name, _)| is(word, name));
        found.map(|(_, flag)| *flag = true).is_some()
    }

    fn check(&self, pairs: usize) -> Ran {
        if self.if_missing && self.if_there {
            return Err(Fail::new("ERR XX and NX options at the same time are not compatible"));
        }
        if [self.if_greater, self.if_less, self.if_missing].into_iter().filter(|is| *is).count() > 1 {
            return Err(Fail::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.add_up && pairs > 1 {
            return Err(Fail::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    fn put(&self, edit: &mut Edit<'_>, outcome: &mut Outcome, member: &[u8], score: f64) {
        let before = edit.collection().sorted_set().and_then(|set| set.score(member));
        let score = if self.add_up { before.map_or(score, |before| before + score) } else { score };
        let is_barred = match before {
            Some(before) => self.if_missing || self.if_greater && score <= before || self.if_less && score >= before,
            None => self.if_there,
        };
        outcome.score = Some(score).filter(|_| !is_barred);
        if is_barred {
            return;
        }
        edit.zset_put(member, score);
        match before {
            None => outcome.added += 1,
            Some(before) => outcome.updated += i64::from(before != score),
        }
    }
}
