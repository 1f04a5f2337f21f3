//! Core: members taken from either side.

use ringway_protocol::resp::RespVersion;
use ringway_values::Kind;

use crate::call::{Args, Call};
use crate::command::args::{is, timeout};
use crate::command::typed::{counted, pop_count, positive};
use crate::fail::{Fail, Ran};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Min,
    Max,
}

type Members = Vec<(Vec<u8>, f64)>;

/// ZPOPMIN and ZPOPMAX.
pub(super) fn pop(call: &mut Call<'_, '_>, args: Args<'_>, side: Side) -> Ran {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(Fail::SYNTAX),
    };
    let taken = take(call, args[1], side, count.unwrap_or(1))?.unwrap_or_default();
    // With a count, version 3 has an array for each pair.
    match count.is_some() && call.out.version() == RespVersion::Three {
        true => write_pairs(call, &taken),
        false => {
            call.out.array(taken.len() * 2);
            taken.iter().for_each(|pair| write_pair(call, pair));
        }
    }
    Ok(())
}

/// BZPOPMIN and BZPOPMAX: key, member, score.
pub(super) fn pop_any(call: &mut Call<'_, '_>, args: Args<'_>, side: Side) -> Ran {
    timeout(args[args.len() - 1])?;
    for key in &args[1..args.len() - 1] {
        if let Some(pair) = take(call, key, side, 1)?.and_then(|taken| taken.into_iter().next()) {
            call.out.array(3);
            call.out.bulk(key);
            write_pair(call, &pair);
            return Ok(());
        }
    }
    call.out.null_array();
    Ok(())
}

pub(super) fn zmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    pop_many(call, None, &args[1..])
}

/// The same behind a time limit.
pub(super) fn bzmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    pop_many(call, Some(args[1]), &args[2..])
}

fn pop_many(call: &mut Call<'_, '_>, limit: Option<&[u8]>, words: Args<'_>) -> Ran {
    let (keys, rest) = counted(words)?;
    let (side, rest) = rest.split_first().ok_or(Fail::SYNTAX)?;
    let side = match side {
        word if is(word, "MIN") => Side::Min,
        word if is(word, "MAX") => Side::Max,
        _ => return Err(Fail::SYNTAX),
    };
    let count = pop_count(rest)?;
    limit.map(timeout).transpose()?;
    for key in keys {
        if let Some(taken) = take(call, key, side, count)? {
            call.out.array(2);
            call.out.bulk(key);
            write_pairs(call, &taken);
            return Ok(());
        }
    }
    call.out.null_array();
    Ok(())
}

/// `None`: it is not there.
fn take(call: &mut Call<'_, '_>, key: &[u8], side: Side, count: usize) -> Ran<Option<Members>> {
    let Some(set) = call.keys.sorted_set(key)? else { return Ok(None) };
    let own = |(member, score): (&[u8], f64)| (member.to_vec(), score);
    let taken: Members = match side {
        Side::Min => set.iter().take(count).map(own).collect(),
        Side::Max => set.iter().rev().take(count).map(own).collect(),
    };
    if !taken.is_empty() {
        call.keys.edit_existing(key, Kind::SortedSet, |edit| {
            for (member, _) in &taken {
                edit.zset_remove(member);
            }
        })?;
    }
    Ok(Some(taken))
}

fn write_pairs(call: &mut Call<'_, '_>, members: &Members) {
    call.out.array(members.len());
    for pair in members {
        call.out.array(2);
        write_pair(call, pair);
    }
}

fn write_pair(call: &mut Call<'_, '_>, (member, score): &(Vec<u8>, f64)) {
    call.out.bulk(member);
    call.out.double(*score);
}
