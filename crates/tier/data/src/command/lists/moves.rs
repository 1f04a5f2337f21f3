//! Core: elements from one list to another, and from the first of several lists that has some.

use ringway_values::Kind;

use super::{End, take, write_all};
use crate::call::{Args, Call};
use crate::command::args::timeout;
use crate::command::typed::{counted, pop_count};
use crate::fail::{Fail, Ran};

pub(super) fn lmove(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (from, to) = (End::parse(args[3])?, End::parse(args[4])?);
    move_one(call, args[1], from, args[2], to)
}

pub(super) fn blmove(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (from, to) = (End::parse(args[3])?, End::parse(args[4])?);
    timeout(args[5])?;
    move_one(call, args[1], from, args[2], to)
}

pub(super) fn brpoplpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    timeout(args[3])?;
    rpoplpush(call, args)
}

pub(super) fn rpoplpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    move_one(call, args[1], End::Right, args[2], End::Left)
}

fn move_one(call: &mut Call<'_, '_>, source: &[u8], from: End, target: &[u8], to: End) -> Ran {
    let Some(list) = call.keys.list(source)? else {
        call.out.null();
        return Ok(());
    };
    if source == target {
        // One command, one change: who waits for the list to be emptied does not see it empty.
        let moved = call.keys.edit_existing(source, Kind::List, |edit| {
            let value = from.pop(edit)?;
            to.push(edit, &value);
            Some(value)
        })?;
        super::write(call.out, moved.flatten().as_ref());
        return Ok(());
    }
    let len = if from == End::Left { list.get(0) } else { list.get(list.len() - 1) }.map_or(0, <[u8]>::len);
    call.keys.list(target)?;
    call.keys.admit(len)?;
    let taken = take(call, source, from, 1)?;
    if let Some(value) = taken.first() {
        call.keys.edit(target, Kind::List, |edit| to.push(edit, value))?;
    }
    super::write(call.out, taken.first());
    Ok(())
}

/// BLPOP and BRPOP: key and element.
pub(super) fn pop_any(call: &mut Call<'_, '_>, args: Args<'_>, end: End) -> Ran {
    timeout(args[args.len() - 1])?;
    for key in &args[1..args.len() - 1] {
        if call.keys.list(key)?.is_some() {
            let taken = take(call, key, end, 1)?;
            call.out.array(2);
            call.out.bulk(key);
            super::write(call.out, taken.first());
            return Ok(());
        }
    }
    call.out.null_array();
    Ok(())
}

pub(super) fn lmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    pop_many(call, None, &args[1..])
}

/// The same behind a time limit.
pub(super) fn blmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    pop_many(call, Some(args[1]), &args[2..])
}

fn pop_many(call: &mut Call<'_, '_>, limit: Option<&[u8]>, words: Args<'_>) -> Ran {
    let (keys, rest) = counted(words)?;
    let (end, rest) = rest.split_first().ok_or(Fail::SYNTAX)?;
    let (end, count) = (End::parse(end)?, pop_count(rest)?);
    limit.map(timeout).transpose()?;
    for key in keys {
        if call.keys.list(key)?.is_some() {
            let taken = take(call, key, end, count)?;
            call.out.array(2);
            call.out.bulk(key);
            write_all(call.out, &taken);
            return Ok(());
        }
    }
    call.out.null_array();
    Ok(())
}
