//! Core: commands on lists.

mod moves;
mod position;

use bytes::Bytes;
use ringway_protocol::resp::Out;
use ringway_values::{Edit, Kind, List};

use super::args::{int, is};
use super::typed::{positive, write_or_null};
use super::{Group, KeyPlaces, NO_SCRIPT, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call, VALUE_LEN_MAX};
use crate::fail::{Fail, Ran};

const G: Group = Group::List;
const FIRST: KeyPlaces = KeyPlaces::First;
const TWO: KeyPlaces = KeyPlaces::Range { first: 1, last: 2, step: 1 };
/// All words but the last, the time limit.
const TIMED: KeyPlaces = KeyPlaces::Range { first: 1, last: -2, step: 1 };
const COUNTED: KeyPlaces = KeyPlaces::Counted { at: 1, has_target: false };
const TIMED_COUNTED: KeyPlaces = KeyPlaces::Counted { at: 2, has_target: false };

pub(super) const SPECS: &[Spec] = &[
    spec("blmove", 6, WRITE | NO_SCRIPT, TWO, G, "moves an element, waits for one", Run::Blocking(-1, moves::blmove)),
    spec(
        "blmpop",
        -5,
        WRITE,
        TIMED_COUNTED,
        G,
        "takes elements from the first list that has some, waits",
        Run::Blocking(1, moves::blmpop),
    ),
    spec(
        "blpop",
        -3,
        WRITE | NO_SCRIPT,
        TIMED,
        G,
        "takes the first element, waits for one",
        Run::Blocking(-1, |call, args| moves::pop_any(call, args, End::Left)),
    ),
    spec(
        "brpop",
        -3,
        WRITE | NO_SCRIPT,
        TIMED,
        G,
        "takes the last element, waits for one",
        Run::Blocking(-1, |call, args| moves::pop_any(call, args, End::Right)),
    ),
    spec(
        "brpoplpush",
        4,
        WRITE | NO_SCRIPT,
        TWO,
        G,
        "moves the last element to the front, waits for one",
        Run::Blocking(-1, moves::brpoplpush),
    ),
    spec("lindex", 3, READ, FIRST, G, "the element at an index", Run::Keyed(lindex)),
    spec("linsert", 5, WRITE | SHORT, FIRST, G, "inserts before or after an element", Run::Keyed(linsert)),
    spec("llen", 2, READ | SHORT, FIRST, G, "how many elements there are", Run::Keyed(llen)),
    spec("lmove", 5, WRITE, TWO, G, "moves an element to another list", Run::Keyed(moves::lmove)),
    spec("lmpop", -4, WRITE, COUNTED, G, "takes elements from the first list that has some", Run::Keyed(moves::lmpop)),
    spec("lpop", -2, WRITE, FIRST, G, "takes first elements", Run::Keyed(|call, args| pop(call, args, End::Left))),
    spec("lpos", -3, READ, FIRST, G, "where an element is", Run::Keyed(position::lpos)),
    spec(
        "lpush",
        -3,
        WRITE | SHORT,
        FIRST,
        G,
        "adds elements at the front",
        Run::Keyed(|call, args| push(call, args, End::Left, false)),
    ),
    spec(
        "lpushx",
        -3,
        WRITE | SHORT,
        FIRST,
        G,
        "the same, if the list is there",
        Run::Keyed(|call, args| push(call, args, End::Left, true)),
    ),
    spec("lrange", 4, READ, FIRST, G, "a part of a list", Run::Keyed(lrange)),
    spec("lrem", 4, WRITE | SHORT, FIRST, G, "removes equal elements", Run::Keyed(lrem)),
    spec("lset", 4, WRITE | SHORT, FIRST, G, "sets the element at an index", Run::Keyed(lset)),
    spec("ltrim", 4, WRITE | SHORT, FIRST, G, "keeps a part of a list", Run::Keyed(ltrim)),
    spec("rpop", -2, WRITE, FIRST, G, "takes last elements", Run::Keyed(|call, args| pop(call, args, End::Right))),
    spec("rpoplpush", 3, WRITE, TWO, G, "moves the last element to the front of a list", Run::Keyed(moves::rpoplpush)),
    spec(
        "rpush",
        -3,
        WRITE | SHORT,
        FIRST,
        G,
        "adds elements at the end",
        Run::Keyed(|call, args| push(call, args, End::Right, false)),
    ),
    spec(
        "rpushx",
        -3,
        WRITE | SHORT,
        FIRST,
        G,
        "the same, if the list is there",
        Run::Keyed(|call, args| push(call, args, End::Right, true)),
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

impl End {
    fn parse(word: &[u8]) -> Ran<Self> {
        match word {
            word if is(word, "LEFT") => Ok(End::Left),
            word if is(word, "RIGHT") => Ok(End::Right),
            _ => Err(Fail::SYNTAX),
        }
    }

    fn push(self, edit: &mut Edit<'_>, value: &[u8]) {
        match self {
            End::Left => edit.push_front(value),
            End::Right => edit.push_back(value),
        }
    }

    fn pop(self, edit: &mut Edit<'_>) -> Option<Bytes> {
        match self {
            End::Left => edit.pop_front(),
            End::Right => edit.pop_back(),
        }
    }
}

/// The indices from `first` to `last`, both included, negative ones from the end; those that are there.
pub(super) fn indices(first: i64, last: i64, len: usize) -> std::ops::Range<usize> {
    let absolute = |at: i64| if at < 0 { len as i64 + at } else { at };
    let from = absolute(first).max(0) as usize;
    let to = usize::try_from(absolute(last).saturating_add(1)).unwrap_or(0).min(len);
    from.min(to)..to
}

fn push(call: &mut Call<'_, '_>, args: Args<'_>, end: End, only_if_there: bool) -> Ran {
    if only_if_there && call.keys.list(args[1])?.is_none() {
        call.out.int(0);
        return Ok(());
    }
    let values = &args[2..];
    if values.iter().any(|value| value.len() > VALUE_LEN_MAX) {
        return Err(Fail::TOO_LONG);
    }
    call.keys.admit(values.iter().map(|value| value.len()).sum())?;
    let len = call.keys.edit(args[1], Kind::List, |edit| {
        values.iter().for_each(|value| end.push(edit, value));
        edit.collection().len()
    })?;
    call.out.int(len as i64);
    Ok(())
}

fn pop(call: &mut Call<'_, '_>, args: Args<'_>, end: End) -> Ran {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(Fail::wrong_count(if end == End::Left { "lpop" } else { "rpop" })),
    };
    if call.keys.list(args[1])?.is_none() {
        match count {
            None => call.out.null(),
            Some(_) => call.out.null_array(),
        }
        return Ok(());
    }
    let taken = take(call, args[1], end, count.unwrap_or(1))?;
    match count {
        None => write(call.out, taken.first()),
        Some(_) => write_all(call.out, &taken),
    }
    Ok(())
}

/// As many elements from one end of a list that is there.
fn take(call: &mut Call<'_, '_>, key: &[u8], end: End, count: usize) -> Ran<Vec<Bytes>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let taken = call.keys.edit_existing(key, Kind::List, |edit| {
        let count = count.min(edit.collection().len());
        (0..count).map_while(|_| end.pop(edit)).collect()
    })?;
    Ok(taken.unwrap_or_default())
}

