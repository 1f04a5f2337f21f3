//! Driver: coroutines, not deeper in each other than the machine's stack bears. Lua counts the calls of C functions in each
//! coroutine by itself, so that one that starts another one that starts another one would go on to the end of the stack.

use std::ffi::c_int;

use crate::context::context;
use crate::lua::*;

/// Of the machine's stack, below where a script began, when the last coroutine may start. That one can go 200 calls deep.
const STACK_BYTES_MAX: usize = 256 << 10;

/// Replaces functions of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    lua_getfield_(lua, -1, c"resume".as_ptr());
    lua_pushcclosure(lua, resume, 1);
    lua_setfield(lua, -2, c"resume".as_ptr());
    lua_getfield_(lua, -1, c"wrap".as_ptr());
    lua_pushcclosure(lua, wrap, 1);
    lua_setfield(lua, -2, c"wrap".as_ptr());
}

unsafe fn check_stack(lua: *mut lua_State) {
    let here = 0u8;
    let used = (*context(lua)).stack_base.abs_diff(std::ptr::from_ref(&here).addr());
    if used > STACK_BYTES_MAX {
        raise(lua, c"C stack overflow");
    }
}

/// Upvalue: Lua's own function, which has none.
unsafe extern "C-unwind" fn resume(lua: *mut lua_State) -> c_int {
    check_stack(lua);
    run_own(lua, 1)
}

/// Upvalue: Lua's own function, which has none. What that returns is a function whose upvalue is the coroutine; ours has the same
/// first upvalue, and that function as the second.
unsafe extern "C-unwind" fn wrap(lua: *mut lua_State) -> c_int {
    run_own(lua, 1);
    if let Some(own) = lua_tocfunction(lua, -1) {
        lua_getupvalue(lua, -1, 1);
        lua_pushcclosure(lua, own, 0);
        lua_pushcclosure(lua, resume_wrapped, 2);
    }
    1
}

unsafe extern "C-unwind" fn resume_wrapped(lua: *mut lua_State) -> c_int {
    check_stack(lua);
    run_own(lua, 2)
}

/// Runs the function in an upvalue as if it had been called in place of this one.
unsafe fn run_own(lua: *mut lua_State, upvalue: c_int) -> c_int {
    match lua_tocfunction(lua, lua_upvalueindex(upvalue)) {
        Some(own) => own(lua),
        None => 0,
    }
}
