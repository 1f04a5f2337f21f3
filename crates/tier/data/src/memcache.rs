//! Core: memcached's commands on the keys of one partition. What they do and say is memcached 1.6's; where keys and replicas make
//! a difference:
//!
//! - The number of an item (`cas`) is the time of the write that made it; touching an item is such a write.
//! - What is not a string (a list that a Redis client made) is not there for reads, and is written over by `set`.
//! - An item is stored as the string that a Redis client sees; a number that was decremented is not padded with spaces.
//! - Whether and when an item was used is not told: `h` and `l` are 0.

mod arithmetic;
mod exptime;
mod get;
mod meta;
mod store;
mod uses;

use ringway_protocol::memcache::meta::SetMode;
use ringway_protocol::memcache::{Limits, MetaVerb, Parsed, Request, Verb, parse, reply};

pub(crate) use self::get::get_one;
pub(crate) use self::uses::{Uses, note};
use crate::call::{Call, VALUE_LEN_MAX};
use crate::fail::{Fail, Ran};

/// What one client may send.
pub(crate) const LIMITS: Limits = Limits { line_len_max: 16 << 20, value_len_max: VALUE_LEN_MAX };
const BAD_NUMBER: &str = "CLIENT_ERROR cannot increment or decrement non-numeric value";

/// Runs a request whose keys are all in the partition; its reply is written, if there is one. `get` has no `END`: there may be
/// keys of other partitions.
pub(crate) fn run(call: &mut Call<'_, '_>, request: &Request<'_>) {
    let mark = call.out.mark();
    if let Err(fail) = call_function(call, request) {
        call.out.cut_back(mark);
        if !is_silent(request) {
            reply::line(call.out, &server_error(&fail));
        }
    } else if is_silent(request) {
        call.out.cut_back(mark);
    }
}

fn call_function(call: &mut Call<'_, '_>, request: &Request<'_>) -> Ran {
    if let Some((key, event)) = key_and_event(request) {
        call.keys.begin(key, only_reads(request), event);
    }
    match request {
        Request::Get(asked) => get::get(call, asked),
        Request::Store(asked) => store::store(call, asked),
        Request::Arithmetic(asked) => arithmetic::arithmetic(call, asked),
        Request::Delete { key, .. } => {
            let found = call.keys.delete(key)?;
            let uses = call.keys.memcache_uses();
            Uses::note_found(found, &uses.delete_hits, &uses.delete_misses);
            let text = if found { "DELETED" } else { "NOT_FOUND" };
            reply::line(call.out, text);
            Ok(())
        }
        Request::Touch { key, expires, .. } => {
            let found = store::touch(call, key, *expires)?;
            let uses = call.keys.memcache_uses();
            Uses::note_found(found, &uses.touch_hits, &uses.touch_misses);
            let text = if found { "TOUCHED" } else { "NOT_FOUND" };
            reply::line(call.out, text);
            Ok(())
        }
        Request::Meta(asked) => meta::run(call, asked),
        _ => Err(Fail::new("ERR this is not about a key")),
    }
}

/// As [`run`], of a request that travelled as it came.
pub(crate) fn run_encoded(call: &mut Call<'_, '_>, request: &[u8]) {
    match read(request) {
        Some(request) => run(call, &request),
        None => reply::line(call.out, "SERVER_ERROR another node has sent what is no request"),
    }
}

/// A request that is complete and was found to be one before.
pub(crate) fn read(request: &[u8]) -> Option<Request<'_>> {
    match parse(request, &LIMITS, 0) {
        Parsed::Complete { request, .. } => Some(request),
        _ => None,
    }
}

/// Whether its reply has no value in it.
pub(crate) fn replies_shortly(request: &[u8]) -> bool {
    let request = request.trim_ascii_start();
    !request.starts_with(b"g") && !request.starts_with(b"mg")
}

/// The one key it is about and what those who watch the bucket hear of a change, in Redis' words. `get` has many keys.
fn key_and_event<'r>(request: &'r Request<'_>) -> Option<(&'r [u8], &'static str)> {
    Some(match request {
        Request::Store(asked) => match asked.verb {
            Verb::Append | Verb::Prepend => (asked.key, "append"),
            _ => (asked.key, "set"),
        },
        Request::Arithmetic(asked) => (asked.key, "incrby"),
        Request::Delete { key, .. } => (key, "del"),
        Request::Touch { key, .. } => (key, "expire"),
        Request::Meta(asked) => match asked.verb {
            MetaVerb::Delete if !asked.invalidate => (&asked.key, "del"),
            MetaVerb::Arithmetic { .. } => (&asked.key, "incrby"),
            MetaVerb::Set { mode: SetMode::Append | SetMode::Prepend, .. } => (&asked.key, "append"),
            MetaVerb::Get if asked.vivify.is_none() => (&asked.key, "expire"),
            _ => (&asked.key, "set"),
        },
        _ => return None,
    })
}

/// Whether the client wants to hear nothing at all. Quiet meta commands decide by what comes of them.
pub(crate) fn is_silent(request: &Request<'_>) -> bool {
    match request {
        Request::Store(asked) => asked.quiet,
        Request::Arithmetic(asked) => asked.quiet,
        Request::Delete { quiet, .. } | Request::Touch { quiet, .. } => *quiet,
        Request::FlushAll { quiet, .. } | Request::Verbosity { quiet } => *quiet,
        _ => false,
    }
}

/// Whether it leaves the keys as they are.
pub(crate) fn only_reads(request: &Request<'_>) -> bool {
    match request {
        Request::Get(asked) => asked.expires.is_none(),
        Request::Meta(asked) => match asked.verb {
            MetaVerb::Debug => true,
            // An item that is stale may make any `mg` the one who is told so.
            MetaVerb::Get => asked.vivify.is_none() && asked.recache.is_none() && asked.expires.is_none(),
            _ => false,
        },
        _ => false,
    }
}

/// Whether doing it twice leaves the same as doing it once, and says the same.
pub(crate) fn is_repeatable(request: &Request<'_>) -> bool {
    match request {
        Request::Store(asked) => asked.verb == Verb::Set,
        Request::Touch { .. } | Request::Get(_) => true,
        _ => only_reads(request),
    }
}

/// What went wrong in the data tier, in memcached's words where it has some.
pub(crate) fn server_error(Fail(text): &Fail) -> String {
    let text = text.replace(['\r', '\n'], " ");
    match text.split_once(' ') {
        Some(("OOM", _)) => "SERVER_ERROR out of memory storing object".to_owned(),
        Some(("ERR", why)) => format!("SERVER_ERROR {why}"),
        _ => format!("SERVER_ERROR {text}"),
    }
}

#[cfg(test)]
mod tests;
