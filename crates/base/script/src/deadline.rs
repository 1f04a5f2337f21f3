//! Driver: ends scripts whose time is over. The interpreter asks every so many instructions.

use std::ffi::c_int;
use std::time::Duration;

use crate::context::{budget, context, make_room};
use crate::lua::*;

/// Few, because an instruction can be a call that works through megabytes; a thousand usual ones are some microseconds.
const INSTRUCTIONS_BETWEEN_LOOKS: c_int = 1000;
/// If so much time passed between two looks, the next one is sooner.
const LATE: Duration = Duration::from_millis(5);

/// # Safety
/// `lua` is idle.
pub unsafe fn watch(lua: *mut lua_State) {
    lua_sethook(lua, Some(on_hook), LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_LOOKS);
}

/// # Safety
/// `lua` is idle.
pub unsafe fn unwatch(lua: *mut lua_State) {
    lua_sethook(lua, None, 0, 0);
}

unsafe extern "C-unwind" fn on_hook(lua: *mut lua_State, _at: *mut lua_Debug) {
    let budget = budget(lua);
    let is_late = budget.since_last_look() > LATE;
    if budget.look() {
        end_script(lua);
    }
    make_room(lua, 0);
    if is_late {
        let sooner = (lua_gethookcount(lua) / 8).max(1);
        lua_sethook(lua, Some(on_hook), LUA_MASKCOUNT, sooner);
    }
}

/// Raises the error at every line from now on, so that `pcall` does not help.
///
/// # Safety
/// Raises: nothing with a destructor may be alive.
pub unsafe fn end_script(lua: *mut lua_State) -> ! {
    for thread in [lua, (*context(lua)).main] {
        lua_sethook(thread, Some(on_hook), LUA_MASKLINE | LUA_MASKCOUNT, 1);
    }
    lua_createtable(lua, 0, 1);
    put_text(lua);
    lua_setfield(lua, -2, c"err".as_ptr());
    lua_error(lua)
}

/// For functions that may take long: ends the script if its time is over.
///
/// # Safety
/// Raises: nothing with a destructor may be alive.
pub unsafe fn check(lua: *mut lua_State) {
    if budget(lua).look() {
        end_script(lua);
    }
}

/// What the client gets.
pub fn text(run_time: Duration) -> String {
    format!("ERR script ran longer than {} ms and was ended", run_time.as_millis())
}

unsafe fn put_text(lua: *mut lua_State) {
    let scratch = &raw mut (*context(lua)).scratch;
    (*scratch).clear();
    {
        let text = text(budget(lua).limits().run_time);
        (*scratch).extend_from_slice(text.as_bytes());
    }
    push_bytes(lua, &*scratch);
}
