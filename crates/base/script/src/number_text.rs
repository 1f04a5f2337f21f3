//! Core: numbers as C prints them with `%.14g` (Lua, cjson) and `%.17g` (arguments of commands).

use std::ffi::CStr;

/// The longest that `%.17g` gets is 24 bytes.
pub const LEN_MAX: usize = 32;

/// Writes the number and says how many bytes it took.
pub fn write(number: f64, digits: u8, out: &mut [u8; LEN_MAX]) -> usize {
    /// Below this a whole number has at most 14 digits, and both forms print all of them.
    const PLAIN_MAX: f64 = 1e14;
    if digits >= 14
        && number.abs() < PLAIN_MAX
        && number == number.trunc()
        && !(number == 0.0 && number.is_sign_negative())
    {
        return write_whole(number as i64, out);
    }
    const FORM: &CStr = c"%.*g";
    // SAFETY: the buffer is longer than the longest text, and snprintf is told its length.
    let len =
        unsafe { libc::snprintf(out.as_mut_ptr().cast(), LEN_MAX, FORM.as_ptr(), libc::c_int::from(digits), number) };
    len as usize
}

fn write_whole(number: i64, out: &mut [u8; LEN_MAX]) -> usize {
    let decimal = ringway_protocol::resp::number::Decimal::signed(number);
    let text = decimal.as_bytes();
    out[..text.len()].copy_from_slice(text);
    text.len()
}
