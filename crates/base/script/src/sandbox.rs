//! Driver: what scripts see, and that they cannot change it.
//!
//! Redis has patched its Lua so that tables can be read-only. Here each table that scripts share is hidden behind an empty one, the
//! proxy, whose metatable reads from it and refuses writes; the few functions that look past metatables know about proxies.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::context::{budget, context};
use crate::lua::*;
use crate::{bits, cjson, cmsgpack, coroutines, deadline, redis_api, strings, structs, tables};

pub const READ_ONLY: &CStr = c"Attempt to modify a readonly table";

/// Lua's own globals that scripts get as they are.
const BUILTINS: [&CStr; 11] = [
    c"_VERSION",
    c"assert",
    c"error",
    c"gcinfo",
    c"ipairs",
    c"rawequal",
    c"select",
    c"tonumber",
    c"tostring",
    c"type",
    c"coroutine",
];

/// Fills the table on top.
type Install = unsafe fn(*mut lua_State);

/// Where in the registry the pieces are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// The table behind `_G`.
    pub globals: c_int,
    pub error_handler: c_int,
}

/// Fills a new state. The places are written to `places`.
///
/// # Safety
/// Raises.
pub unsafe fn build(lua: *mut lua_State, places: *mut Places) {
    open(lua, c"", luaopen_base);
    open(lua, c"table", luaopen_table);
    open(lua, c"string", luaopen_string);
    open(lua, c"math", luaopen_math);
    lua_newtable(lua);
    add_builtins(lua);
    add_libraries(lua);
    (*places).error_handler = add_error_handler(lua);
    enclose_globals(lua);
    (*places).globals = keep(lua);
}

unsafe fn open(lua: *mut lua_State, name: &CStr, library: Native) {
    lua_pushcclosure(lua, library, 0);
    lua_pushliteral_(lua, name);
    lua_call(lua, 1, 0);
}

unsafe fn lua_pushliteral_(lua: *mut lua_State, text: &CStr) {
    push_bytes(lua, text.to_bytes());
}

unsafe fn add_builtins(lua: *mut lua_State) {
    for name in BUILTINS {
        lua_getglobal_(lua, name.as_ptr());
        lua_setfield(lua, -2, name.as_ptr());
    }
    let replaced: &[(&CStr, Native)] = &[
        (c"collectgarbage", collect_garbage),
        (c"getmetatable", get_metatable),
        (c"load", load),
        (c"loadstring", load_string),
        (c"next", next),
        (c"pairs", pairs),
        (c"pcall", redis_api::protected_call),
        (c"rawget", raw_get),
        (c"rawset", raw_set),
        (c"setmetatable", set_metatable),
        (c"unpack", tables::unpack),
        (c"xpcall", xpcall),
        (c"__redis__err__handler", redis_api::on_error),
    ];
    set_functions(lua, replaced);
}

/// Each on top of the globals: made, completed, hidden.
unsafe fn add_libraries(lua: *mut lua_State) {
    let own: [(&CStr, Install); 5] = [
        (c"redis", redis_api::install),
        (c"cjson", cjson::install),
        (c"cmsgpack", cmsgpack::install),
        (c"bit", bits::install),
        (c"struct", structs::install),
    ];
    for (name, install) in own {
        lua_newtable(lua);
        install(lua);
        hide(lua);
        lua_setfield(lua, -2, name.as_ptr());
    }
    let changed: [(&CStr, Install); 3] =
        [(c"table", tables::install), (c"string", strings::install), (c"math", redis_api::install_random)];
    for (name, install) in changed {
        lua_getglobal_(lua, name.as_ptr());
        install(lua);
        hide(lua);
        lua_setfield(lua, -2, name.as_ptr());
    }
    lua_getfield_(lua, -1, c"coroutine".as_ptr());
    coroutines::install(lua);
    hide(lua);
    lua_setfield(lua, -2, c"coroutine".as_ptr());
}

unsafe fn add_error_handler(lua: *mut lua_State) -> c_int {
    lua_getfield_(lua, -1, c"__redis__err__handler".as_ptr());
    keep(lua)
}

