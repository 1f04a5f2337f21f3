//! Core: commands on sets.

mod combine;

use ringway_values::{Kind, Set};

use super::args::{int, is};
use super::typed::{MemberScan, below, different, pick_count, picks, positive, write_or_null, write_scan};
use super::{AGAIN, Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};

const G: Group = Group::Set;
const FIRST: KeyPlaces = KeyPlaces::First;
const TWO: KeyPlaces = KeyPlaces::Range { first: 1, last: 2, step: 1 };
const REST: KeyPlaces = KeyPlaces::Range { first: 1, last: -1, step: 1 };
const COUNTED: KeyPlaces = KeyPlaces::Counted { at: 1, has_target: false };

pub(super) const SPECS: &[Spec] = &[
    spec("sadd", -3, WRITE | SHORT | AGAIN, FIRST, G, "adds members to a set", Run::Keyed(sadd)),
    spec("scard", 2, READ | SHORT, FIRST, G, "how many members there are", Run::Keyed(scard)),
    spec("sdiff", -2, READ, REST, G, "members of the first set and no other", Run::Keyed(combine::sdiff)),
    spec("sdiffstore", -3, WRITE | SHORT, REST, G, "the same, kept", Run::Keyed(combine::sdiffstore)),
    spec("sinter", -2, READ, REST, G, "members of all sets", Run::Keyed(combine::sinter)),
    spec("sintercard", -3, READ | SHORT, COUNTED, G, "how many these are", Run::Keyed(combine::sintercard)),
    spec("sinterstore", -3, WRITE | SHORT, REST, G, "the same, kept", Run::Keyed(combine::sinterstore)),
    spec("sismember", 3, READ | SHORT, FIRST, G, "whether a member is there", Run::Keyed(sismember)),
    spec("smembers", 2, READ, FIRST, G, "all members", Run::Keyed(smembers)),
    spec("smismember", -3, READ, FIRST, G, "which members are there", Run::Keyed(smismember)),
    spec("smove", 4, WRITE | SHORT, TWO, G, "moves a member to another set", Run::Keyed(smove)),
    spec("spop", -2, WRITE, FIRST, G, "takes random members out", Run::Keyed(spop)),
    spec("srandmember", -2, READ, FIRST, G, "random members", Run::Keyed(srandmember)),
    spec("srem", -3, WRITE | SHORT | AGAIN, FIRST, G, "removes members", Run::Keyed(srem)),
    spec("sscan", -3, READ, FIRST, G, "walks over the members", Run::Keyed(sscan)),
    spec("sunion", -2, READ, REST, G, "members of any of the sets", Run::Keyed(combine::sunion)),
    spec("sunionstore", -3, WRITE | SHORT, REST, G, "the same, kept", Run::Keyed(combine::sunionstore)),
];

fn sadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    call.keys.admit(args[2..].iter().map(|member| member.len()).sum())?;
    let added = call
        .keys
        .edit(args[1], Kind::Set, |edit| args[2..].iter().map(|member| i64::from(edit.set_add(member))).sum())?;
    call.out.int(added);
    Ok(())
}

fn srem(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let removed = call.keys.edit_existing(args[1], Kind::Set, |edit| {
        args[2..].iter().map(|member| i64::from(edit.set_remove(member))).sum()
    })?;
    call.out.int(removed.unwrap_or(0));
    Ok(())
}

fn scard(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.set_of(args[1])?.map_or(0, Set::len);
    call.out.int(len as i64);
    Ok(())
}

fn sismember(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let is_there = call.keys.set_of(args[1])?.is_some_and(|set| set.contains(args[2]));
    call.out.int(i64::from(is_there));
    Ok(())
}

fn smismember(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let set = call.keys.set_of(args[1])?;
    call.out.array(args.len() - 2);
    for member in &args[2..] {
        call.out.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

fn smembers(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let set = call.keys.set_of(args[1])?;
    call.out.set(set.map_or(0, Set::len));
    set.iter().flat_map(|set| set.iter()).for_each(|member| call.out.bulk(member));
    Ok(())
}

fn smove(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (from, to, member) = (args[1], args[2], args[3]);
    let Some(set) = call.keys.set_of(from)? else {
        call.out.int(0);
        return Ok(());
    };
    let is_there = set.contains(member);
    call.keys.set_of(to)?;
    if is_there && from != to {
        call.keys.admit(member.len())?;
        call.keys.edit_existing(from, Kind::Set, |edit| edit.set_remove(member))?;
        call.keys.edit(to, Kind::Set, |edit| edit.set_add(member))?;
    }
    call.out.int(i64::from(is_there));
    Ok(())
}

fn spop(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(Fail::SYNTAX),
    };
    let picked: Vec<Vec<u8>> = match call.keys.set_of(args[1])? {
        Some(set) => {
            let places = different(count.unwrap_or(1), set.len());
            places.into_iter().filter_map(|at| set.nth(at)).map(<[u8]>::to_vec).collect()
        }
        None => Vec::new(),
    };
    if !picked.is_empty() {
        call.keys.edit_existing(args[1], Kind::Set, |edit| {
            for member in &picked {
                edit.set_remove(member);
            }
        })?;
    }
    match (count, picked.first()) {
        (None, Some(member)) => call.out.bulk(member),
        (None, None) => call.out.null(),
        (Some(_), _) => {
            call.out.set(picked.len());
            picked.iter().for_each(|member| call.out.bulk(member));
        }
    }
    Ok(())
}

fn srandmember(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(pick_count(count)?),
        _ => return Err(Fail::SYNTAX),
    };
    let set = call.keys.set_of(args[1])?;
    let Some(count) = count else {
        write_or_null(call.out, set.and_then(|set| set.nth(below(set.len()))));
        return Ok(());
    };
    let picked = picks(count, set.map_or(0, Set::len))?;
    call.out.array(picked.len());
    picked.into_iter().filter_map(|at| set?.nth(at)).for_each(|member| call.out.bulk(member));
    Ok(())
}

fn sscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    MemberScan::cursor(args[2])?;
    let Some(set) = call.keys.set_of(args[1])? else {
        write_scan(call.out, |_| (0, 0));
        return Ok(());
    };
    let scan = MemberScan::parse(args)?;
    write_scan(call.out, |out| {
        let mut len = 0;
        let cursor = set.scan(scan.cursor, scan.count, |member| {
            if scan.wants(member) {
                out.bulk(member);
                len += 1;
            }
        });
        (len, cursor)
    });
    Ok(())
}

/// The keys behind a number of them, and what follows.
fn counted(args: Args<'_>) -> Ran<(Args<'_>, Args<'_>)> {
    let count = int(args[1]).ok().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let count = count.ok_or(Fail::new("ERR numkeys should be greater than 0"))?;
    args[2..].split_at_checked(count).ok_or(Fail::new("ERR Number of keys can't be greater than number of args"))
}

/// `LIMIT` and a number, 0 for none.
pub(super) fn limit(words: Args<'_>) -> Ran<usize> {
    let (pairs, rest) = words.as_chunks::<2>();
    let mut limit = usize::MAX;
    for [word, number] in pairs {
        if !is(word, "LIMIT") {
            return Err(Fail::SYNTAX);
        }
        let number = int(number).ok().and_then(|limit| usize::try_from(limit).ok());
        let number = number.ok_or(Fail::new("ERR LIMIT can't be negative"))?;
        limit = if number == 0 { usize::MAX } else { number };
    }
    if rest.is_empty() { Ok(limit) } else { Err(Fail::SYNTAX) }
}
