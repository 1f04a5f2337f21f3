//! Driver: Lua values as MessagePack.

use super::*;
use crate::context::{budget, context};

/// Tables deeper than this are nil.
const NESTING_MAX: usize = 16;

/// All arguments, one behind the other.
pub unsafe extern "C-unwind" fn pack(lua: *mut lua_State) -> c_int {
    let count = lua_gettop(lua);
    if count == 0 {
        raise_argument(lua, 0, c"MessagePack pack needs input.");
    }
    if lua_checkstack(lua, count) == 0 {
        raise_argument(lua, 0, c"Too many arguments for MessagePack pack.");
    }
    let packer = Packer { lua, bytes: &raw mut (*context(lua)).scratch };
    (*packer.bytes).clear();
    for index in 1..=count {
        luaL_checkstack_(lua, 1, c"in function mp_check".as_ptr());
        lua_pushvalue(lua, index);
        packer.append(0);
    }
    push_bytes(lua, &*packer.bytes);
    1
}

#[derive(Clone, Copy)]
struct Packer {
    lua: *mut lua_State,
    bytes: *mut Vec<u8>,
}

impl Packer {
    /// Takes the value on top.
    unsafe fn append(self, level: usize) {
        let lua = self.lua;
        match lua_type(lua, -1) {
            LUA_TSTRING => self.put_string(bytes_at(lua, -1)),
            LUA_TBOOLEAN => self.put(&[0xc2 | lua_toboolean(lua, -1) as u8]),
            LUA_TNUMBER => self.put_number(lua_tonumber(lua, -1)),
            LUA_TTABLE if level < NESTING_MAX => self.put_table(level),
            _ => self.put(&[0xc0]),
        }
        lua_pop(lua, 1);
    }

    unsafe fn put(self, bytes: &[u8]) {
        (*self.bytes).extend_from_slice(bytes);
    }

    unsafe fn put_string(self, text: &[u8]) {
        match text.len() {
            len @ 0..32 => self.put(&[0xa0 | len as u8]),
            len @ 32..=0xff => self.put(&[0xd9, len as u8]),
            len @ 0x100..=0xffff => self.put_head(0xda, &(len as u16).to_be_bytes()),
            len => self.put_head(0xdb, &(len as u32).to_be_bytes()),
        }
        self.put(text);
    }

    unsafe fn put_head(self, kind: u8, length: &[u8]) {
        self.put(&[kind]);
        self.put(length);
    }

    unsafe fn put_number(self, number: f64) {
        // What does not fit becomes the least number, which no such number equals.
        if number.is_finite() && c_long(number) as f64 == number {
            return self.put_integer(c_long(number));
        }
        let short = number as f32;
        if f64::from(short) == number {
            self.put_head(0xca, &short.to_be_bytes());
        } else {
            self.put_head(0xcb, &number.to_be_bytes());
        }
    }

    unsafe fn put_integer(self, number: i64) {
        match number {
            0..=127 => self.put(&[number as u8]),
            128..=0xff => self.put(&[0xcc, number as u8]),
            0x100..=0xffff => self.put_head(0xcd, &(number as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.put_head(0xce, &(number as u32).to_be_bytes()),
            0x1_0000_0000.. => self.put_head(0xcf, &number.to_be_bytes()),
            -32..=-1 => self.put(&[number as u8]),
            -128..=-33 => self.put(&[0xd0, number as u8]),
            -32768..=-129 => self.put_head(0xd1, &(number as i16).to_be_bytes()),
            -2_147_483_648..=-32769 => self.put_head(0xd2, &(number as i32).to_be_bytes()),
            _ => self.put_head(0xd3, &number.to_be_bytes()),
        }
    }

    /// A table with the keys 1 to n and no others is an array.
    unsafe fn put_table(self, level: usize) {
        let lua = self.lua;
        if (*self.bytes).len() > budget(lua).limits().memory_bytes {
            raise_plain(lua, c"not enough memory");
        }
        luaL_checkstack_(lua, 3, c"in function mp_encode_lua_table_as_map".as_ptr());
        match self.array_len() {
            Some(len) => {
                self.put_count(len, 0x90, 0xdc);
                for index in 1..=len as c_int {
                    lua_rawgeti_(lua, -1, index);
                    self.append(level + 1);
                }
            }
            None => {
                self.put_count(self.count_pairs(), 0x80, 0xde);
                lua_pushnil(lua);
                while lua_next(lua, -2) != 0 {
                    lua_pushvalue(lua, -2);
                    self.append(level + 1);
                    self.append(level + 1);
                }
            }
        }
    }

    unsafe fn put_count(self, count: usize, short: u8, long: u8) {
        match count {
            0..16 => self.put(&[short | count as u8]),
            16..=0xffff => self.put_head(long, &(count as u16).to_be_bytes()),
            _ => self.put_head(long + 1, &(count as u32).to_be_bytes()),
        }
    }

    unsafe fn array_len(self) -> Option<usize> {
        let lua = self.lua;
        let (mut greatest, mut count) = (0.0f64, 0);
        lua_pushnil(lua);
        while lua_next(lua, -2) != 0 {
            lua_pop(lua, 1);
            let index = if lua_type(lua, -1) == LUA_TNUMBER { lua_tonumber(lua, -1) } else { 0.0 };
            if index <= 0.0 || index != index.floor() || index >= 2_147_483_648.0 {
                lua_pop(lua, 1);
                return None;
            }
            greatest = greatest.max(index);
            count += 1;
        }
        (greatest as usize == count).then_some(count)
    }

    unsafe fn count_pairs(self) -> usize {
        let mut count = 0;
        lua_pushnil(self.lua);
        while lua_next(self.lua, -2) != 0 {
            lua_pop(self.lua, 1);
            count += 1;
        }
        count
    }
}

fn c_long(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) { number as i64 } else { i64::MIN }
}
