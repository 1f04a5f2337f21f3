//! Driver: what a command answered, as Lua values. Nulls of version 2 are `false`; what has no form of its own in Lua is a table
//! with one field (`ok`, `err`, `double`, `map`, `set`, `big_number`, `verbatim_string`).

use ringway_protocol::resp::reply_reader::REPLY_DEPTH_MAX;

use crate::lua::*;
use crate::redis_api;

/// Pushes one value.
///
/// # Safety
/// Raises. `reply` stays as it is meanwhile.
pub unsafe fn push(lua: *mut lua_State, reply: &[u8]) {
    let mut reader = Reader { rest: reply };
    if push_next(lua, &mut reader, 0).is_none() {
        redis_api::push_error(lua, b"a command's reply cannot be read");
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\r', self.rest)?;
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..)?;
        Some(line)
    }

    fn bulk(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.rest.get(..len)?;
        self.rest = self.rest.get(len + 2..)?;
        Some(bytes)
    }
}

/// `None`: the bytes are no reply.
unsafe fn push_next(lua: *mut lua_State, reader: &mut Reader<'_>, depth: usize) -> Option<()> {
    if depth == REPLY_DEPTH_MAX || lua_checkstack(lua, 6) == 0 {
        return None;
    }
    let (&kind, line) = reader.line()?.split_first()?;
    match kind {
        b'+' => push_field(lua, c"ok", line),
        b'-' => push_error_reply(lua, line),
        b':' => lua_pushnumber(lua, number(line)? as f64),
        b'$' => match number(line)? {
            -1 => lua_pushboolean(lua, 0),
            len => push_bytes(lua, reader.bulk(usize::try_from(len).ok()?)?),
        },
        b'*' if line == b"-1" => lua_pushboolean(lua, 0),
        b'*' | b'>' => push_array(lua, reader, count(line)?, depth)?,
        b'_' => lua_pushnil(lua),
        b'#' => lua_pushboolean(lua, i32::from(line == b"t")),
        b',' => {
            lua_createtable(lua, 0, 1);
            lua_pushnumber(lua, double(line)?);
            lua_setfield(lua, -2, c"double".as_ptr());
        }
        b'(' => push_field(lua, c"big_number", line),
        b'=' => push_verbatim(lua, reader.bulk(count(line)?)?)?,
        b'%' => push_map(lua, reader, count(line)?, depth)?,
        b'~' => push_set(lua, reader, count(line)?, depth)?,
        _ => return None,
    }
    Some(())
}

/// The field tells that the command has counted this error already; scripts can see it.
unsafe fn push_error_reply(lua: *mut lua_State, line: &[u8]) {
    let (code, message) = match memchr::memchr(b' ', line) {
        Some(_) => (&b""[..], line),
        None => (&b"ERR "[..], line),
    };
    lua_createtable(lua, 0, 2);
    push_bytes(lua, code);
    push_bytes(lua, message);
    lua_concat(lua, 2);
    lua_setfield(lua, -2, c"err".as_ptr());
    lua_pushboolean(lua, 1);
    lua_setfield(lua, -2, c"ignore_error_stats_update".as_ptr());
}

unsafe fn push_field(lua: *mut lua_State, name: &std::ffi::CStr, text: &[u8]) {
    lua_createtable(lua, 0, 1);
    push_bytes(lua, text);
    lua_setfield(lua, -2, name.as_ptr());
}

unsafe fn push_array(lua: *mut lua_State, reader: &mut Reader<'_>, len: usize, depth: usize) -> Option<()> {
    // Each element takes at least three bytes, whatever the count says.
    lua_createtable(lua, len.min(reader.rest.len() / 3) as i32, 0);
    for index in 1..=len {
        push_next(lua, reader, depth + 1)?;
        lua_rawseti_(lua, -2, i32::try_from(index).ok()?);
    }
    Some(())
}

unsafe fn push_map(lua: *mut lua_State, reader: &mut Reader<'_>, len: usize, depth: usize) -> Option<()> {
    lua_createtable(lua, 0, 1);
    lua_createtable(lua, 0, 0);
    for _ in 0..len {
        push_next(lua, reader, depth + 1)?;
        push_next(lua, reader, depth + 1)?;
        lua_rawset(lua, -3);
    }
    lua_setfield(lua, -2, c"map".as_ptr());
    Some(())
}

unsafe fn push_set(lua: *mut lua_State, reader: &mut Reader<'_>, len: usize, depth: usize) -> Option<()> {
    lua_createtable(lua, 0, 1);
    lua_createtable(lua, 0, 0);
    for _ in 0..len {
        push_next(lua, reader, depth + 1)?;
        lua_pushboolean(lua, 1);
        lua_rawset(lua, -3);
    }
    lua_setfield(lua, -2, c"set".as_ptr());
    Some(())
}

/// `txt:Some string`.
unsafe fn push_verbatim(lua: *mut lua_State, bytes: &[u8]) -> Option<()> {
    let (format, text) = bytes.split_at_checked(4)?;
    lua_createtable(lua, 0, 1);
    lua_createtable(lua, 0, 2);
    push_bytes(lua, text);
    lua_setfield(lua, -2, c"string".as_ptr());
    push_bytes(lua, &format[..3]);
    lua_setfield(lua, -2, c"format".as_ptr());
    lua_setfield(lua, -2, c"verbatim_string".as_ptr());
    Some(())
}

fn number(line: &[u8]) -> Option<i64> {
    ringway_protocol::resp::number::parse_int(line)
}

fn count(line: &[u8]) -> Option<usize> {
    usize::try_from(number(line)?).ok()
}

fn double(line: &[u8]) -> Option<f64> {
    std::str::from_utf8(line).ok()?.parse().ok()
}
