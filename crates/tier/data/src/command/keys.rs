//! Core: commands on keys of any type.

use super::args::is;
use super::{AGAIN, Gather, Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};

const G: Group = Group::Generic;
const FIRST: KeyPlaces = KeyPlaces::First;
const TWO: KeyPlaces = KeyPlaces::Range { first: 1, last: 2, step: 1 };
const REST: KeyPlaces = KeyPlaces::Range { first: 1, last: -1, step: 1 };

pub(super) const SPECS: &[Spec] = &[
    spec("copy", -3, WRITE | SHORT, TWO, G, "copies a key", Run::Keyed(copy)),
    spec("del", -2, WRITE | SHORT | AGAIN, REST, G, "deletes keys", Run::Split(Gather::Sum, del)),
    spec("exists", -2, READ | SHORT, REST, G, "how many of the keys are there", Run::Split(Gather::Sum, exists)),
    spec("rename", 3, WRITE | SHORT, TWO, G, "gives a key another name", Run::Keyed(rename)),
    spec("renamenx", 3, WRITE | SHORT, TWO, G, "the same, if that name is free", Run::Keyed(renamenx)),
    spec("touch", -2, READ | SHORT, REST, G, "uses keys, so that they stay", Run::Split(Gather::Sum, exists)),
    spec("type", 2, READ | SHORT, FIRST, G, "what a key holds", Run::Keyed(kind)),
    spec("unlink", -2, WRITE | SHORT | AGAIN, REST, G, "deletes keys", Run::Split(Gather::Sum, del)),
];

fn del(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let mut deleted = 0;
    for key in &args[1..] {
        deleted += i64::from(call.keys.delete(key)?);
    }
    call.out.int(deleted);
    Ok(())
}

fn exists(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let mut found = 0;
    for key in &args[1..] {
        found += i64::from(call.keys.exists(key)?);
    }
    call.out.int(found);
    Ok(())
}

fn kind(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let name = call.keys.kind(args[1])?.map_or("none", |kind| kind.name());
    call.out.simple(name);
    Ok(())
}

fn rename(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    move_to(call, args[1], args[2])?;
    call.out.ok();
    Ok(())
}

fn renamenx(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    if !call.keys.exists(args[1])? {
        return Err(Fail::NO_SUCH_KEY);
    }
    let is_free = !call.keys.exists(args[2])?;
    if is_free {
        move_to(call, args[1], args[2])?;
    }
    call.out.int(i64::from(is_free));
    Ok(())
}

fn move_to(call: &mut Call<'_, '_>, from: &[u8], to: &[u8]) -> Ran {
    let state = call.keys.live_state(from)?.ok_or(Fail::NO_SUCH_KEY)?;
    if from == to {
        return Ok(());
    }
    call.keys.set_state(to, &state)?;
    call.keys.delete(from)?;
    Ok(())
}

fn copy(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let mut replace = false;
    let mut words = args[3..].iter();
    while let Some(word) = words.next() {
        if is(word, "REPLACE") {
            replace = true;
        } else if is(word, "DB") {
            if words.next() != Some(&&b"0"[..]) {
                return Err(Fail::new("ERR DB index is out of range"));
            }
        } else {
            return Err(Fail::SYNTAX);
        }
    }
    if args[1] == args[2] {
        return Err(Fail::new("ERR source and destination objects are the same"));
    }
    let state = call.keys.live_state(args[1])?;
    let is_copied = state.is_some() && (replace || !call.keys.exists(args[2])?);
    if let Some(state) = state.filter(|_| is_copied) {
        call.keys.set_state(args[2], &state)?;
    }
    call.out.int(i64::from(is_copied));
    Ok(())
}
