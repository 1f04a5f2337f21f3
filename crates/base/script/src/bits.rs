//! Driver: the library `bit`, whose functions work on 32 bits (Lua BitOp 1.0.2 by Mike Pall, MIT licence, is what it answers like).

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
            (c"tobit", to_bit),
            (c"bnot", not),
            (c"band", and),
            (c"bor", or),
            (c"bxor", xor),
            (c"lshift", shift_left),
            (c"rshift", shift_right),
            (c"arshift", shift_right_signed),
            (c"rol", rotate_left),
            (c"ror", rotate_right),
            (c"bswap", swap_bytes),
            (c"tohex", to_hex),
        ],
    );
}

/// The argument modulo 2^32: adding this number leaves the whole part in the low bits, rounded to even.
unsafe fn argument(lua: *mut lua_State, narg: c_int) -> u32 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let number = lua_tonumber(lua, narg);
    let bits = (number + SHIFT).to_bits() as u32;
    if bits == 0 && lua_isnumber(lua, narg) == 0 {
        luaL_typerror(lua, narg, c"number".as_ptr());
    }
    bits
}

unsafe fn give(lua: *mut lua_State, bits: u32) -> c_int {
    lua_pushnumber(lua, f64::from(bits as i32));
    1
}

unsafe fn fold(lua: *mut lua_State, combine: fn(u32, u32) -> u32) -> c_int {
    let mut bits = argument(lua, 1);
    for narg in (2..=lua_gettop(lua)).rev() {
        bits = combine(bits, argument(lua, narg));
    }
    give(lua, bits)
}

unsafe fn shift(lua: *mut lua_State, by: fn(u32, u32) -> u32) -> c_int {
    let bits = argument(lua, 1);
    let count = argument(lua, 2) & 31;
    give(lua, by(bits, count))
}

unsafe extern "C-unwind" fn to_bit(lua: *mut lua_State) -> c_int {
    let bits = argument(lua, 1);
    give(lua, bits)
}

unsafe extern "C-unwind" fn not(lua: *mut lua_State) -> c_int {
    let bits = argument(lua, 1);
    give(lua, !bits)
}

unsafe extern "C-unwind" fn and(lua: *mut lua_State) -> c_int {
    fold(lua, |a, b| a & b)
}

unsafe extern "C-unwind" fn or(lua: *mut lua_State) -> c_int {
    fold(lua, |a, b| a | b)
}

unsafe extern "C-unwind" fn xor(lua: *mut lua_State) -> c_int {
    fold(lua, |a, b| a ^ b)
}

unsafe extern "C-unwind" fn shift_left(lua: *mut lua_State) -> c_int {
    shift(lua, |bits, count| bits << count)
}

unsafe extern "C-unwind" fn shift_right(lua: *mut lua_State) -> c_int {
    shift(lua, |bits, count| bits >> count)
}

unsafe extern "C-unwind" fn shift_right_signed(lua: *mut lua_State) -> c_int {
    shift(lua, |bits, count| (bits as i32 >> count) as u32)
}

unsafe extern "C-unwind" fn rotate_left(lua: *mut lua_State) -> c_int {
    shift(lua, u32::rotate_left)
}

unsafe extern "C-unwind" fn rotate_right(lua: *mut lua_State) -> c_int {
    shift(lua, u32::rotate_right)
}

unsafe extern "C-unwind" fn swap_bytes(lua: *mut lua_State) -> c_int {
    let bits = argument(lua, 1);
    give(lua, bits.swap_bytes())
}

/// As many digits as asked for, in capitals if that is negative.
unsafe extern "C-unwind" fn to_hex(lua: *mut lua_State) -> c_int {
    let bits = argument(lua, 1);
    let count = if lua_type(lua, 2) == LUA_TNONE { 8 } else { argument(lua, 2) as i32 };
    let digits = if count < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let count = count.unsigned_abs().min(8) as usize;
    let mut text = [0; 8];
    for (index, digit) in text[..count].iter_mut().rev().enumerate() {
        *digit = digits[(bits >> (4 * index) & 15) as usize];
    }
    push_bytes(lua, &text[..count]);
    1
}
