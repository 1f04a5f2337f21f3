//! Driver: Lua values as JSON text.

use std::ffi::{CStr, c_int};

use super::{DEPTH_MAX, Settings, one_argument, settings};
use crate::context::{budget, context};
use crate::lua::*;
use crate::number_text;

pub unsafe extern "C-unwind" fn encode(lua: *mut lua_State) -> c_int {
    one_argument(lua);
    let text = &raw mut (*context(lua)).scratch;
    (*text).clear();
    let encoder = Encoder { lua, settings: *settings(lua), text };
    encoder.append(0);
    push_bytes(lua, &*text);
    1
}

/// Appends values from the top of the stack.
#[derive(Clone, Copy)]
struct Encoder {
    lua: *mut lua_State,
    settings: Settings,
    text: *mut Vec<u8>,
}

impl Encoder {
    /// Leaves the value on the stack.
    unsafe fn append(&self, depth: c_int) {
        let lua = self.lua;
        match lua_type(lua, -1) {
            LUA_TSTRING => self.append_string(-1),
            LUA_TNUMBER => self.append_number(-1),
            LUA_TBOOLEAN => self.put(if lua_toboolean(lua, -1) != 0 { b"true" } else { b"false" }),
            LUA_TTABLE => self.append_table(depth + 1),
            LUA_TNIL => self.put(b"null"),
            LUA_TLIGHTUSERDATA if lua_touserdata(lua, -1).is_null() => self.put(b"null"),
            _ => self.refuse(-1, c"type not supported"),
        }
    }

    unsafe fn append_table(&self, depth: c_int) {
        let lua = self.lua;
        if depth > self.settings.encode_max_depth.min(DEPTH_MAX) || lua_checkstack(lua, 3) == 0 {
            luaL_error(lua, c"Cannot serialise, excessive nesting (%d)".as_ptr(), depth);
        }
        // The same table may be in many places: text grows faster than memory.
        if (*self.text).len() > budget(lua).limits().memory_bytes {
            raise_plain(lua, c"not enough memory");
        }
        let len = self.array_len();
        if len > 0 { self.append_array(depth, len) } else { self.append_object(depth) }
    }

    /// The greatest index, or -1 if there is a key that is none.
    unsafe fn array_len(&self) -> c_int {
        let lua = self.lua;
        let (mut greatest, mut count) = (0, 0i64);
        lua_pushnil(lua);
        while lua_next(lua, -2) != 0 {
            let index = if lua_type(lua, -2) == LUA_TNUMBER { lua_tonumber(lua, -2) } else { 0.0 };
            if index.floor() != index || index < 1.0 {
                lua_pop(lua, 2);
                return -1;
            }
            if index > f64::from(greatest) {
                greatest = to_int(index);
            }
            count += 1;
            lua_pop(lua, 1);
        }
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = self.settings;
        let is_sparse =
            sparse_ratio > 0 && i64::from(greatest) > count * i64::from(sparse_ratio) && greatest > sparse_safe;
        if is_sparse && sparse_convert == 0 {
            self.refuse(-1, c"excessively sparse array");
        }
        if is_sparse { -1 } else { greatest }
    }

    unsafe fn append_array(&self, depth: c_int, len: c_int) {
        self.put(b"[");
        for index in 1..=len {
            if index > 1 {
                self.put(b",");
            }
            lua_rawgeti_(self.lua, -1, index);
            self.append(depth);
            lua_pop(self.lua, 1);
        }
        self.put(b"]");
    }

    unsafe fn append_object(&self, depth: c_int) {
        let lua = self.lua;
        self.put(b"{");
        let mut is_first = true;
        lua_pushnil(lua);
        while lua_next(lua, -2) != 0 {
            if !is_first {
                self.put(b",");
            }
            is_first = false;
            match lua_type(lua, -2) {
                LUA_TNUMBER => {
                    self.put(b"\"");
                    self.append_number(-2);
                    self.put(b"\":");
                }
                LUA_TSTRING => {
                    self.append_string(-2);
                    self.put(b":");
                }
                _ => self.refuse(-2, c"table key must be a number or string"),
            }
            self.append(depth);
            lua_pop(lua, 1);
        }
        self.put(b"}");
    }

    unsafe fn append_string(&self, index: c_int) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let text = &mut *self.text;
        let bytes = bytes_at(self.lua, index);
        text.reserve(bytes.len() + 2);
        text.push(b'"');
        for &byte in bytes {
            match byte {
                b'"' => text.extend_from_slice(b"\\\""),
                b'\\' => text.extend_from_slice(b"\\\\"),
                b'/' => text.extend_from_slice(b"\\/"),
                b'\x08' => text.extend_from_slice(b"\\b"),
                b'\t' => text.extend_from_slice(b"\\t"),
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\x0c' => text.extend_from_slice(b"\\f"),
                b'\r' => text.extend_from_slice(b"\\r"),
                0..0x20 | 0x7f => {
                    let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
                    text.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                _ => text.push(byte),
            }
        }
        text.push(b'"');
    }

    unsafe fn append_number(&self, index: c_int) {
        let number = lua_tonumber(self.lua, index);
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                0 => self.refuse(index, c"must not be NaN or Inf"),
                1 if number.is_nan() => return self.put(b"nan"),
                1 => {}
                _ => return self.put(b"null"),
            }
        }
        let mut text = [0; number_text::LEN_MAX];
        let len = number_text::write(number, self.settings.number_precision as u8, &mut text);
        self.put(&text[..len]);
    }

    unsafe fn refuse(&self, index: c_int, reason: &CStr) {
        let kind = type_name(self.lua, index);
        luaL_error(self.lua, c"Cannot serialise %s: %s".as_ptr(), kind, reason.as_ptr());
    }

    unsafe fn put(&self, bytes: &[u8]) {
        (*self.text).extend_from_slice(bytes);
    }
}

/// C's conversion on the machines Redis runs on: what does not fit is the least number.
fn to_int(number: f64) -> c_int {
    if number < 2_147_483_648.0 { number as c_int } else { c_int::MIN }
}
