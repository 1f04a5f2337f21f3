//! Driver: the library `cmsgpack` (lua-cmsgpack 0.4.0 by Salvatore Sanfilippo, MIT licence, is what it answers like): MessagePack.

mod pack;
mod unpack;

use std::ffi::c_int;

use crate::lua::*;

/// Fills the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    set_functions(
        lua,
        &[
            (c"pack", pack::pack),
            (c"unpack", unpack::unpack),
            (c"unpack_one", unpack::unpack_one),
            (c"unpack_limit", unpack::unpack_limit),
        ],
    );
    set_text(lua, c"_NAME", c"cmsgpack");
    set_text(lua, c"_VERSION", c"lua-cmsgpack 0.4.0");
    set_text(lua, c"_COPYRIGHT", c"Copyright (C) 2012, Salvatore Sanfilippo");
    set_text(lua, c"_DESCRIPTION", c"MessagePack C implementation for Lua");
}
