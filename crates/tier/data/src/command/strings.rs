//! Core: commands on strings.

use ringway_protocol::resp::Out;

use super::args::{int, is};
use super::expiry::{Unit, expiry_option};
use super::{AGAIN, Gather, Group, KeyPlaces, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call, Text, VALUE_LEN_MAX};
use crate::fail::{Fail, Ran};

const G: Group = Group::String;
const FIRST: KeyPlaces = KeyPlaces::First;
const PAIRS: KeyPlaces = KeyPlaces::Range { first: 1, last: -1, step: 2 };
const REST: KeyPlaces = KeyPlaces::Range { first: 1, last: -1, step: 1 };

pub(super) const SPECS: &[Spec] = &[
    spec("append", 3, WRITE | SHORT, FIRST, G, "adds to the end of a string", Run::Keyed(append)),
    spec("get", 2, READ, FIRST, G, "a string", Run::Keyed(get)),
    spec("getdel", 2, WRITE, FIRST, G, "a string, which is deleted", Run::Keyed(getdel)),
    spec("getex", -2, WRITE, FIRST, G, "a string, and changes when it expires", Run::Keyed(getex)),
    spec("getrange", 4, READ, FIRST, G, "a part of a string", Run::Keyed(getrange)),
    spec("getset", 3, WRITE, FIRST, G, "sets a string and gives the one before", Run::Keyed(getset)),
    spec("mget", -2, READ, REST, G, "several strings", Run::Split(Gather::List, mget)),
    spec("mset", -3, WRITE | SHORT | AGAIN, PAIRS, G, "sets several strings", Run::Split(Gather::Ok, mset)),
    spec("msetnx", -3, WRITE | SHORT, PAIRS, G, "sets several strings if none is there", Run::Keyed(msetnx)),
    spec("psetex", 4, WRITE | SHORT | AGAIN, FIRST, G, "sets a string that expires, in ms", Run::Keyed(psetex)),
    spec("set", -3, WRITE | AGAIN, FIRST, G, "sets a string", Run::Keyed(set)),
    spec("setex", 4, WRITE | SHORT | AGAIN, FIRST, G, "sets a string that expires, in seconds", Run::Keyed(setex)),
    spec("setnx", 3, WRITE | SHORT, FIRST, G, "sets a string if it is not there", Run::Keyed(setnx)),
    spec("setrange", 4, WRITE | SHORT | AGAIN, FIRST, G, "writes over a part of a string", Run::Keyed(setrange)),
    spec("strlen", 2, READ | SHORT, FIRST, G, "the length of a string", Run::Keyed(strlen)),
    spec("substr", 4, READ, FIRST, G, "a part of a string", Run::Keyed(getrange)),
];

/// A string, or null.
pub(super) fn write_text(out: &mut Out, text: Option<&Text<'_>>) {
    match text {
        None => out.null(),
        Some(Text::Shared(bytes)) => out.shared(bytes),
        Some(text) => out.bulk(text),
    }
}

fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let found = call.keys.text(args[1])?;
    write_text(call.out, found.as_ref().map(|(text, _)| text));
    Ok(())
}

fn mget(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    call.out.array(args.len() - 1);
    for key in &args[1..] {
        match call.keys.text(key) {
            // Another type is nothing here.
            Err(fail) if fail == Fail::WRONG_TYPE => call.out.null(),
            found => write_text(call.out, found?.as_ref().map(|(text, _)| text)),
        }
    }
    Ok(())
}

fn strlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.text(args[1])?.map_or(0, |(text, _)| text.len());
    call.out.int(len as i64);
    Ok(())
}

