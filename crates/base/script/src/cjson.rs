//! Driver: the library `cjson` (lua-cjson 2.1.0 by Mark Pulford, MIT licence, is what it answers like): settings, and the way in.

mod decode;
mod encode;

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::context::context;
use crate::lua::*;

/// Nesting that scripts may ask for at most; each level is a frame on the node's stack.
const DEPTH_MAX: c_int = 2000;

/// What scripts can set for as long as they run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    sparse_convert: c_int,
    sparse_ratio: c_int,
    sparse_safe: c_int,
    encode_max_depth: c_int,
    decode_max_depth: c_int,
    /// 0: an error; 1: as C prints them; 2: null.
    encode_invalid_numbers: c_int,
    decode_invalid_numbers: c_int,
    encode_keep_buffer: c_int,
    number_precision: c_int,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: 0,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encode_invalid_numbers: 0,
            decode_invalid_numbers: 1,
            encode_keep_buffer: 1,
            number_precision: 14,
        }
    }
}

/// Fills the table on top, and notes its settings in the context.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    (*context(lua)).json = add_functions(lua);
}

unsafe fn add_functions(lua: *mut lua_State) -> *mut Settings {
    let functions: [(&CStr, Native); 10] = [
        (c"encode", encode::encode),
        (c"decode", decode::decode),
        (c"encode_sparse_array", encode_sparse_array),
        (c"encode_max_depth", encode_max_depth),
        (c"decode_max_depth", decode_max_depth),
        (c"encode_number_precision", encode_number_precision),
        (c"encode_keep_buffer", encode_keep_buffer),
        (c"encode_invalid_numbers", encode_invalid_numbers),
        (c"decode_invalid_numbers", decode_invalid_numbers),
        (c"new", new),
    ];
    let settings = lua_newuserdata(lua, size_of::<Settings>()).cast::<Settings>();
    settings.write(Settings::default());
    for (name, function) in functions {
        lua_pushvalue(lua, -1);
        lua_pushcclosure(lua, function, 1);
        lua_setfield(lua, -3, name.as_ptr());
    }
    lua_pop(lua, 1);
    lua_pushlightuserdata(lua, ptr::null_mut());
    lua_setfield(lua, -2, c"null".as_ptr());
    set_text(lua, c"_NAME", c"cjson");
    set_text(lua, c"_VERSION", c"2.1.0");
    settings
}

unsafe extern "C-unwind" fn new(lua: *mut lua_State) -> c_int {
    lua_createtable(lua, 0, 0);
    add_functions(lua);
    1
}

unsafe fn settings(lua: *mut lua_State) -> *mut Settings {
    lua_touserdata(lua, lua_upvalueindex(1)).cast()
}

/// The settings, with as many arguments on the stack as the function knows.
unsafe fn with_arguments(lua: *mut lua_State, count: c_int) -> *mut Settings {
    if lua_gettop(lua) > count {
        raise_argument(lua, count + 1, c"found too many arguments");
    }
    lua_settop(lua, count);
    settings(lua)
}

unsafe fn one_argument(lua: *mut lua_State) {
    if lua_gettop(lua) != 1 {
        raise_argument(lua, 1, c"expected 1 argument");
    }
}

/// Sets a number if one is given, and pushes what it is.
unsafe fn integer(lua: *mut lua_State, narg: c_int, setting: &mut c_int, low: c_int, high: c_int) {
    if lua_type(lua, narg) != LUA_TNIL {
        let value = check_int(lua, narg);
        if value < low || value > high {
            let form = c"expected integer between %d and %d".as_ptr();
            let text = lua_pushfstring(lua, form, low, high);
            luaL_argerror(lua, 1, text);
        }
        *setting = value;
    }
    lua_pushinteger(lua, *setting as lua_Integer);
}

/// Sets an option if one is given, and pushes what it is. `truth` is what `true` stands for.
unsafe fn option(lua: *mut lua_State, narg: c_int, setting: &mut c_int, names: &[*const c_char], truth: c_int) {
    if lua_type(lua, narg) != LUA_TNIL {
        *setting = match lua_type(lua, narg) {
            LUA_TBOOLEAN => lua_toboolean(lua, narg) * truth,
            _ => luaL_checkoption(lua, narg, ptr::null(), names.as_ptr()),
        };
    }
    if *setting == 0 || *setting == truth {
        lua_pushboolean(lua, *setting);
    } else {
        lua_pushstring_(lua, names[*setting as usize]);
    }
}

unsafe fn switch(lua: *mut lua_State, narg: c_int, setting: &mut c_int) {
    option(lua, narg, setting, &[c"off".as_ptr(), c"on".as_ptr(), ptr::null()], 1);
}

unsafe extern "C-unwind" fn encode_sparse_array(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 3);
    switch(lua, 1, &mut (*settings).sparse_convert);
    integer(lua, 2, &mut (*settings).sparse_ratio, 0, c_int::MAX);
    integer(lua, 3, &mut (*settings).sparse_safe, 0, c_int::MAX);
    3
}

unsafe extern "C-unwind" fn encode_max_depth(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    integer(lua, 1, &mut (*settings).encode_max_depth, 1, c_int::MAX);
    1
}

unsafe extern "C-unwind" fn decode_max_depth(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    integer(lua, 1, &mut (*settings).decode_max_depth, 1, c_int::MAX);
    1
}

unsafe extern "C-unwind" fn encode_number_precision(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    integer(lua, 1, &mut (*settings).number_precision, 1, 14);
    1
}

unsafe extern "C-unwind" fn encode_keep_buffer(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    switch(lua, 1, &mut (*settings).encode_keep_buffer);
    1
}

unsafe extern "C-unwind" fn encode_invalid_numbers(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    let names = [c"off".as_ptr(), c"on".as_ptr(), c"null".as_ptr(), ptr::null()];
    option(lua, 1, &mut (*settings).encode_invalid_numbers, &names, 1);
    1
}

unsafe extern "C-unwind" fn decode_invalid_numbers(lua: *mut lua_State) -> c_int {
    let settings = with_arguments(lua, 1);
    switch(lua, 1, &mut (*settings).decode_invalid_numbers);
    1
}
