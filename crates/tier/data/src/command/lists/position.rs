//! Core: LPOS.

use crate::call::{Args, Call};
use crate::command::args::{int, is};
use crate::fail::{Fail, Ran};

struct Wanted {
    /// The first that counts: 1 is the first, -1 the last.
    rank: i64,
    /// `None`: one, not as an array. 0: all.
    count: Option<usize>,
    /// How many elements are compared; 0: all.
    compare_max: usize,
}

pub(super) fn lpos(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let wanted = Wanted::parse(args)?;
    let list = call.keys.list(args[1])?;
    let is_it = |(_, value): &(usize, &[u8])| *value == args[2];
    let compared = if wanted.compare_max == 0 { usize::MAX } else { wanted.compare_max };
    let skipped = usize::try_from(wanted.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let most = wanted.count.map_or(1, |count| if count == 0 { usize::MAX } else { count });
    let all = list.into_iter().flat_map(|list| list.iter().enumerate());
    let found: Vec<usize> = match wanted.rank < 0 {
        true => all.rev().take(compared).filter(is_it).skip(skipped).take(most).map(|(at, _)| at).collect(),
        false => all.take(compared).filter(is_it).skip(skipped).take(most).map(|(at, _)| at).collect(),
    };
    match (wanted.count, found.first()) {
        (None, Some(at)) => call.out.int(*at as i64),
        (None, None) => call.out.null(),
        (Some(_), _) => {
            call.out.array(found.len());
            found.iter().for_each(|at| call.out.int(*at as i64));
        }
    }
    Ok(())
}

impl Wanted {
    fn parse(args: Args<'_>) -> Ran<Self> {
        let mut wanted = Self { rank: 1, count: None, compare_max: 0 };
        let mut words = args[3..].iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or(Fail::SYNTAX)?;
            if is(word, "RANK") {
                wanted.rank = rank(value)?;
            } else if is(word, "COUNT") {
                wanted.count = Some(size(value, "ERR COUNT can't be negative")?);
            } else if is(word, "MAXLEN") {
                wanted.compare_max = size(value, "ERR MAXLEN can't be negative")?;
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        Ok(wanted)
    }
}

fn rank(word: &[u8]) -> Ran<i64> {
    match int(word)? {
        0 => Err(Fail::new(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        )),
        rank => Ok(rank),
    }
}

fn size(word: &[u8], refusal: &'static str) -> Ran<usize> {
    int(word).ok().and_then(|size| usize::try_from(size).ok()).ok_or(Fail::new(refusal))
}
