//! Driver: what a script returned, as a reply in the client's version of the protocol.

use std::ffi::{CStr, c_int};

use ringway_protocol::resp::number::Decimal;
use ringway_protocol::resp::reply_reader::REPLY_DEPTH_MAX;
use ringway_protocol::resp::{Out, RespVersion};

use crate::context::context;
use crate::lua::*;

/// Where an answer goes.
pub struct Answer {
    pub out: *mut Out,
    /// What `out` may hold in the end.
    pub bytes_max: usize,
}

/// An answer that is too large; what is written of it has to go.
pub struct TooLarge;

impl Answer {
    /// Borrowed for one expression.
    unsafe fn out(&self) -> &'static mut Out {
        &mut *self.out
    }

    /// Takes the value on top and writes it. What Lua cannot say is null.
    ///
    /// # Safety
    /// May raise.
    pub unsafe fn write(&self, lua: *mut lua_State) -> Result<(), TooLarge> {
        self.write_at(lua, 0)
    }

    unsafe fn write_at(&self, lua: *mut lua_State, depth: usize) -> Result<(), TooLarge> {
        if self.out().len() > self.bytes_max {
            return Err(TooLarge);
        }
        if depth >= REPLY_DEPTH_MAX - 1 || lua_checkstack(lua, 4) == 0 {
            self.out().error("ERR reached lua stack limit");
            lua_pop(lua, 1);
            return Ok(());
        }
        match lua_type(lua, -1) {
            LUA_TSTRING => self.out().bulk(bytes_at(lua, -1)),
            LUA_TNUMBER => self.out().int(truncated(lua_tonumber(lua, -1))),
            LUA_TBOOLEAN => self.write_boolean((*context(lua)).reply.version(), lua_toboolean(lua, -1) != 0),
            LUA_TTABLE => return self.write_table(lua, depth),
            _ => self.out().null(),
        }
        lua_pop(lua, 1);
        Ok(())
    }

    /// False is null unless the script has asked for version 3.
    unsafe fn write_boolean(&self, scripts: RespVersion, is: bool) {
        match (scripts, is) {
            (RespVersion::Three, _) => self.out().bool(is),
            (RespVersion::Two, true) => self.out().int(1),
            (RespVersion::Two, false) => self.out().null(),
        }
    }

    unsafe fn write_table(&self, lua: *mut lua_State, depth: usize) -> Result<(), TooLarge> {
        if has_field(lua, c"err", LUA_TSTRING) {
            lua_pop(lua, 1);
            self.write_error(lua);
        } else if has_field(lua, c"ok", LUA_TSTRING) {
            self.line(b'+', until_nul(bytes_at(lua, -1)));
            lua_pop(lua, 1);
        } else if has_field(lua, c"double", LUA_TNUMBER) {
            self.out().double(lua_tonumber(lua, -1));
            lua_pop(lua, 1);
        } else if has_field(lua, c"big_number", LUA_TSTRING) {
            self.write_big_number(bytes_at(lua, -1));
            lua_pop(lua, 1);
        } else if self.write_verbatim(lua) {
        } else if has_field(lua, c"map", LUA_TTABLE) {
            self.out().map(count_pairs(lua));
            self.write_pairs(lua, depth, true)?;
        } else if has_field(lua, c"set", LUA_TTABLE) {
            self.out().set(count_pairs(lua));
            self.write_pairs(lua, depth, false)?;
        } else {
            self.write_array(lua, depth)?;
        }
        lua_pop(lua, 1);
        Ok(())
    }

    /// The table on top is an error.
    unsafe fn write_error(&self, lua: *mut lua_State) {
        lua_getfield_(lua, -1, c"err".as_ptr());
        if lua_isstring(lua, -1) != 0 {
            self.out().error_bytes(until_nul(bytes_at(lua, -1)));
        } else {
            self.out().error("ERR");
        }
        lua_pop(lua, 1);
    }

    unsafe fn write_big_number(&self, digits: &[u8]) {
        match self.out().version() {
            RespVersion::Two => {
                self.put_head(b'$', digits.len());
                self.put_one_line(digits);
                self.out().raw(b"\r\n");
            }
            RespVersion::Three => self.line(b'(', digits),
        }
    }

    /// `{verbatim_string = {format = "txt", string = "..."}}`; says whether it is one.
    unsafe fn write_verbatim(&self, lua: *mut lua_State) -> bool {
        if !has_field(lua, c"verbatim_string", LUA_TTABLE) {
            return false;
        }
        if has_field(lua, c"format", LUA_TSTRING) {
            lua_pushliteral(lua, c"string");
            lua_rawget_(lua, -3);
            if lua_type(lua, -1) == LUA_TSTRING {
                self.put_verbatim(until_nul(bytes_at(lua, -2)), bytes_at(lua, -1));
                lua_pop(lua, 3);
                return true;
            }
            lua_pop(lua, 2);
        }
        lua_pop(lua, 1);
        false
    }

    unsafe fn put_verbatim(&self, format: &[u8], text: &[u8]) {
        if self.out().version() == RespVersion::Two {
            return self.out().bulk(text);
        }
        let mut head = *b"   :";
        head.iter_mut().take(3).zip(format).for_each(|(to, from)| *to = *from);
        self.put_head(b'=', text.len() + 4);
        self.out().raw(&head);
        self.out().raw(text);
        self.out().raw(b"\r\n");
    }

    unsafe fn put_head(&self, kind: u8, len: usize) {
        self.out().raw(&[kind]);
        self.out().raw(Decimal::unsigned(len as u64).as_bytes());
        self.out().raw(b"\r\n");
    }

    /// Keys, and values if asked for, of the table on top, which is taken.
    unsafe fn write_pairs(&self, lua: *mut lua_State, depth: usize, with_values: bool) -> Result<(), TooLarge> {
        lua_pushnil(lua);
        while lua_next(lua, -2) != 0 {
            if !with_values {
                lua_pop(lua, 1);
                lua_pushvalue(lua, -1);
                self.write_at(lua, depth + 1)?;
                continue;
            }
            lua_pushvalue(lua, -2);
            self.write_at(lua, depth + 1)?;
            self.write_at(lua, depth + 1)?;
        }
        lua_pop(lua, 1);
        Ok(())
    }

    /// Up to the first nil.
    unsafe fn write_array(&self, lua: *mut lua_State, depth: usize) -> Result<(), TooLarge> {
        let len = len_to_nil(lua);
        self.out().array(len as usize);
        for index in 1..=len {
            lua_rawgeti_(lua, -1, index);
            self.write_at(lua, depth + 1)?;
        }
        Ok(())
    }

    unsafe fn line(&self, kind: u8, text: &[u8]) {
        self.out().raw(&[kind]);
        self.put_one_line(text);
        self.out().raw(b"\r\n");
    }

    /// A line break would be read as the next reply.
    unsafe fn put_one_line(&self, text: &[u8]) {
        for (index, line) in text.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
            if index > 0 {
                self.out().raw(b" ");
            }
            self.out().raw(line);
        }
    }
}

/// C's conversion on the machines Redis runs on.
fn truncated(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return number as i64;
    }
    i64::MIN
}

/// Pushes the field of the table on top if it is of this type.
unsafe fn has_field(lua: *mut lua_State, name: &'static CStr, kind: c_int) -> bool {
    lua_pushliteral(lua, name);
    lua_rawget_(lua, -2);
    if lua_type(lua, -1) == kind {
        return true;
    }
    lua_pop(lua, 1);
    false
}

unsafe fn count_pairs(lua: *mut lua_State) -> usize {
    let mut count = 0;
    lua_pushnil(lua);
    while lua_next(lua, -2) != 0 {
        lua_pop(lua, 1);
        count += 1;
    }
    count
}

unsafe fn len_to_nil(lua: *mut lua_State) -> c_int {
    let mut len = 0;
    loop {
        lua_rawgeti_(lua, -1, len + 1);
        let is_end = lua_type(lua, -1) == LUA_TNIL;
        lua_pop(lua, 1);
        if is_end {
            return len;
        }
        len += 1;
    }
}
