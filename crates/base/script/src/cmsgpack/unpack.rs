//! Driver: MessagePack as Lua values.

use std::ffi::CStr;

use super::*;

/// Arrays and maps in each other; each level is a frame on the node's stack.
const NESTING_MAX: usize = 1000;
const TOO_MANY: &CStr = c"too many return values at once; use unpack_one or unpack_limit instead.";

pub unsafe extern "C-unwind" fn unpack(lua: *mut lua_State) -> c_int {
    unpack_from(lua, 0, 0)
}

pub unsafe extern "C-unwind" fn unpack_one(lua: *mut lua_State) -> c_int {
    let offset = luaL_optinteger(lua, 2, 0);
    lua_settop(lua, 1);
    unpack_from(lua, 1, offset)
}

pub unsafe extern "C-unwind" fn unpack_limit(lua: *mut lua_State) -> c_int {
    let limit = luaL_checkinteger(lua, 2);
    let offset = luaL_optinteger(lua, 3, 0);
    lua_settop(lua, 1);
    unpack_from(lua, limit, offset)
}

/// Neither limit nor offset: everything. Else where to go on comes first, -1 at the end.
unsafe fn unpack_from(lua: *mut lua_State, limit: lua_Integer, offset: lua_Integer) -> c_int {
    let all = limit == 0 && offset == 0;
    let bytes = check_bytes(lua, 1);
    let len = bytes.len();
    if offset < 0 || limit < 0 {
        let form = c"Invalid request to unpack with offset of %d and limit of %d.";
        return luaL_error(lua, form.as_ptr(), offset as c_int, len as c_int);
    }
    if offset as usize > len {
        let form = c"Start offset %d greater than input length %d.";
        return luaL_error(lua, form.as_ptr(), offset as c_int, len as c_int);
    }
    let limit = if all { c_int::MAX as lua_Integer } else { limit };
    let mut reader = Reader { rest: &bytes[offset as usize..] };
    let mut count: c_int = 0;
    while !reader.rest.is_empty() && (count as lua_Integer) < limit {
        match reader.push_next(lua, 0) {
            Ok(()) => count += 1,
            Err(Fault::Short) => raise(lua, c"Missing bytes in input."),
            Err(Fault::Unknown) => raise(lua, c"Bad data format in input."),
        }
    }
    if all {
        return count;
    }
    luaL_checkstack_(lua, 1, c"in function mp_unpack_full".as_ptr());
    let next = if reader.rest.is_empty() { -1 } else { (len - reader.rest.len()) as lua_Integer };
    lua_pushinteger(lua, next);
    lua_insert(lua, 2);
    count + 1
}

enum Fault {
    Short,
    Unknown,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Fault::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn bytes<const LEN: usize>(&mut self) -> Result<[u8; LEN], Fault> {
        let bytes = self.take(LEN)?;
        bytes.try_into().map_err(|_| Fault::Short)
    }

    fn len(&mut self, size: usize) -> Result<usize, Fault> {
        Ok(self.take(size)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
    }

    unsafe fn push_next(&mut self, lua: *mut lua_State, depth: usize) -> Result<(), Fault> {
        luaL_checkstack_(lua, 1, TOO_MANY.as_ptr());
        if depth == NESTING_MAX {
            luaL_error(lua, c"stack overflow (%s)".as_ptr(), TOO_MANY.as_ptr());
        }
        let [kind] = self.bytes()?;
        match kind {
            0x00..=0x7f => lua_pushinteger(lua, lua_Integer::from(kind)),
            0xe0..=0xff => lua_pushinteger(lua, lua_Integer::from(kind as i8)),
            0xa0..=0xbf => self.push_string(lua, usize::from(kind & 0x1f))?,
            0x90..=0x9f => self.push_array(lua, usize::from(kind & 0xf), depth)?,
            0x80..=0x8f => self.push_map(lua, usize::from(kind & 0xf), depth)?,
            0xc0 => lua_pushnil(lua),
            0xc2 | 0xc3 => lua_pushboolean(lua, c_int::from(kind & 1)),
            0xca => lua_pushnumber(lua, f64::from(f32::from_be_bytes(self.bytes()?))),
            0xcb => lua_pushnumber(lua, f64::from_be_bytes(self.bytes()?)),
            0xcc => lua_pushinteger(lua, lua_Integer::from(self.bytes::<1>()?[0])),
            0xcd => lua_pushinteger(lua, lua_Integer::from(u16::from_be_bytes(self.bytes()?))),
            0xce => lua_pushinteger(lua, lua_Integer::from(u32::from_be_bytes(self.bytes()?))),
            // Without a sign on the wire, with one in Lua's whole numbers.
            0xcf | 0xd3 => lua_pushinteger(lua, i64::from_be_bytes(self.bytes()?) as lua_Integer),
            0xd0 => lua_pushinteger(lua, lua_Integer::from(self.bytes::<1>()?[0] as i8)),
            0xd1 => lua_pushinteger(lua, lua_Integer::from(i16::from_be_bytes(self.bytes()?))),
            0xd2 => lua_pushinteger(lua, lua_Integer::from(i32::from_be_bytes(self.bytes()?))),
            0xd9..=0xdb => {
                let len = self.len(1 << (kind - 0xd9))?;
                self.push_string(lua, len)?;
            }
            0xdc | 0xdd => {
                let len = self.len(2 << (kind - 0xdc))?;
                self.push_array(lua, len, depth)?;
            }
            0xde | 0xdf => {
                let len = self.len(2 << (kind - 0xde))?;
                self.push_map(lua, len, depth)?;
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(())
    }

    unsafe fn push_string(&mut self, lua: *mut lua_State, len: usize) -> Result<(), Fault> {
        push_bytes(lua, self.take(len)?);
        Ok(())
    }

    unsafe fn push_array(&mut self, lua: *mut lua_State, len: usize, depth: usize) -> Result<(), Fault> {
        lua_createtable(lua, 0, 0);
        luaL_checkstack_(lua, 2, c"in function mp_decode_to_lua_array".as_ptr());
        for index in 1..=len {
            lua_pushnumber(lua, index as f64);
            self.push_next(lua, depth + 1)?;
            lua_settable(lua, -3);
        }
        Ok(())
    }

    unsafe fn push_map(&mut self, lua: *mut lua_State, len: usize, depth: usize) -> Result<(), Fault> {
        lua_createtable(lua, 0, 0);
        for _ in 0..len {
            self.push_next(lua, depth + 1)?;
            self.push_next(lua, depth + 1)?;
            lua_settable(lua, -3);
        }
        Ok(())
    }
}
