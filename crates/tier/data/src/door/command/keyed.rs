//! Core: the commands on one key that have more to say than its name, and MSET.

use bytes::Bytes;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::request::parse_int;

use super::expiry::{at_ms, invalid};
use super::{Args, Gather, NOT_AN_INTEGER, Plan, Planned, SYNTAX, key, keyed, wrong_count};
use crate::op::{Action, Expiry, Op, Set, SetOnly, VALUE_LEN_MAX};

fn value(arg: &Bytes) -> Result<Bytes, Reply> {
    if arg.len() > VALUE_LEN_MAX {
        return Err(Reply::error("ERR value is longer than 7340032 bytes, the most a bucket takes"));
    }
    Ok(arg.clone())
}

fn plain(value: Bytes, expiry: Expiry) -> Set {
    Set { value, expiry, only: None, get: false, as_number: false }
}

pub(super) fn set(args: Args<'_>) -> Planned {
    let mut set = plain(value(&args[2])?, Expiry::Default);
    let mut words = args[3..].iter();
    while let Some(word) = words.next() {
        let word = word.to_ascii_uppercase();
        match word.as_slice() {
            b"NX" if set.only != Some(SetOnly::IfThere) => set.only = Some(SetOnly::IfMissing),
            b"XX" if set.only != Some(SetOnly::IfMissing) => set.only = Some(SetOnly::IfThere),
            b"GET" => set.get = true,
            b"KEEPTTL" if matches!(set.expiry, Expiry::Default | Expiry::Keep) => set.expiry = Expiry::Keep,
            b"EX" | b"PX" | b"EXAT" | b"PXAT" if set.expiry == Expiry::Default => {
                set.expiry = expiry_option(&args[0], &word, words.next().ok_or(SYNTAX)?)?;
            }
            _ => return Err(SYNTAX),
        }
    }
    keyed(args, Action::Set(set))
}

fn expiry_option(command: &[u8], word: &[u8], number: &[u8]) -> Result<Expiry, Reply> {
    let number = parse_int(number).ok_or(NOT_AN_INTEGER)?;
    let unit_ms = if word.starts_with(b"EX") { 1000 } else { 1 };
    positive(command, number, unit_ms, !word.ends_with(b"AT"))
}

fn positive(command: &[u8], number: i64, unit_ms: i64, from_now: bool) -> Result<Expiry, Reply> {
    let at = Some(number).filter(|number| *number > 0).and_then(|number| at_ms(number, unit_ms, from_now));
    at.map(|at_ms| Expiry::At(at_ms as u64)).ok_or_else(|| invalid(command))
}

pub(super) fn set_for(args: Args<'_>, unit_ms: i64) -> Planned {
    let number = parse_int(&args[2]).ok_or(NOT_AN_INTEGER)?;
    let expiry = positive(&args[0], number, unit_ms, true)?;
    keyed(args, Action::Set(plain(value(&args[3])?, expiry)))
}

pub(super) fn setnx(args: Args<'_>) -> Planned {
    let set = plain(value(&args[2])?, Expiry::Default);
    keyed(args, Action::Set(Set { only: Some(SetOnly::IfMissing), as_number: true, ..set }))
}

pub(super) fn getset(args: Args<'_>) -> Planned {
    keyed(args, Action::Set(Set { get: true, ..plain(value(&args[2])?, Expiry::Default) }))
}

pub(super) fn getex(args: Args<'_>) -> Planned {
    let expiry = match &args[2..] {
        [] => return keyed(args, Action::Get),
        [word] if word.eq_ignore_ascii_case(b"PERSIST") => Expiry::Never,
        [word, number] => {
            let word = word.to_ascii_uppercase();
            if !matches!(word.as_slice(), b"EX" | b"PX" | b"EXAT" | b"PXAT") {
                return Err(SYNTAX);
            }
            expiry_option(&args[0], &word, number)?
        }
        _ => return Err(SYNTAX),
    };
    keyed(args, Action::GetEx(expiry))
}

pub(super) fn getrange(args: Args<'_>) -> Planned {
    let (first, last) = (parse_int(&args[2]).ok_or(NOT_AN_INTEGER)?, parse_int(&args[3]).ok_or(NOT_AN_INTEGER)?);
    keyed(args, Action::GetRange { first, last })
}

pub(super) fn setrange(args: Args<'_>) -> Planned {
    let offset = parse_int(&args[2]).ok_or(NOT_AN_INTEGER)?;
    if offset < 0 {
        return Err(Reply::error("ERR offset is out of range"));
    }
    // Too large for a u32 is too large for a value.
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    keyed(args, Action::SetRange { offset, value: value(&args[3])? })
}

pub(super) fn append(args: Args<'_>) -> Planned {
    keyed(args, Action::Append(value(&args[2])?))
}

pub(super) fn add(args: Args<'_>, negate: bool) -> Planned {
    let by = parse_int(&args[2]).ok_or(NOT_AN_INTEGER)?;
    let by = if negate { by.checked_neg().ok_or(Reply::error("ERR decrement would overflow"))? } else { by };
    keyed(args, Action::Add(by))
}

pub(super) fn mset(args: Args<'_>) -> Planned {
    let (pairs, rest) = args[1..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong_count(b"mset"));
    }
    let op = |pair: &[Bytes; 2]| Ok(Op::set(key(&pair[0])?, value(&pair[1])?, Expiry::Default));
    let ops: Result<Vec<Op>, Reply> = pairs.iter().map(op).collect();
    Ok(Plan::Gathered(ops?, Gather::Ok))
}
