//! Driver: the library `struct` (Roberto Ierusalimschy's, MIT licence, is what it answers like): C structures in strings.

use std::ffi::{CStr, c_int};

use crate::lua::*;
use crate::text::Text;

const INTEGER_LEN_MAX: c_int = 32;
const ALIGN_MAX: usize = 8;

/// Fills the table on top.
///
/// # Safety
/// Raises.
pub unsafe fn install(lua: *mut lua_State) {
    set_functions(lua, &[(c"pack", pack), (c"unpack", unpack), (c"size", size)]);
}

/// Walks through a format.
struct Format {
    rest: &'static [u8],
    is_big: bool,
    align: usize,
}

impl Format {
    unsafe fn of_argument(lua: *mut lua_State) -> Self {
        let rest = until_nul(check_bytes(lua, 1));
        Self { rest, is_big: false, align: 1 }
    }

    fn next(&mut self) -> Option<u8> {
        let (&option, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(option)
    }

    unsafe fn number(&mut self, lua: *mut lua_State, default: c_int) -> c_int {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return default;
        }
        let mut number: c_int = 0;
        for digit in &self.rest[..digits] {
            let next = number.checked_mul(10).and_then(|tens| tens.checked_add(c_int::from(digit - b'0')));
            number = match next {
                Some(next) => next,
                None => raise(lua, c"integral size overflow"),
            };
        }
        self.rest = &self.rest[digits..];
        number
    }

    /// How many bytes the option takes, as far as the format tells.
    unsafe fn size_of(&mut self, lua: *mut lua_State, option: u8) -> usize {
        match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(lua, 1) as usize,
            b'i' | b'I' => {
                let size = self.number(lua, 4);
                if size > INTEGER_LEN_MAX {
                    let form = c"integral size %d is larger than limit of %d".as_ptr();
                    luaL_error(lua, form, size, INTEGER_LEN_MAX);
                }
                size as usize
            }
            _ => 0,
        }
    }

    /// How many bytes are left out before an option of `size` bytes at `at`.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// Options that change how the next ones are read.
    unsafe fn control(&mut self, lua: *mut lua_State, option: u8) {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let align = self.number(lua, ALIGN_MAX as c_int);
                if align <= 0 || align & (align - 1) != 0 {
                    luaL_error(lua, c"alignment %d is not a power of 2".as_ptr(), align);
                }
                self.align = align as usize;
            }
            _ => {
                let text = lua_pushfstring(lua, c"invalid format option '%c'".as_ptr(), c_int::from(option));
                luaL_argerror(lua, 1, text);
            }
        }
    }
}

unsafe extern "C-unwind" fn pack(lua: *mut lua_State) -> c_int {
    let mut format = Format::of_argument(lua);
    let mut narg = 2;
    // Keeps arguments that were left out apart from what is pushed here.
    lua_pushnil(lua);
    let mut text = Text::new(lua, 64);
    let mut total = 0;
    while let Some(option) = format.next() {
        let mut size = format.size_of(lua, option);
        let padding = format.padding(total, option, size);
        total += padding;
        text.push(lua, &[0; 32][..padding.min(32)]);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = luaL_checknumber(lua, narg);
                narg += 1;
                let mut bytes = [0; INTEGER_LEN_MAX as usize];
                put_integer(&mut bytes[..size], number, format.is_big);
                text.push(lua, &bytes[..size]);
            }
            b'x' => text.push(lua, &[0]),
            b'f' => {
                let number = luaL_checknumber(lua, narg) as f32;
                narg += 1;
                text.push(lua, &if format.is_big { number.to_be_bytes() } else { number.to_le_bytes() });
            }
            b'd' => {
                let number = luaL_checknumber(lua, narg);
                narg += 1;
                text.push(lua, &if format.is_big { number.to_be_bytes() } else { number.to_le_bytes() });
            }
            b'c' | b's' => {
                let bytes = check_bytes(lua, narg);
                narg += 1;
                size = if size == 0 { bytes.len() } else { size };
                if bytes.len() < size {
                    raise_argument(lua, narg, c"string too short");
                }
                text.push(lua, &bytes[..size]);
                if option == b's' {
                    text.push(lua, &[0]);
                    size += 1;
                }
            }
            _ => format.control(lua, option),
        }
        total += size;
    }
    text.finish(lua);
    1
}

