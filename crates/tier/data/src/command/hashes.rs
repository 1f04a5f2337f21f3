//! Core: commands on hashes.

use ringway_protocol::resp::{LongDouble, Out};
use ringway_values::{Collection, Hash, Kind};

use super::args::{int, is, long_double};
use super::counters::float_sum;
use super::typed::{MemberScan, below, pick_count, picks, write_or_null, write_scan};
use super::{AGAIN, Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call, VALUE_LEN_MAX};
use crate::fail::{Fail, Ran};

const G: Group = Group::Hash;
const FIRST: KeyPlaces = KeyPlaces::First;
const OUT_OF_RANGE: Fail = Fail::new("ERR value is out of range");

/// The field or the value.
type Part = for<'a> fn((&'a [u8], &'a [u8])) -> &'a [u8];

pub(super) const SPECS: &[Spec] = &[
    spec("hdel", -3, WRITE | SHORT | AGAIN, FIRST, G, "removes fields of a hash", Run::Keyed(hdel)),
    spec("hexists", 3, READ | SHORT, FIRST, G, "whether a hash has a field", Run::Keyed(hexists)),
    spec("hget", 3, READ, FIRST, G, "a field's value", Run::Keyed(hget)),
    spec("hgetall", 2, READ, FIRST, G, "all fields and values", Run::Keyed(hgetall)),
    spec("hincrby", 4, WRITE | SHORT, FIRST, G, "adds to a field's number", Run::Keyed(hincrby)),
    spec("hincrbyfloat", 4, WRITE, FIRST, G, "adds a number with a fraction", Run::Keyed(hincrbyfloat)),
    spec("hkeys", 2, READ, FIRST, G, "all fields", Run::Keyed(|call, args| all(call, args[1], |pair| pair.0))),
    spec("hlen", 2, READ | SHORT, FIRST, G, "how many fields there are", Run::Keyed(hlen)),
    spec("hmget", -3, READ, FIRST, G, "the values of some fields", Run::Keyed(hmget)),
    spec("hmset", -4, WRITE | SHORT | AGAIN, FIRST, G, "sets fields", Run::Keyed(hmset)),
    spec("hrandfield", -2, READ, FIRST, G, "random fields", Run::Keyed(hrandfield)),
    spec("hscan", -3, READ, FIRST, G, "walks over the fields", Run::Keyed(hscan)),
    spec("hset", -4, WRITE | SHORT | AGAIN, FIRST, G, "sets fields", Run::Keyed(hset)),
    spec("hsetnx", 4, WRITE | SHORT, FIRST, G, "sets a field if it is not there", Run::Keyed(hsetnx)),
    spec("hstrlen", 3, READ | SHORT, FIRST, G, "the length of a field's value", Run::Keyed(hstrlen)),
    spec("hvals", 2, READ, FIRST, G, "all values", Run::Keyed(|call, args| all(call, args[1], |pair| pair.1))),
];

fn hget(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let value = call.keys.hash(args[1])?.and_then(|hash| hash.get(args[2]));
    write_or_null(call.out, value);
    Ok(())
}

fn hmget(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let hash = call.keys.hash(args[1])?;
    call.out.array(args.len() - 2);
    for field in &args[2..] {
        write_or_null(call.out, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

fn hgetall(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let hash = call.keys.hash(args[1])?;
    call.out.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.iter().flat_map(|hash| hash.iter()) {
        call.out.bulk(field);
        call.out.bulk(value);
    }
    Ok(())
}

fn all(call: &mut Call<'_, '_>, key: &[u8], part: Part) -> Ran {
    let hash = call.keys.hash(key)?;
    call.out.array(hash.map_or(0, Hash::len));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|pair| call.out.bulk(part(pair)));
    Ok(())
}

fn hlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.hash(args[1])?.map_or(0, Hash::len);
    call.out.int(len as i64);
    Ok(())
}

fn hstrlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let value = call.keys.hash(args[1])?.and_then(|hash| hash.get(args[2]));
    call.out.int(value.map_or(0, <[u8]>::len) as i64);
    Ok(())
}

fn hexists(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let value = call.keys.hash(args[1])?.and_then(|hash| hash.get(args[2]));
    call.out.int(i64::from(value.is_some()));
    Ok(())
}

fn hset(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let added = set_pairs(call, args, "hset")?;
    call.out.int(added);
    Ok(())
}

fn hmset(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    set_pairs(call, args, "hmset")?;
    call.out.ok();
    Ok(())
}

