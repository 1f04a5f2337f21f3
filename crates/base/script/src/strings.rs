//! Driver: the functions of Lua's `string` that could run for long or deep, with bounds; the rest of the library is Lua's own.

use std::ffi::c_int;

use crate::context::budget;
use crate::deadline;
use crate::lua::*;
use crate::pattern::{Capture, Fault, Matcher};
use crate::text::Text;

/// With none of these in it a pattern is plain text.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// Replaces functions of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    set_functions(
        lua,
        &[(c"find", find), (c"match", match_), (c"gmatch", gmatch), (c"gsub", gsub), (c"rep", rep), (c"gfind", gmatch)],
    );
}

unsafe extern "C-unwind" fn find(lua: *mut lua_State) -> c_int {
    find_or_match(lua, true)
}

unsafe extern "C-unwind" fn match_(lua: *mut lua_State) -> c_int {
    find_or_match(lua, false)
}

unsafe fn find_or_match(lua: *mut lua_State, is_find: bool) -> c_int {
    let subject = check_bytes(lua, 1);
    let pattern = check_bytes(lua, 2);
    let from = start_of(luaL_optinteger(lua, 3, 1), subject.len());
    let is_plain = || until_nul(pattern).iter().all(|byte| !SPECIALS.contains(byte));
    if is_find && (lua_toboolean(lua, 4) != 0 || is_plain()) {
        return find_plain(lua, subject, pattern, from);
    }
    let (pattern, is_anchored) = anchored(pattern);
    let mut matcher = Matcher::new(subject, pattern, || !budget(lua).look());
    for at in from..=subject.len() {
        if let Some(end) = or_raise(lua, matcher.match_at(at)) {
            if !is_find {
                return push_captures(lua, subject, matcher.captures(), Some((at, end)));
            }
            lua_pushinteger(lua, at as lua_Integer + 1);
            lua_pushinteger(lua, end as lua_Integer);
            return push_captures(lua, subject, matcher.captures(), None) + 2;
        }
        if is_anchored {
            break;
        }
    }
    lua_pushnil(lua);
    1
}

unsafe fn find_plain(lua: *mut lua_State, subject: &[u8], text: &[u8], from: usize) -> c_int {
    match memchr::memmem::find(&subject[from..], text) {
        Some(at) => {
            lua_pushinteger(lua, (from + at) as lua_Integer + 1);
            lua_pushinteger(lua, (from + at + text.len()) as lua_Integer);
            2
        }
        None => {
            lua_pushnil(lua);
            1
        }
    }
}

/// Upvalues: subject, pattern, where to go on.
unsafe extern "C-unwind" fn next_match(lua: *mut lua_State) -> c_int {
    let subject = bytes_at(lua, lua_upvalueindex(1));
    let pattern = bytes_at(lua, lua_upvalueindex(2));
    let from = lua_tointeger_(lua, lua_upvalueindex(3)) as usize;
    let mut matcher = Matcher::new(subject, pattern, || !budget(lua).look());
    for at in from..=subject.len() {
        if let Some(end) = or_raise(lua, matcher.match_at(at)) {
            lua_pushinteger(lua, (end + usize::from(end == at)) as lua_Integer);
            lua_replace(lua, lua_upvalueindex(3));
            return push_captures(lua, subject, matcher.captures(), Some((at, end)));
        }
    }
    0
}

unsafe extern "C-unwind" fn gmatch(lua: *mut lua_State) -> c_int {
    check_bytes(lua, 1);
    check_bytes(lua, 2);
    lua_settop(lua, 2);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_match, 3);
    1
}

unsafe extern "C-unwind" fn gsub(lua: *mut lua_State) -> c_int {
    let subject = check_bytes(lua, 1);
    let pattern = check_bytes(lua, 2);
    let kind = lua_type(lua, 3);
    let times_max = luaL_optinteger(lua, 4, subject.len() as lua_Integer + 1) as c_int;
    if !matches!(kind, LUA_TNUMBER | LUA_TSTRING | LUA_TFUNCTION | LUA_TTABLE) {
        raise_argument(lua, 3, c"string/function/table expected");
    }
    let (pattern, is_anchored) = anchored(pattern);
    let mut text = Text::new(lua, subject.len() + 64);
    let mut matcher = Matcher::new(subject, pattern, || !budget(lua).look());
    let (mut at, mut times) = (0, 0);
    while times < times_max {
        let end = or_raise(lua, matcher.match_at(at));
        if let Some(end) = end {
            times += 1;
            add_replacement(lua, &mut text, subject, matcher.captures(), (at, end));
        }
        match (end, subject.get(at)) {
            (Some(end), _) if end > at => at = end,
            (_, Some(byte)) => {
                text.push(lua, &[*byte]);
                at += 1;
            }
            (_, None) => break,
        }
        if is_anchored {
            break;
        }
    }
    text.push(lua, &subject[at..]);
    text.finish(lua);
    lua_pushinteger(lua, lua_Integer::from(times));
    2
}