fn llen(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.list(args[1])?.map_or(0, List::len);
    call.out.int(len as i64);
    Ok(())
}

fn lindex(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let Some(list) = call.keys.list(args[1])? else {
        call.out.null();
        return Ok(());
    };
    let value = index(int(args[2])?, list.len()).and_then(|at| list.get(at));
    write_or_null(call.out, value);
    Ok(())
}

fn index(at: i64, len: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add_unsigned(len as u64)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < len)
}

fn lrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (first, last) = (int(args[2])?, int(args[3])?);
    let Some(list) = call.keys.list(args[1])? else {
        call.out.array(0);
        return Ok(());
    };
    let range = indices(first, last, list.len());
    call.out.array(range.len());
    list.range(range).for_each(|value| call.out.bulk(value));
    Ok(())
}

fn lset(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.list(args[1])?.ok_or(Fail::NO_SUCH_KEY)?.len();
    let at = index(int(args[2])?, len).ok_or(Fail::OUT_OF_RANGE)?;
    call.keys.admit(args[3].len())?;
    call.keys.edit_existing(args[1], Kind::List, |edit| edit.set(at, args[3]))?;
    call.out.ok();
    Ok(())
}

fn linsert(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let behind = match args[2] {
        word if is(word, "BEFORE") => 0,
        word if is(word, "AFTER") => 1,
        _ => return Err(Fail::SYNTAX),
    };
    let Some(list) = call.keys.list(args[1])? else {
        call.out.int(0);
        return Ok(());
    };
    let Some(pivot) = list.iter().position(|value| value == args[3]) else {
        call.out.int(-1);
        return Ok(());
    };
    call.keys.admit(args[4].len())?;
    let len = call.keys.edit_existing(args[1], Kind::List, |edit| {
        edit.insert(pivot + behind, args[4]);
        edit.collection().len()
    })?;
    call.out.int(len.unwrap_or(0) as i64);
    Ok(())
}

/// The first `count` equal ones, the last ones if negative, all if 0.
fn lrem(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let count = int(args[2])?;
    let most = if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let Some(list) = call.keys.list(args[1])? else {
        call.out.int(0);
        return Ok(());
    };
    let equal = list.iter().enumerate().filter(|(_, value)| *value == args[3]).map(|(at, _)| at);
    let mut found: Vec<usize> = if count < 0 { equal.rev().take(most).collect() } else { equal.take(most).collect() };
    if !found.is_empty() {
        // From the end: those in front keep their index.
        found.sort_unstable_by(|a, b| b.cmp(a));
        call.keys.edit_existing(args[1], Kind::List, |edit| found.iter().for_each(|at| drop(edit.remove(*at))))?;
    }
    call.out.int(found.len() as i64);
    Ok(())
}

fn ltrim(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (first, last) = (int(args[2])?, int(args[3])?);
    if let Some(list) = call.keys.list(args[1])? {
        let (len, keep) = (list.len(), indices(first, last, list.len()));
        if keep != (0..len) {
            call.keys.edit_existing(args[1], Kind::List, |edit| edit.truncate(keep))?;
        }
    }
    call.out.ok();
    Ok(())
}

fn write(out: &mut Out, value: Option<&Bytes>) {
    match value {
        Some(value) => out.shared(value),
        None => out.null(),
    }
}

fn write_all(out: &mut Out, values: &[Bytes]) {
    out.array(values.len());
    values.iter().for_each(|value| out.shared(value));
}

#[cfg(test)]
mod tests;
