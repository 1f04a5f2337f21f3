//! Core: meta commands.

use ringway_protocol::memcache::meta::SetMode;
use ringway_protocol::memcache::{Meta, MetaVerb, reply};

use super::BAD_NUMBER;
use super::arithmetic::{Summed, sum};
use super::exptime::seconds_left;
use super::get::value_of;
use super::store::{Stored, check, extend, touch, write};
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
    let Some(before) = call.keys.item(key)?.map(|item| (item.expires_ms, item.marks)) else {
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
    let Some(item) = call.keys.item(key)? else {
        // It has expired with this very request.
        missed(call, asked, "EN");
        return Ok(());
    };
    let told =
        reply::Item { is_won, is_stale: marks.is_stale(), is_being_made: marks.is_won(), ..known(&item, now_ms) };
    reply::meta(call.out, asked, &told, asked.with_value.then(|| value_of(&item.text)));
    Ok(())
}

/// There was nothing: there is an empty item now, and this client is to fill it.
fn vivify(call: &mut Call<'_, '_>, asked: &Meta<'_>, until: i64) -> Ran {
    write(call.keys, &asked.key, b"", until, Marks::default().won())?;
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
        Some(Stored::Exists) if asked.invalidate && keys.item(&asked.key)?.is_some_and(|item| cas < item.cas) => {
            write(keys, &asked.key, data, until, marks.stale())
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
    if !(asked.quiet && code == "HD") {
        reply::meta_code(call.out, asked, code);
    }
    Ok(())
}

fn arithmetic(call: &mut Call<'_, '_>, asked: &Meta<'_>, is_decrement: bool) -> Ran {
    let key = &*asked.key;
    let sum = match sum(call.keys, key, asked.delta, is_decrement, asked.cas)? {
        Summed::NotANumber => {
            reply::line(call.out, BAD_NUMBER);
            return Ok(());
        }
        Summed::NotFound if asked.vivify.is_some() => {
            let (until, initial) = (asked.vivify.unwrap_or(0), asked.initial);
            write(call.keys, key, initial.to_string().as_bytes(), until, Marks::default())?;
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
        Summed::To(sum) => sum,
    };
    if let Some(until) = asked.expires {
        touch(call, key, until)?;
    }
    if asked.quiet {
        return Ok(());
    }
    let now_ms = call.keys.now_ms();
    let told = call.keys.item(key)?.map_or_else(reply::Item::default, |item| known(&item, now_ms));
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
    let ttl = seconds_left(item.expires_ms, now_ms).map_or("-1".to_owned(), |ttl| ttl.to_string());
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
    drop(item);
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