unsafe fn add_replacement(
    lua: *mut lua_State,
    text: &mut Text,
    subject: &[u8],
    captures: &[Capture],
    whole: (usize, usize),
) {
    match lua_type(lua, 3) {
        LUA_TFUNCTION => {
            lua_pushvalue(lua, 3);
            let count = push_captures(lua, subject, captures, Some(whole));
            lua_call(lua, count, 1);
        }
        LUA_TTABLE => {
            push_capture(lua, subject, captures, 0, Some(whole));
            lua_gettable_(lua, 3);
        }
        _ => return add_template(lua, text, subject, captures, whole),
    }
    if lua_toboolean(lua, -1) == 0 {
        text.push(lua, &subject[whole.0..whole.1]);
    } else if lua_isstring(lua, -1) == 0 {
        luaL_error(lua, c"invalid replacement value (a %s)".as_ptr(), type_name(lua, -1));
    } else {
        text.push(lua, bytes_at(lua, -1));
    }
    lua_pop(lua, 1);
}

/// `%0` to `%9` in a replacement stand for what was matched.
unsafe fn add_template(
    lua: *mut lua_State,
    text: &mut Text,
    subject: &[u8],
    captures: &[Capture],
    whole: (usize, usize),
) {
    let template = bytes_at(lua, 3);
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'%', rest) {
        text.push(lua, &rest[..at]);
        // Behind the last byte C finds the NUL that ends each string.
        let sign = rest.get(at + 1).copied().unwrap_or(0);
        match sign {
            b'0' => text.push(lua, &subject[whole.0..whole.1]),
            b'1'..=b'9' => {
                push_capture(lua, subject, captures, usize::from(sign - b'1'), Some(whole));
                text.push(lua, bytes_at(lua, -1));
                lua_pop(lua, 1);
            }
            _ => text.push(lua, &[sign]),
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    text.push(lua, rest);
}

unsafe extern "C-unwind" fn rep(lua: *mut lua_State) -> c_int {
    let unit = check_bytes(lua, 1);
    let times = check_int(lua, 2).max(0) as usize;
    let len = unit.len().saturating_mul(times);
    if len > budget(lua).limits().memory_bytes {
        raise_plain(lua, c"not enough memory");
    }
    let mut text = Text::new(lua, len.max(1));
    for _ in 0..if unit.is_empty() { 0 } else { times } {
        text.push(lua, unit);
    }
    text.finish(lua);
    1
}

/// Pushes all captures, or the whole match if there are none and it is given.
unsafe fn push_captures(
    lua: *mut lua_State,
    subject: &[u8],
    captures: &[Capture],
    whole: Option<(usize, usize)>,
) -> c_int {
    let count = if captures.is_empty() && whole.is_some() { 1 } else { captures.len() };
    luaL_checkstack_(lua, count as c_int, c"too many captures".as_ptr());
    for index in 0..count {
        push_capture(lua, subject, captures, index, whole);
    }
    count as c_int
}

unsafe fn push_capture(
    lua: *mut lua_State,
    subject: &[u8],
    captures: &[Capture],
    index: usize,
    whole: Option<(usize, usize)>,
) {
    match (captures.get(index), whole) {
        (Some(Capture::Text { from, to }), _) => push_bytes(lua, &subject[*from..*to]),
        (Some(Capture::Position(at)), _) => lua_pushinteger(lua, *at as lua_Integer + 1),
        (Some(Capture::Open { .. }), _) => raise(lua, c"unfinished capture"),
        (None, Some((from, to))) if index == 0 => push_bytes(lua, &subject[from..to]),
        (None, _) => raise(lua, c"invalid capture index"),
    }
}

unsafe fn or_raise<T>(lua: *mut lua_State, found: Result<T, Fault>) -> T {
    match found {
        Ok(found) => found,
        Err(Fault::OverTime) => deadline::end_script(lua),
        Err(fault) => raise(lua, fault.text()),
    }
}

fn anchored(pattern: &[u8]) -> (&[u8], bool) {
    match pattern {
        [b'^', rest @ ..] => (rest, true),
        _ => (pattern, false),
    }
}

/// Where to begin, from a position that counts from 1, or from the end if negative.
fn start_of(position: lua_Integer, len: usize) -> usize {
    let position = if position < 0 { position.saturating_add(len as lua_Integer + 1) } else { position };
    usize::try_from(position.saturating_sub(1)).unwrap_or(0).min(len)
}
