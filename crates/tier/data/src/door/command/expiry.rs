//! Core: times as commands give them: seconds or milliseconds, from now or since 1970.

use bytes::Bytes;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::request::parse_int;
use ringway_rt::clock::wall_ms;

use super::{Args, NOT_AN_INTEGER, Plan, Planned, key, text};
use crate::op::{Action, ExpireOnly, Op};

/// Milliseconds since 1970 from `number` units of `unit_ms`; `None` if it is out of range.
pub(super) fn at_ms(number: i64, unit_ms: i64, from_now: bool) -> Option<i64> {
    let ms = number.checked_mul(unit_ms)?;
    if from_now { ms.checked_add(wall_ms() as i64) } else { Some(ms) }
}

pub(super) fn invalid(command: &[u8]) -> Reply {
    Reply::Error(format!("ERR invalid expire time in '{}' command", text(command).to_lowercase()).into())
}

/// EXPIRE and its relatives. A time in the past deletes.
pub(super) fn expire(args: Args<'_>, unit_ms: i64, from_now: bool) -> Planned {
    let number = parse_int(&args[2]).ok_or(NOT_AN_INTEGER)?;
    let at_ms = at_ms(number, unit_ms, from_now).ok_or_else(|| invalid(&args[0]))?.max(0) as u64;
    let only = only(&args[3..])?;
    Ok(Plan::Keyed(Op::new(key(&args[1])?, Action::ExpireAt { at_ms, only })))
}

/// Each word may come again; those that contradict one another may not come together.
fn only(words: &[Bytes]) -> Result<Option<ExpireOnly>, Reply> {
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    for word in words {
        match word.to_ascii_uppercase().as_slice() {
            b"NX" => nx = true,
            b"XX" => xx = true,
            b"GT" => gt = true,
            b"LT" => lt = true,
            _ => return Err(Reply::Error(format!("ERR Unsupported option {}", text(word)).into())),
        }
    }
    match (nx, xx, gt, lt) {
        (true, false, false, false) => Ok(Some(ExpireOnly::WithoutExpiry)),
        (true, ..) => Err(Reply::error("ERR NX and XX, GT or LT options at the same time are not compatible")),
        (_, _, true, true) => Err(Reply::error("ERR GT and LT options at the same time are not compatible")),
        // A key without an expiry counts as never, and nothing is later than that: XX adds nothing.
        (_, _, true, _) => Ok(Some(ExpireOnly::Later)),
        (_, true, _, true) => Ok(Some(ExpireOnly::SoonerWithExpiry)),
        (_, false, _, true) => Ok(Some(ExpireOnly::Sooner)),
        (_, true, ..) => Ok(Some(ExpireOnly::WithExpiry)),
        _ => Ok(None),
    }
}