/// Negative positions count from the end, the last is included.
fn getrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (first, last) = (int(args[2])?, int(args[3])?);
    let Some((text, _)) = call.keys.text(args[1])? else {
        call.out.bulk(b"");
        return Ok(());
    };
    let len = text.len() as i64;
    let absolute = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    let (from, to) = (absolute(first), absolute(last).min(len - 1));
    if first < 0 && last < 0 && first > last || from > to {
        call.out.bulk(b"");
        return Ok(());
    }
    match &text {
        Text::Shared(bytes) => call.out.shared(&bytes.slice(from as usize..=to as usize)),
        text => call.out.bulk(&text[from as usize..=to as usize]),
    }
    Ok(())
}

fn getdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    get(call, args)?;
    call.keys.delete(args[1])?;
    Ok(())
}

fn getset(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    get(call, args)?;
    let expires_ms = call.keys.default_expiry();
    call.keys.set(args[1], args[2], expires_ms)
}

fn getex(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (mut persists, mut expiry) = (false, None);
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        if is(word, "PERSIST") && expiry.is_none() {
            persists = true;
        } else if !persists {
            expiry = Some(expiry_words(expiry, word, words.next())?);
        } else {
            return Err(Fail::SYNTAX);
        }
    }
    if call.keys.text(args[1])?.is_none() {
        // The number is not looked at.
        return get(call, args);
    }
    let at_ms = expiry.map(|(unit, number)| expiry_option(call.keys.now_ms(), "getex", unit, number)).transpose()?;
    let change = at_ms.map(Some).or(persists.then_some(None));
    get(call, args)?;
    match change {
        None => Ok(()),
        Some(Some(at_ms)) if at_ms <= call.keys.now_ms() => call.keys.delete(args[1]).map(drop),
        Some(None) if call.keys.text(args[1])?.is_some_and(|(_, expires_ms)| expires_ms.is_none()) => Ok(()),
        Some(expires_ms) => call.keys.set_expiry(args[1], expires_ms),
    }
}

/// EX and its like with their number; the same one may be said again.
fn expiry_words<'a>(before: Option<(Unit, &'a [u8])>, word: &[u8], number: Option<&&'a [u8]>) -> Ran<(Unit, &'a [u8])> {
    let unit = Unit::option(word).filter(|unit| before.is_none_or(|(other, _)| other == *unit)).ok_or(Fail::SYNTAX)?;
    Ok((unit, number.ok_or(Fail::SYNTAX)?))
}

/// What SET is told beside key and value.
#[derive(Default)]
struct SetOptions {
    if_missing: bool,
    if_there: bool,
    get: bool,
    keep: bool,
    at_ms: Option<u64>,
}

