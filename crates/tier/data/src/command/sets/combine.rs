//! Core: unions, intersections and differences of sets.

use std::collections::HashSet;

use ringway_values::{Kind, Set};

use super::{counted, limit};
use crate::call::{Args, Call, Keys};
use crate::fail::Ran;

type Members = HashSet<Vec<u8>>;

pub(super) fn sunion(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = union(call.keys, &args[1..])?;
    write(call, &members);
    Ok(())
}

pub(super) fn sunionstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = union(call.keys, &args[2..])?;
    store(call, args[1], &members)
}

pub(super) fn sinter(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = intersection(call.keys, &args[1..], usize::MAX)?;
    write(call, &members);
    Ok(())
}

pub(super) fn sinterstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = intersection(call.keys, &args[2..], usize::MAX)?;
    store(call, args[1], &members)
}

pub(super) fn sintercard(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (keys, rest) = counted(args)?;
    let limit = limit(rest)?;
    let members = intersection(call.keys, keys, limit)?;
    call.out.int(members.len().min(limit) as i64);
    Ok(())
}

pub(super) fn sdiff(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = difference(call.keys, &args[1..])?;
    write(call, &members);
    Ok(())
}

pub(super) fn sdiffstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let members = difference(call.keys, &args[2..])?;
    store(call, args[1], &members)
}

fn union(keys: &mut Keys<'_>, names: Args<'_>) -> Ran<Members> {
    let mut members = Members::new();
    for name in names {
        if let Some(set) = keys.set_of(name)? {
            members.extend(set.iter().map(<[u8]>::to_vec));
        }
    }
    Ok(members)
}

/// Of the smallest, those that are in all others; `enough` of them.
fn intersection(keys: &mut Keys<'_>, names: Args<'_>, enough: usize) -> Ran<Members> {
    let mut lens = Vec::with_capacity(names.len());
    for name in names {
        lens.push(keys.set_of(name)?.map_or(0, Set::len));
    }
    let smallest = (0..names.len()).min_by_key(|at| lens[*at]).unwrap_or(0);
    if lens[smallest] == 0 {
        return Ok(Members::new());
    }
    let mut members: Members = match keys.set_of(names[smallest])? {
        Some(set) if names.len() == 1 => set.iter().take(enough).map(<[u8]>::to_vec).collect(),
        Some(set) => set.iter().map(<[u8]>::to_vec).collect(),
        None => Members::new(),
    };
    for name in names {
        if let Some(set) = keys.set_of(name)? {
            members.retain(|member| set.contains(member));
        }
    }
    Ok(members)
}

fn difference(keys: &mut Keys<'_>, names: Args<'_>) -> Ran<Members> {
    let mut members: Members = keys.set_of(names[0])?.iter().flat_map(|set| set.iter()).map(<[u8]>::to_vec).collect();
    for name in &names[1..] {
        let Some(set) = keys.set_of(name)? else { continue };
        if set.len() < members.len() {
            set.iter().for_each(|member| drop(members.take(member)));
        } else {
            members.retain(|member| !set.contains(member));
        }
    }
    Ok(members)
}

fn write(call: &mut Call<'_, '_>, members: &Members) {
    call.out.set(members.len());
    members.iter().for_each(|member| call.out.bulk(member));
}

/// A result without members deletes the key.
fn store(call: &mut Call<'_, '_>, key: &[u8], members: &Members) -> Ran {
    if members.is_empty() {
        call.keys.delete(key)?;
    } else {
        call.keys.admit(members.iter().map(Vec::len).sum())?;
        call.keys.replace(key, Kind::Set, |edit| {
            for member in members {
                edit.set_add(member);
            }
        })?;
    }
    call.out.int(members.len() as i64);
    Ok(())
}
