//! Core: meta commands.

use ringway_protocol::memcache::meta::SetMode;
use ringway_protocol::memcache::{Meta, MetaVerb, reply};

use super::arithmetic::{Summed, sum};
use super::exptime::{Expiry, expiry, seconds_left};
use super::get::value_of;
use super::store::{Stored, check, extend, touch, write, write_until};
use super::{BAD_NUMBER, Uses, note};
use crate::call::{Call, Item, Keys, Marks};
use crate::fail::Ran;

pub(super) fn run(call: &mut Call<'_, '_>, asked: &Meta<'_>) -> Ran {
    match asked.verb {
        MetaVerb::Get => get(call, asked),
        MetaVerb::Set { mode, data } => set(call, asked, mode, data),
        MetaVerb::Delete => delete(call, asked),
        MetaVerb::Arithmetic { is_decrement } => arithmetic(call, asked, is_decrement),
        MetaVerb::Debug => debug(call, asked),
    }
}

fn get(call: &mut Call<'_, '_>, asked: &Meta<'_>) -> Ran {
    let (key, now_ms) = (&*asked.key, call.keys.now_ms());
    let before = call.keys.item(key)?.map(|item| (item.expires_ms, item.marks));
    note_get(call.keys.memcache_uses(), asked, before.is_some());
    let Some(before) = before else {
        return match asked.vivify {
            Some(until) => vivify(call, asked, until),
            None => {
                missed(call, asked, "EN");
                Ok(())
            }
        };
    };
    let (expires_ms, marks) = before;
    let ttl = seconds_left(expires_ms, now_ms);
    let is_due = asked.recache.zip(ttl).is_some_and(|(within, ttl)| (ttl as i64) < within);
    let is_won = !marks.is_won() && (marks.is_stale() || is_due);
    if is_won {
        mark(call.keys, key, marks.won())?;
    }
    if let Some(until) = asked.expires {
        touch(call, key, until)?;
    }
    let Some(item) = call.keys.item_again(key)? else {
        // It has expired with this very request.
        missed(call, asked, "EN");
        return Ok(());
    };
    let told =
        reply::Item { is_won, is_stale: marks.is_stale(), is_being_made: marks.is_won(), ..known(&item, now_ms) };
    reply::meta(call.out, asked, &told, asked.with_value.then(|| value_of(&item.text)));
    Ok(())
}

/// One that may not write is counted where it is read.
fn note_get(uses: &Uses, asked: &Meta<'_>, found: bool) {
    match asked {
        Meta { expires: Some(_), .. } if found => note(&uses.touch_hits),
        Meta { expires: None, vivify: None, recache: None, .. } => {}
        _ => Uses::note_found(found || asked.vivify.is_some(), &uses.get_hits, &uses.get_misses),
    }
}

/// There was nothing: there is an empty item now, and this client is to fill it.
fn vivify(call: &mut Call<'_, '_>, asked: &Meta<'_>, until: i64) -> Ran {
    write(call.keys, &asked.key, b"", until, Marks::default().won())?;
    note(&call.keys.memcache_uses().total_items);
    let now_ms = call.keys.now_ms();
    let found = call.keys.item(&asked.key)?;
    let item = found.as_ref().map_or_else(reply::Item::default, |item| known(item, now_ms));
    let told = reply::Item { is_won: true, ..item };
    reply::meta(call.out, asked, &told, asked.with_value.then_some(reply::Value::Slice(b"")));
    Ok(())
}

fn set(call: &mut Call<'_, '_>, asked: &Meta<'_>, mode: SetMode, data: &[u8]) -> Ran {
    let (key, keys) = (&*asked.key, &mut *call.keys);
    let (until, marks) = (asked.expires.unwrap_or(0), Marks::of_client(asked.client_flags));
    let stored = match (mode, asked.cas) {
        (SetMode::Set | SetMode::Replace, Some(cas)) => set_if(keys, asked, data, cas)?,
        (SetMode::Set, None) => write(keys, key, data, until, marks)?,
        (SetMode::Add, _) if keys.exists(key)? => Stored::No,
        (SetMode::Replace, None) if keys.item(key)?.is_none() => Stored::No,
        (SetMode::Add | SetMode::Replace, _) => write(keys, key, data, until, marks)?,
        (SetMode::Append, cas) => extend(keys, key, &[], data, cas)?,
        (SetMode::Prepend, cas) => extend(keys, key, data, &[], cas)?,
    };
    keys.memcache_uses().note_stored(stored, asked.cas.is_some());
    match stored {
        Stored::Yes(_) if asked.quiet => {}
        Stored::Yes(cas) => reply::meta_stored(call.out, asked, "HD", cas),
        Stored::No => reply::meta_stored(call.out, asked, "NS", 0),
        Stored::Exists => reply::meta_stored(call.out, asked, "EX", 0),
        Stored::NotFound => reply::meta_stored(call.out, asked, "NF", 0),
    }
    Ok(())
}

/// With `I`, somebody who has seen an older item may write, but what is written counts as stale.
fn set_if(keys: &mut Keys<'_>, asked: &Meta<'_>, data: &[u8], cas: u64) -> Ran<Stored> {
    let marks = Marks::of_client(asked.client_flags);
    let until = asked.expires.unwrap_or(0);
    match check(keys, &asked.key, cas)? {
        None => write(keys, &asked.key, data, until, marks),
        Some(Stored::Exists) if asked.invalidate => {
            match keys.item(&asked.key)?.map(|item| (item.cas, item.marks, item.expires_ms)) {
                Some((newer, before, expires_ms)) if cas < newer => {
                    write_until(keys, &asked.key, data, expires_ms, marks.still_stale(before))
                }
                _ => Ok(Stored::Exists),
            }
        }
        Some(otherwise) => Ok(otherwise),
    }
}