impl SetOptions {
    fn parse(now_ms: u64, args: Args<'_>) -> Ran<Self> {
        let mut options = Self::default();
        let mut expiry = None;
        let mut words = args[3..].iter();
        while let Some(word) = words.next() {
            if is(word, "NX") && !options.if_there {
                options.if_missing = true;
            } else if is(word, "XX") && !options.if_missing {
                options.if_there = true;
            } else if is(word, "GET") {
                options.get = true;
            } else if is(word, "KEEPTTL") && expiry.is_none() {
                options.keep = true;
            } else if !options.keep {
                expiry = Some(expiry_words(expiry, word, words.next())?);
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        // Numbers come after all words, as in Redis.
        options.at_ms = expiry.map(|(unit, number)| expiry_option(now_ms, "set", unit, number)).transpose()?;
        Ok(options)
    }
}

fn set(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    if args.len() == 3 {
        let expires_ms = call.keys.default_expiry();
        call.keys.set(args[1], args[2], expires_ms)?;
        call.out.ok();
        return Ok(());
    }
    set_with_options(call, args)
}

fn set_with_options(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let options = SetOptions::parse(call.keys.now_ms(), args)?;
    let (is_there, before_ms) = match options.get {
        // GET asks for a string; without it, any type is written over.
        true => {
            let found = call.keys.text(args[1])?;
            write_text(call.out, found.as_ref().map(|(text, _)| text));
            (found.is_some(), found.and_then(|(_, expires_ms)| expires_ms))
        }
        false => {
            let found = call.keys.live(args[1])?;
            (found.is_some(), found.and_then(|(_, expires_ms)| expires_ms))
        }
    };
    if options.if_missing && is_there || options.if_there && !is_there {
        if !options.get {
            call.out.null();
        }
        return Ok(());
    }
    let expires_ms = match options.at_ms {
        Some(at_ms) => Some(at_ms),
        None if options.keep && is_there => before_ms,
        None => call.keys.default_expiry(),
    };
    write_or_delete(call, args[1], args[2], expires_ms)?;
    if !options.get {
        call.out.ok();
    }
    Ok(())
}

/// Written into the past it is gone at once, as in Redis.
fn write_or_delete(call: &mut Call<'_, '_>, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Ran {
    match expires_ms {
        Some(at_ms) if at_ms <= call.keys.now_ms() => call.keys.delete(key).map(drop),
        _ => call.keys.set(key, value, expires_ms),
    }
}

fn setex(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    set_for(call, args, Unit::Seconds, "setex")
}

fn psetex(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    set_for(call, args, Unit::Millis, "psetex")
}

fn set_for(call: &mut Call<'_, '_>, args: Args<'_>, unit: Unit, name: &str) -> Ran {
    let at_ms = expiry_option(call.keys.now_ms(), name, unit, args[2])?;
    call.keys.set(args[1], args[3], Some(at_ms))?;
    call.out.ok();
    Ok(())
}

fn setnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let is_there = call.keys.exists(args[1])?;
    if !is_there {
        let expires_ms = call.keys.default_expiry();
        call.keys.set(args[1], args[2], expires_ms)?;
    }
    call.out.int(i64::from(!is_there));
    Ok(())
}

fn mset(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    set_pairs(call, args, "mset")?;
    call.out.ok();
    Ok(())
}

fn msetnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    if args.len().is_multiple_of(2) {
        return Err(Fail::wrong_count("msetnx"));
    }
    for key in args[1..].iter().step_by(2) {
        if call.keys.exists(key)? {
            call.out.int(0);
            return Ok(());
        }
    }
    set_pairs(call, args, "msetnx")?;
    call.out.int(1);
    Ok(())
}

fn set_pairs(call: &mut Call<'_, '_>, args: Args<'_>, name: &str) -> Ran {
    let (pairs, rest) = args[1..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fail::wrong_count(name));
    }
    let expires_ms = call.keys.default_expiry();
    pairs.iter().try_for_each(|[key, value]| call.keys.set(key, value, expires_ms))
}

fn append(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (mut value, expires_ms) = match call.keys.text(args[1])? {
        Some((text, expires_ms)) => (text.to_vec(), expires_ms),
        None => (Vec::new(), call.keys.default_expiry()),
    };
    if value.len() + args[2].len() > VALUE_LEN_MAX {
        return Err(Fail::TOO_LONG);
    }
    value.extend_from_slice(args[2]);
    call.keys.set(args[1], &value, expires_ms)?;
    call.out.int(value.len() as i64);
    Ok(())
}

fn setrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let offset = usize::try_from(int(args[2])?).map_err(|_| Fail::new("ERR offset is out of range"))?;
    let (mut value, expires_ms) = match call.keys.text(args[1])? {
        Some((text, expires_ms)) => (text.to_vec(), expires_ms),
        None => (Vec::new(), call.keys.default_expiry()),
    };
    let piece = args[3];
    if piece.is_empty() {
        call.out.int(value.len() as i64);
        return Ok(());
    }
    if offset.saturating_add(piece.len()) > VALUE_LEN_MAX {
        return Err(Fail::TOO_LONG);
    }
    value.resize(value.len().max(offset + piece.len()), 0);
    value[offset..offset + piece.len()].copy_from_slice(piece);
    call.keys.set(args[1], &value, expires_ms)?;
    call.out.int(value.len() as i64);
    Ok(())
}
