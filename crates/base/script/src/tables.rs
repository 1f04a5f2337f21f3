//! Driver: the functions of Lua's `table` that could run for long or change what scripts share.

use std::ffi::c_int;

use crate::deadline;
use crate::lua::*;
use crate::sandbox;

const MOVES_BETWEEN_LOOKS: c_int = 1 << 14;

/// Replaces functions of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    set_function(lua, c"insert", insert);
    for name in [c"concat", c"foreach", c"foreachi", c"maxn", c"remove", c"sort"] {
        lua_getfield_(lua, -1, name.as_ptr());
        lua_pushcclosure(lua, after_look, 1);
        lua_setfield(lua, -2, name.as_ptr());
    }
}

/// Upvalue: Lua's own function. It may walk through the whole table in what is one instruction to the hook.
unsafe extern "C-unwind" fn after_look(lua: *mut lua_State) -> c_int {
    deadline::check(lua);
    match lua_tocfunction(lua, lua_upvalueindex(1)) {
        Some(own) => own(lua),
        None => 0,
    }
}

/// The global `unpack`. Lua's own takes the difference of two numbers for small when it overflows.
pub unsafe extern "C-unwind" fn unpack(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    let first = luaL_optinteger(lua, 2, 1) as c_int;
    let last = match lua_type(lua, 3) {
        LUA_TNONE | LUA_TNIL => lua_objlen(lua, 1) as c_int,
        _ => check_int(lua, 3),
    };
    if first > last {
        return 0;
    }
    let count = i64::from(last) - i64::from(first) + 1;
    let has_room = c_int::try_from(count).is_ok_and(|count| lua_checkstack(lua, count) != 0);
    if !has_room {
        raise(lua, c"too many results to unpack");
    }
    for index in first..=last {
        lua_rawgeti_(lua, 1, index);
    }
    count as c_int
}

/// A position far below zero makes it move nothing from everywhere: two thousand million steps.
unsafe extern "C-unwind" fn insert(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    let end = lua_objlen(lua, 1) as c_int + 1;
    let position = match lua_gettop(lua) {
        2 => end,
        3 => check_int(lua, 2),
        _ => raise(lua, c"wrong number of arguments to 'insert'"),
    };
    if sandbox::is_proxy(lua, 1) {
        raise_plain(lua, sandbox::READ_ONLY);
    }
    for to in (position.saturating_add(1)..=end.max(position)).rev() {
        lua_rawgeti_(lua, 1, to - 1);
        lua_rawseti_(lua, 1, to);
        if to % MOVES_BETWEEN_LOOKS == 0 {
            deadline::check(lua);
        }
    }
    lua_rawseti_(lua, 1, position);
    0
}
