//! Core: `set` and its kin, and `touch`.

use ringway_protocol::memcache::{Store, Verb, reply};

use super::exptime::{Expiry, expiry};
use crate::call::{Call, Item, Keys, Marks, VALUE_LEN_MAX};
use crate::fail::{Fail, Ran};

const TOO_LARGE: Fail = Fail::new("ERR object too large for cache");

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// With this number.
    Yes(u64),
    /// There is an item, or none, where it should be the other way round.
    No,
    /// It has another number.
    Exists,
    NotFound,
}

pub(super) fn store(call: &mut Call<'_, '_>, asked: &Store<'_>) -> Ran {
    let (key, data, marks) = (asked.key, asked.data, Marks::of_client(asked.flags));
    let (keys, until) = (&mut *call.keys, asked.expires);
    let stored = match asked.verb {
        Verb::Set => write(keys, key, data, until, marks)?,
        Verb::Add if keys.exists(key)? => Stored::No,
        Verb::Replace if keys.item(key)?.is_none() => Stored::No,
        Verb::Add | Verb::Replace => write(keys, key, data, until, marks)?,
        Verb::Append => extend(keys, key, &[], data, None)?,
        Verb::Prepend => extend(keys, key, data, &[], None)?,
        Verb::Cas(cas) => match check(keys, key, cas)? {
            None => write(keys, key, data, until, marks)?,
            Some(otherwise) => otherwise,
        },
    };
    keys.memcache_uses().note_stored(stored, matches!(asked.verb, Verb::Cas(_)));
    reply::line(
        call.out,
        match stored {
            Stored::Yes(_) => "STORED",
            Stored::No => "NOT_STORED",
            Stored::Exists => "EXISTS",
            Stored::NotFound => "NOT_FOUND",
        },
    );
    Ok(())
}

/// What there is to say if the item has not this number.
pub(super) fn check(keys: &mut Keys<'_>, key: &[u8], cas: u64) -> Ran<Option<Stored>> {
    Ok(match keys.item(key)? {
        None => Some(Stored::NotFound),
        Some(item) if item.cas != cas => Some(Stored::Exists),
        Some(_) => None,
    })
}

/// Writes over whatever is there; 0 as `until` is the bucket's own time to live, if it has one.
pub(super) fn write(keys: &mut Keys<'_>, key: &[u8], data: &[u8], until: i64, marks: Marks) -> Ran<Stored> {
    let expires_ms = match expiry(until, keys.now_ms()) {
        Expiry::Never => keys.default_expiry(),
        Expiry::At(at_ms) => Some(at_ms),
        Expiry::Past => {
            keys.delete(key)?;
            return Ok(Stored::Yes(0));
        }
    };
    keys.set_item(key, data, expires_ms, marks).map(Stored::Yes)
}

/// Writes over what is there and leaves when it expires.
pub(super) fn write_until(
    keys: &mut Keys<'_>,
    key: &[u8],
    data: &[u8],
    expires_ms: Option<u64>,
    marks: Marks,
) -> Ran<Stored> {
    keys.set_item(key, data, expires_ms, marks).map(Stored::Yes)
}

/// Puts something before and behind what is there, whose flags and time to live it keeps; it is not stale any more.
pub(super) fn extend(keys: &mut Keys<'_>, key: &[u8], front: &[u8], back: &[u8], cas: Option<u64>) -> Ran<Stored> {
    let Some(Item { text, expires_ms, cas: found, marks }) = keys.item(key)? else { return Ok(Stored::No) };
    if cas.is_some_and(|cas| cas != found) {
        return Ok(Stored::Exists);
    }
    if front.len() + text.len() + back.len() > VALUE_LEN_MAX {
        return Err(TOO_LARGE);
    }
    let whole = [front, &text, back].concat();
    let marks = Marks::of_client(marks.client_flags());
    keys.set_item(key, &whole, expires_ms, marks).map(Stored::Yes)
}

/// Changes when an item expires. Whether there is one.
pub(super) fn touch(call: &mut Call<'_, '_>, key: &[u8], until: i64) -> Ran<bool> {
    let keys = &mut *call.keys;
    let Some(before) = keys.item(key)?.map(|item| item.expires_ms) else { return Ok(false) };
    let expires_ms = match expiry(until, keys.now_ms()) {
        Expiry::Never => keys.default_expiry(),
        Expiry::At(at_ms) => Some(at_ms),
        Expiry::Past => return keys.delete(key),
    };
    if before != expires_ms {
        keys.set_expiry(key, expires_ms)?;
    }
    Ok(true)
}