/// Puts the proxy of the table on top in the globals' place, and makes what is not there an error.
unsafe fn enclose_globals(lua: *mut lua_State) {
    // The views of metatables that `getmetatable` shows: kept where `get_metatable` finds them.
    lua_newtable(lua);
    lua_getfield_(lua, -2, c"string".as_ptr());
    lua_setfield(lua, -2, c"__index".as_ptr());
    hide(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, STRING_VIEW.as_ptr());
    lua_newtable(lua);
    set_function(lua, c"__index", no_such_global);
    hide(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, GLOBALS_VIEW.as_ptr());

    lua_newtable(lua);
    set_function(lua, c"__index", no_such_global);
    lua_setmetatable(lua, -2);
    lua_pushvalue(lua, -1);
    hide(lua);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -3, c"_G".as_ptr());
    lua_pushvalue(lua, -1);
    lua_setfield(lua, LUA_REGISTRYINDEX, GLOBALS_PROXY.as_ptr());
    lua_replace(lua, LUA_GLOBALSINDEX);
}

const STRING_VIEW: &CStr = c"ringway.string_metatable";
const GLOBALS_VIEW: &CStr = c"ringway.globals_metatable";
const GLOBALS_PROXY: &CStr = c"ringway.globals";

/// Replaces the table on top by its proxy.
unsafe fn hide(lua: *mut lua_State) {
    lua_newtable(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, c"__index".as_ptr());
    set_function(lua, c"__newindex", refuse_write);
    lua_setmetatable(lua, -2);
    (*context(lua)).proxies.push(lua_topointer(lua, -1));
    lua_remove(lua, -2);
}

/// # Safety
/// `index` is valid.
pub unsafe fn is_proxy(lua: *mut lua_State, index: c_int) -> bool {
    let table = lua_topointer(lua, index);
    let proxies = &(*context(lua)).proxies;
    proxies.contains(&table)
}

/// Puts the table behind a proxy in its place.
unsafe fn see_through(lua: *mut lua_State, index: c_int) {
    if is_proxy(lua, index) && lua_getmetatable(lua, index) != 0 {
        lua_getfield_(lua, -1, c"__index".as_ptr());
        lua_replace(lua, index);
        lua_pop(lua, 1);
    }
}

unsafe extern "C-unwind" fn refuse_write(lua: *mut lua_State) -> c_int {
    raise(lua, READ_ONLY)
}

unsafe extern "C-unwind" fn no_such_global(lua: *mut lua_State) -> c_int {
    if lua_gettop(lua) != 2 {
        raise(lua, c"Wrong number of arguments to luaProtectedTableError");
    }
    if lua_isstring(lua, -1) == 0 {
        raise(lua, c"Second argument to luaProtectedTableError must be a string or number");
    }
    let form = c"Script attempted to access nonexistent global variable '%s'";
    luaL_error(lua, form.as_ptr(), lua_tostring(lua, -1))
}

unsafe extern "C-unwind" fn next(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    if is_proxy(lua, 1) {
        luaL_checkstack_(lua, 2, c"next".as_ptr());
        see_through(lua, 1);
    }
    if lua_next(lua, 1) != 0 {
        return 2;
    }
    lua_pushnil(lua);
    1
}

unsafe extern "C-unwind" fn pairs(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushcclosure(lua, next, 0);
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    3
}

unsafe extern "C-unwind" fn xpcall(lua: *mut lua_State) -> c_int {
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    if lua_isfunction(lua, 2) != 0 {
        lua_pushcclosure(lua, handle_in_time, 1);
    }
    lua_insert(lua, 1);
    let status = lua_pcall(lua, 0, LUA_MULTRET, 1);
    lua_pushboolean(lua, c_int::from(status == LUA_OK));
    lua_replace(lua, 1);
    lua_gettop(lua)
}

/// Upvalue: the script's handler. While it handles the error of the hook itself there are no hooks: it could go on for ever.
unsafe extern "C-unwind" fn handle_in_time(lua: *mut lua_State) -> c_int {
    if budget(lua).is_over() {
        return 1;
    }
    lua_settop(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 1, 1);
    1
}

unsafe extern "C-unwind" fn raw_get(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    see_through(lua, 1);
    lua_rawget_(lua, 1);
    1
}

unsafe extern "C-unwind" fn raw_set(lua: *mut lua_State) -> c_int {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    if is_proxy(lua, 1) {
        raise_plain(lua, READ_ONLY);
    }
    lua_rawset(lua, 1);
    1
}

unsafe extern "C-unwind" fn get_metatable(lua: *mut lua_State) -> c_int {
    luaL_checkany(lua, 1);
    if lua_type(lua, 1) == LUA_TSTRING {
        lua_getfield_(lua, LUA_REGISTRYINDEX, STRING_VIEW.as_ptr());
        return 1;
    }
    if is_proxy(lua, 1) {
        lua_getfield_(lua, LUA_REGISTRYINDEX, GLOBALS_PROXY.as_ptr());
        if lua_rawequal(lua, 1, -1) != 0 {
            lua_getfield_(lua, LUA_REGISTRYINDEX, GLOBALS_VIEW.as_ptr());
        } else {
            lua_pushnil(lua);
        }
        return 1;
    }
    if lua_getmetatable(lua, 1) == 0 {
        lua_pushnil(lua);
        return 1;
    }
    luaL_getmetafield_(lua, 1, c"__metatable".as_ptr());
    1
}

