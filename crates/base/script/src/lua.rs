//! Driver: the few forms in which the interpreter's C interface is used here.

use std::ffi::{CStr, c_char, c_int};
use std::{ptr, slice};

pub use mlua_sys::*;

/// A function for scripts.
pub type Native = lua_CFunction;

/// The bytes of the string at `index`; numbers are not turned into text.
///
/// # Safety
/// The bytes live as long as the string is on the stack (or otherwise reachable); `'static` is a promise of the caller.
pub unsafe fn string_at(lua: *mut lua_State, index: c_int) -> Option<&'static [u8]> {
    (lua_type(lua, index) == LUA_TSTRING).then(|| bytes_at(lua, index))
}

/// The bytes of a string or number, which becomes a string in its place.
///
/// # Safety
/// There is a string or number at `index`. As [`string_at`]. May raise: numbers need memory.
pub unsafe fn bytes_at(lua: *mut lua_State, index: c_int) -> &'static [u8] {
    let mut len = 0;
    let start = lua_tolstring(lua, index, &mut len);
    slice::from_raw_parts(start.cast(), len)
}

/// The argument `narg`, which must be a string or number.
///
/// # Safety
/// As [`string_at`]. Raises.
pub unsafe fn check_bytes(lua: *mut lua_State, narg: c_int) -> &'static [u8] {
    let mut len = 0;
    let start = luaL_checklstring(lua, narg, &mut len);
    slice::from_raw_parts(start.cast(), len)
}

/// What C's string functions would see of it.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

/// C's conversion of an argument to `int`.
///
/// # Safety
/// Raises.
pub unsafe fn check_int(lua: *mut lua_State, narg: c_int) -> c_int {
    luaL_checkinteger(lua, narg) as c_int
}

/// # Safety
/// Raises.
pub unsafe fn push_bytes(lua: *mut lua_State, bytes: &[u8]) {
    lua_pushlstring_(lua, bytes.as_ptr().cast(), bytes.len());
}

/// Raises `text` with the place in the script before it.
///
/// # Safety
/// Raises: nothing with a destructor may be alive.
pub unsafe fn raise(lua: *mut lua_State, text: &'static CStr) -> ! {
    luaL_error(lua, c"%s".as_ptr(), text.as_ptr());
    unreachable!("the interpreter's error does not return")
}

/// Raises `text` without a place.
///
/// # Safety
/// Raises: nothing with a destructor may be alive.
pub unsafe fn raise_plain(lua: *mut lua_State, text: &'static CStr) -> ! {
    lua_pushliteral(lua, text);
    lua_error(lua)
}

/// Raises "bad argument" for `narg`.
///
/// # Safety
/// Raises: nothing with a destructor may be alive.
pub unsafe fn raise_argument(lua: *mut lua_State, narg: c_int, text: &'static CStr) -> ! {
    luaL_argerror(lua, narg, text.as_ptr());
    unreachable!("the interpreter's error does not return")
}

/// Sets a field of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn set_function(lua: *mut lua_State, name: &CStr, function: Native) {
    lua_pushcclosure(lua, function, 0);
    lua_setfield(lua, -2, name.as_ptr());
}

/// Sets fields of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn set_functions(lua: *mut lua_State, functions: &[(&CStr, Native)]) {
    for (name, function) in functions {
        set_function(lua, name, *function);
    }
}

/// Sets a field of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn set_number(lua: *mut lua_State, name: &CStr, number: f64) {
    lua_pushnumber(lua, number);
    lua_setfield(lua, -2, name.as_ptr());
}

/// Sets a field of the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn set_text(lua: *mut lua_State, name: &CStr, text: &'static CStr) {
    lua_pushliteral(lua, text);
    lua_setfield(lua, -2, name.as_ptr());
}

/// Keeps the value on top in the registry and takes it from the stack.
///
/// # Safety
/// Raises.
pub unsafe fn keep(lua: *mut lua_State) -> c_int {
    luaL_ref(lua, LUA_REGISTRYINDEX)
}

/// The name of a value's type.
///
/// # Safety
/// `index` is valid.
pub unsafe fn type_name(lua: *mut lua_State, index: c_int) -> *const c_char {
    lua_typename(lua, lua_type(lua, index))
}

/// Compiles `body` and leaves the function or the error's text on the stack; says whether it is a function. Code that was compiled
/// elsewhere is read as text, for whoever writes such code by hand writes into the node's memory.
///
/// # Safety
/// Raises only for want of memory.
pub unsafe fn compile(lua: *mut lua_State, body: &[u8], name: &CStr) -> bool {
    let mut pieces = Pieces { parts: [b" ", body], next: usize::from(body.first() != Some(&LUA_SIGNATURE[0])) };
    lua_load(lua, read_piece, ptr::from_mut(&mut pieces).cast(), name.as_ptr()) == LUA_OK
}

struct Pieces<'a> {
    parts: [&'a [u8]; 2],
    next: usize,
}

unsafe extern "C-unwind" fn read_piece(
    _lua: *mut lua_State,
    pieces: *mut std::ffi::c_void,
    len: *mut usize,
) -> *const c_char {
    let pieces = &mut *pieces.cast::<Pieces<'_>>();
    let Some(part) = pieces.parts.get(pieces.next) else {
        *len = 0;
        return ptr::null();
    };
    pieces.next += 1;
    *len = part.len();
    part.as_ptr().cast()
}