/// How many fields are new.
fn set_pairs(call: &mut Call<'_, '_>, args: Args<'_>, name: &str) -> Ran<i64> {
    let (pairs, rest) = args[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fail::wrong_count(name));
    }
    call.keys.admit(args[2..].iter().map(|word| word.len()).sum())?;
    call.keys.edit(args[1], Kind::Hash, |edit| {
        pairs.iter().map(|[field, value]| i64::from(edit.hash_set(field, value))).sum()
    })
}

fn hsetnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let is_there = call.keys.hash(args[1])?.is_some_and(|hash| hash.get(args[2]).is_some());
    if !is_there {
        set_field(call, args[1], args[2], args[3])?;
    }
    call.out.int(i64::from(!is_there));
    Ok(())
}

fn set_field(call: &mut Call<'_, '_>, key: &[u8], field: &[u8], value: &[u8]) -> Ran {
    if value.len() > VALUE_LEN_MAX {
        return Err(Fail::TOO_LONG);
    }
    call.keys.admit(field.len() + value.len())?;
    call.keys.edit(key, Kind::Hash, |edit| edit.hash_set(field, value)).map(drop)
}

fn hdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let remove = |fields: Args<'_>, edit: &mut ringway_values::Edit<'_>| {
        fields.iter().map(|field| i64::from(edit.hash_remove(field))).sum()
    };
    let removed = call.keys.edit_existing(args[1], Kind::Hash, |edit| remove(&args[2..], edit))?;
    call.out.int(removed.unwrap_or(0));
    Ok(())
}

fn hincrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let by = int(args[3])?;
    let current = match call.keys.hash(args[1])?.and_then(|hash| hash.get(args[2])) {
        Some(text) => int(text).map_err(|_| Fail::new("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = current.checked_add(by).ok_or(Fail::OVERFLOW)?;
    set_field(call, args[1], args[2], sum.to_string().as_bytes())?;
    call.out.int(sum);
    Ok(())
}

fn hincrbyfloat(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let by = long_double(args[3])?;
    if !by.is_finite() {
        return Err(Fail::new("ERR value is NaN or Infinity"));
    }
    let text = match call.keys.hash(args[1])?.and_then(|hash| hash.get(args[2])) {
        Some(text) => {
            let current = long_double(text).map_err(|_| Fail::new("ERR hash value is not a float"))?;
            float_sum(current, by)?
        }
        None => float_sum(LongDouble::ZERO, by)?,
    };
    set_field(call, args[1], args[2], text.as_bytes())?;
    call.out.bulk(text.as_bytes());
    Ok(())
}

fn hrandfield(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let Some(count) = args.get(2) else {
        let field = call.keys.hash(args[1])?.and_then(|hash| hash.nth(below(hash.len())));
        write_or_null(call.out, field.map(|(field, _)| field));
        return Ok(());
    };
    let count = pick_count(count)?;
    let with_values = match &args[3..] {
        [] => false,
        [word] if is(word, "WITHVALUES") => true,
        _ => return Err(Fail::SYNTAX),
    };
    if with_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(OUT_OF_RANGE);
    }
    let hash = call.keys.hash(args[1])?;
    let picked = picks(count, hash.map_or(0, Hash::len))?;
    write_pairs_head(call.out, picked.len(), with_values);
    for (field, value) in picked.into_iter().filter_map(|at| hash?.nth(at)) {
        write_pair_head(call.out, with_values);
        call.out.bulk(field);
        if with_values {
            call.out.bulk(value);
        }
    }
    Ok(())
}

/// Pairs are an array each in version 3, and one after the other in version 2.
pub(super) fn write_pairs_head(out: &mut Out, len: usize, with_values: bool) {
    out.array(if with_values && is_flat(out) { len * 2 } else { len });
}

pub(super) fn write_pair_head(out: &mut Out, with_values: bool) {
    if with_values && !is_flat(out) {
        out.array(2);
    }
}

fn is_flat(out: &Out) -> bool {
    out.version() == ringway_protocol::resp::RespVersion::Two
}

fn hscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    MemberScan::cursor(args[2])?;
    let Some(hash) = call.keys.collection(args[1], Kind::Hash)?.and_then(Collection::hash) else {
        write_scan(call.out, |_| (0, 0));
        return Ok(());
    };
    let scan = MemberScan::parse(args)?;
    write_scan(call.out, |out| {
        let mut len = 0;
        let cursor = hash.scan(scan.cursor, scan.count, |field, value| {
            if scan.wants(field) {
                out.bulk(field);
                out.bulk(value);
                len += 2;
            }
        });
        (len, cursor)
    });
    Ok(())
}