unsafe extern "C-unwind" fn set_metatable(lua: *mut lua_State) -> c_int {
    let kind = lua_type(lua, 2);
    luaL_checktype(lua, 1, LUA_TTABLE);
    if kind != LUA_TNIL && kind != LUA_TTABLE {
        raise_argument(lua, 2, c"nil or table expected");
    }
    if is_proxy(lua, 1) {
        raise_plain(lua, READ_ONLY);
    }
    if luaL_getmetafield_(lua, 1, c"__metatable".as_ptr()) != 0 {
        raise(lua, c"cannot change a protected metatable");
    }
    lua_settop(lua, 2);
    lua_setmetatable(lua, 1);
    1
}

/// Collects if told to, and tells how much is there. How the collector paces itself is not for scripts to say.
unsafe extern "C-unwind" fn collect_garbage(lua: *mut lua_State) -> c_int {
    let options = [
        c"stop".as_ptr(),
        c"restart".as_ptr(),
        c"collect".as_ptr(),
        c"count".as_ptr(),
        c"step".as_ptr(),
        c"setpause".as_ptr(),
        c"setstepmul".as_ptr(),
        std::ptr::null(),
    ];
    let option = luaL_checkoption(lua, 1, c"collect".as_ptr(), options.as_ptr());
    let amount = luaL_optinteger(lua, 2, 0) as c_int;
    deadline::check(lua);
    match option {
        LUA_GCCOLLECT => {
            lua_pushnumber(lua, f64::from(lua_gc(lua, LUA_GCCOLLECT, 0)));
        }
        LUA_GCCOUNT => {
            let bytes = f64::from(lua_gc(lua, LUA_GCCOUNTB, 0));
            lua_pushnumber(lua, f64::from(lua_gc(lua, LUA_GCCOUNT, 0)) + bytes / 1024.0);
        }
        4 => lua_pushboolean(lua, lua_gc(lua, LUA_GCSTEP, amount)),
        _ => lua_pushnumber(lua, 0.0),
    }
    1
}

unsafe extern "C-unwind" fn load_string(lua: *mut lua_State) -> c_int {
    let body = check_bytes(lua, 1);
    let name = luaL_optlstring(lua, 2, body.as_ptr().cast(), std::ptr::null_mut());
    if compile(lua, body, CStr::from_ptr(name)) {
        return 1;
    }
    lua_pushnil(lua);
    lua_insert(lua, -2);
    2
}

/// The function at 1 gives the text in pieces; at 3 is the piece that is being read.
unsafe extern "C-unwind" fn load(lua: *mut lua_State) -> c_int {
    let name = luaL_optlstring(lua, 2, c"=(load)".as_ptr(), std::ptr::null_mut());
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    lua_settop(lua, 3);
    let mut pieces = Pieces::Unread;
    if lua_load(lua, next_piece, (&raw mut pieces).cast(), name) == LUA_OK {
        return 1;
    }
    lua_pushnil(lua);
    lua_insert(lua, -2);
    2
}

enum Pieces {
    Unread,
    /// A space was given in front of it, so that compiled code is read as text.
    Held,
    Read,
}

unsafe extern "C-unwind" fn next_piece(lua: *mut lua_State, pieces: *mut c_void, len: *mut usize) -> *const c_char {
    let pieces = pieces.cast::<Pieces>();
    if matches!(*pieces, Pieces::Held) {
        *pieces = Pieces::Read;
        return lua_tolstring(lua, 3, len);
    }
    luaL_checkstack_(lua, 2, c"too many nested functions".as_ptr());
    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    if lua_type(lua, -1) == LUA_TNIL {
        *len = 0;
        return std::ptr::null();
    }
    if lua_isstring(lua, -1) == 0 {
        raise(lua, c"reader function must return a string");
    }
    lua_replace(lua, 3);
    if matches!(*pieces, Pieces::Unread) && bytes_at(lua, 3).first() == Some(&LUA_SIGNATURE[0]) {
        *pieces = Pieces::Held;
        *len = 1;
        return c" ".as_ptr();
    }
    *pieces = Pieces::Read;
    lua_tolstring(lua, 3, len)
}