fn delete(call: &mut Call<'_, '_>, asked: &Meta<'_>) -> Ran {
    let key = &*asked.key;
    let otherwise = match asked.cas {
        Some(cas) => check(call.keys, key, cas)?,
        None if call.keys.exists(key)? => None,
        None => Some(Stored::NotFound),
    };
    let code = match otherwise {
        Some(Stored::Exists) => "EX",
        Some(_) => "NF",
        None if asked.invalidate => {
            if let Some(marks) = call.keys.item(key)?.map(|item| item.marks) {
                mark(call.keys, key, marks.stale())?;
            }
            if let Some(until) = asked.expires {
                touch(call, key, until)?;
            }
            "HD"
        }
        None => {
            call.keys.delete(key)?;
            "HD"
        }
    };
    let uses = call.keys.memcache_uses();
    match code {
        "HD" if asked.invalidate => {}
        code => Uses::note_found(code == "HD", &uses.delete_hits, &uses.delete_misses),
    }
    if !(asked.quiet && code == "HD") {
        reply::meta_code(call.out, asked, code);
    }
    Ok(())
}

fn arithmetic(call: &mut Call<'_, '_>, asked: &Meta<'_>, is_decrement: bool) -> Ran {
    let key = &*asked.key;
    let now_ms = call.keys.now_ms();
    let summed = sum(call.keys, key, asked.delta, is_decrement, asked.cas)?;
    let is_created = summed == Summed::NotFound && asked.vivify.is_some();
    if !is_created {
        call.keys.memcache_uses().note_summed(summed, is_decrement);
    }
    // memcached goes through the flags as they come: the last one of those that set a time does, `t` tells what there is by then.
    let (mut until, mut told_until, mut is_told) = (None, None, false);
    for flag in asked.flags {
        match flag.first() {
            Some(b'N') if is_created => until = asked.vivify,
            Some(b'T') => until = asked.expires,
            Some(b't') => (told_until, is_told) = (until.or(is_created.then_some(0)), true),
            _ => {}
        }
    }
    let before_ms = call.keys.item(key)?.and_then(|item| item.expires_ms);
    let sum = match summed {
        Summed::NotANumber => {
            reply::line(call.out, BAD_NUMBER);
            return Ok(());
        }
        Summed::NotFound if is_created => {
            let initial = asked.initial;
            write(call.keys, key, initial.to_string().as_bytes(), until.unwrap_or(0), Marks::default())?;
            note(&call.keys.memcache_uses().total_items);
            initial
        }
        Summed::NotFound => {
            reply::meta_code(call.out, asked, "NF");
            return Ok(());
        }
        Summed::Exists => {
            reply::meta_code(call.out, asked, "EX");
            return Ok(());
        }
        Summed::To(sum) => {
            if let Some(until) = until {
                touch(call, key, until)?;
            }
            sum
        }
    };
    if asked.quiet {
        return Ok(());
    }
    let mut told = call.keys.item(key)?.map_or_else(reply::Item::default, |item| known(&item, now_ms));
    if is_told {
        told.ttl = match told_until.map(|until| expiry(until, now_ms)) {
            None => seconds_left(before_ms, now_ms),
            Some(Expiry::Never) => seconds_left(call.keys.default_expiry(), now_ms),
            Some(Expiry::At(at_ms)) => seconds_left(Some(at_ms), now_ms),
            Some(Expiry::Past) => told.ttl,
        };
    }
    let digits = sum.to_string();
    let value = asked.with_value.then_some(reply::Value::Slice(digits.as_bytes()));
    reply::meta(call.out, asked, &told, value);
    Ok(())
}

fn debug(call: &mut Call<'_, '_>, asked: &Meta<'_>) -> Ran {
    let now_ms = call.keys.now_ms();
    let Some(item) = call.keys.item(&asked.key)? else {
        reply::line(call.out, "EN");
        return Ok(());
    };
    // What is left has a minus in 1.6.18: it tells how long ago the item expired.
    let ttl = seconds_left(item.expires_ms, now_ms).map_or(-1, |ttl| -(ttl as i64));
    let (cas, size) = (item.cas, asked.key.len() + item.text.len());
    call.out.raw(b"ME ");
    call.out.raw(asked.key_sent);
    let rest = format!(" exp={ttl} la=0 cas={cas} fetch=no cls=1 size={size}");
    reply::line(call.out, &rest);
    Ok(())
}

fn missed(call: &mut Call<'_, '_>, asked: &Meta<'_>, code: &str) {
    if !asked.quiet {
        reply::meta_code(call.out, asked, code);
    }
}

/// Writes an item anew with other marks.
fn mark(keys: &mut Keys<'_>, key: &[u8], marks: Marks) -> Ran {
    let Some(item) = keys.item(key)? else { return Ok(()) };
    let (value, expires_ms) = (item.text.to_bytes(), item.expires_ms);
    keys.set_item(key, &value, expires_ms, marks).map(drop)
}

fn known(item: &Item<'_>, now_ms: u64) -> reply::Item {
    reply::Item {
        len: item.text.len(),
        flags: item.marks.client_flags(),
        cas: item.cas,
        ttl: seconds_left(item.expires_ms, now_ms),
        ..reply::Item::default()
    }
}
