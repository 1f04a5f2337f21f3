//! Core: `get`, `gets`, `gat`, `gats`.

use ringway_protocol::memcache::{Get, reply};

use super::note;
use super::store::touch;
use crate::call::{Call, Item, Text};
use crate::fail::Ran;

pub(super) fn get(call: &mut Call<'_, '_>, asked: &Get<'_>) -> Ran {
    let mut keys = asked.keys;
    keys.try_for_each(|key| get_one(call, asked, key))
}

/// The part of it that is about one of its keys.
pub(crate) fn get_one(call: &mut Call<'_, '_>, asked: &Get<'_>, key: &[u8]) -> Ran {
    call.keys.begin(key, asked.expires.is_none(), "expire");
    let mark = call.out.mark();
    let Some(item) = call.keys.item(key)? else {
        if asked.expires.is_some() {
            note(&call.keys.memcache_uses().touch_misses);
        }
        return Ok(());
    };
    tell(call.out, key, &item, asked.with_cas);
    if asked.expires.is_some() {
        note(&call.keys.memcache_uses().touch_hits);
    }
    // One that expires with this was told. Any other may have another number now.
    if let Some(expires) = asked.expires
        && touch(call, key, expires)?
        && let Some(item) = call.keys.item(key)?
    {
        call.out.cut_back(mark);
        tell(call.out, key, &item, asked.with_cas);
    }
    Ok(())
}

fn tell(out: &mut ringway_protocol::resp::Out, key: &[u8], item: &Item<'_>, with_cas: bool) {
    let cas = with_cas.then_some(item.cas);
    reply::value(out, key, item.marks.client_flags(), cas, value_of(&item.text));
}

pub(super) fn value_of<'a>(text: &'a Text<'_>) -> reply::Value<'a> {
    match text {
        Text::Shared(bytes) => reply::Value::Shared(bytes),
        text => reply::Value::Slice(text),
    }
}