fn put_integer(bytes: &mut [u8], number: f64, is_big: bool) {
    // C's conversions: negative through the signed type, out of range is the least number.
    let mut value = if number < 0.0 { c_long(number) as u64 } else { c_unsigned_long(number) };
    let len = bytes.len();
    for index in 0..len {
        bytes[if is_big { len - 1 - index } else { index }] = value as u8;
        value >>= 8;
    }
}

fn c_long(number: f64) -> i64 {
    if number >= -9_223_372_036_854_775_808.0 { number as i64 } else { i64::MIN }
}

fn c_unsigned_long(number: f64) -> u64 {
    match number {
        number if number < 9_223_372_036_854_775_808.0 => number as i64 as u64,
        number if number < 18_446_744_073_709_551_616.0 => number as u64,
        _ => 0,
    }
}

fn get_integer(bytes: &[u8], is_signed: bool, is_big: bool) -> f64 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) };
    if !is_signed {
        return value as f64;
    }
    // The machines Redis runs on shift by the low six bits.
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    let value = if value & mask != 0 { value | mask } else { value };
    value as i64 as f64
}

unsafe extern "C-unwind" fn unpack(lua: *mut lua_State) -> c_int {
    let mut format = Format::of_argument(lua);
    let data = check_bytes(lua, 2);
    let start = luaL_optinteger(lua, 3, 1);
    if start == 0 {
        raise_argument(lua, 3, c"offset must be 1 or greater");
    }
    let mut at = start as usize - 1;
    let mut count = 0;
    while let Some(option) = format.next() {
        let mut size = format.size_of(lua, option);
        at = at.wrapping_add(format.padding(at, option, size));
        check_rest(lua, data, at, size);
        luaL_checkstack_(lua, 2, c"too many results".as_ptr());
        let here = &data[at..];
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = get_integer(&here[..size], option.is_ascii_lowercase(), format.is_big);
                lua_pushnumber(lua, number);
                count += 1;
            }
            b'x' => {}
            b'f' => {
                let bytes = [here[0], here[1], here[2], here[3]];
                let number = if format.is_big { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) };
                lua_pushnumber(lua, f64::from(number));
                count += 1;
            }
            b'd' => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&here[..8]);
                lua_pushnumber(lua, if format.is_big { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) });
                count += 1;
            }
            b'c' => {
                if size == 0 {
                    if count == 0 || lua_isnumber(lua, -1) == 0 {
                        raise(lua, c"format 'c0' needs a previous size");
                    }
                    size = c_unsigned_long(lua_tonumber(lua, -1)) as usize;
                    lua_pop(lua, 1);
                    count -= 1;
                    check_rest(lua, data, at, size);
                }
                push_bytes(lua, &here[..size]);
                count += 1;
            }
            b's' => {
                let Some(len) = memchr::memchr(0, here) else { raise(lua, c"unfinished string in data") };
                push_bytes(lua, &here[..len]);
                size = len + 1;
                count += 1;
            }
            _ => format.control(lua, option),
        }
        at += size;
    }
    lua_pushinteger(lua, at as lua_Integer + 1);
    count + 1
}

unsafe fn check_rest(lua: *mut lua_State, data: &[u8], at: usize, size: usize) {
    if size > data.len() || at > data.len() - size {
        raise_argument(lua, 2, c"data string too short");
    }
}

unsafe extern "C-unwind" fn size(lua: *mut lua_State) -> c_int {
    let mut format = Format::of_argument(lua);
    let mut at = 0usize;
    while let Some(option) = format.next() {
        let size = format.size_of(lua, option);
        at += format.padding(at, option, size);
        let fault: Option<&CStr> = match option {
            b's' => Some(c"option 's' has no fixed size"),
            b'c' if size == 0 => Some(c"option 'c0' has no fixed size"),
            _ => None,
        };
        if let Some(fault) = fault {
            raise_argument(lua, 1, fault);
        }
        if !option.is_ascii_alphanumeric() {
            format.control(lua, option);
        }
        at = at.wrapping_add(size);
    }
    lua_pushinteger(lua, at as lua_Integer);
    1
}
