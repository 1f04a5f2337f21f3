//! Driver: JSON text as Lua values. As lua-cjson it takes more than JSON: numbers as C's `strtod` reads them, and a NUL as the end.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use super::{DEPTH_MAX, Settings, one_argument, settings};
use crate::context::context;
use crate::lua::*;

pub unsafe extern "C-unwind" fn decode(lua: *mut lua_State) -> c_int {
    one_argument(lua);
    let json = check_bytes(lua, 1);
    if json.len() >= 2 && (json[0] == 0 || json[1] == 0) {
        raise(lua, c"JSON parser does not support UTF-16 or UTF-32");
    }
    let text = &raw mut (*context(lua)).scratch;
    let mut parser = Parser { lua, settings: *settings(lua), json, at: 0, text, depth: 0 };
    let token = parser.next();
    parser.push_value(token);
    let token = parser.next();
    if !matches!(token.kind, Kind::End) {
        parser.fail(c"the end", token);
    }
    1
}

/// A piece of the text and where it begins; for an error, where that is.
#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    at: usize,
}

/// Strings are in the parser's buffer.
#[derive(Clone, Copy)]
enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static CStr),
}

impl Kind {
    fn name(self) -> &'static CStr {
        match self {
            Kind::ObjectBegin => c"T_OBJ_BEGIN",
            Kind::ObjectEnd => c"T_OBJ_END",
            Kind::ArrayBegin => c"T_ARR_BEGIN",
            Kind::ArrayEnd => c"T_ARR_END",
            Kind::String => c"T_STRING",
            Kind::Number(_) => c"T_NUMBER",
            Kind::Boolean(_) => c"T_BOOLEAN",
            Kind::Null => c"T_NULL",
            Kind::Colon => c"T_COLON",
            Kind::Comma => c"T_COMMA",
            Kind::End => c"T_END",
            Kind::Error(what) => what,
        }
    }
}

struct Parser {
    lua: *mut lua_State,
    settings: Settings,
    /// A Lua string: a NUL follows its last byte.
    json: &'static [u8],
    at: usize,
    text: *mut Vec<u8>,
    depth: c_int,
}

impl Parser {
    /// NUL behind the end.
    fn byte(&self, ahead: usize) -> u8 {
        self.json.get(self.at + ahead).copied().unwrap_or(0)
    }

    unsafe fn next(&mut self) -> Token {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(0) {
            b'{' => Kind::ObjectBegin,
            b'}' => Kind::ObjectEnd,
            b'[' => Kind::ArrayBegin,
            b']' => Kind::ArrayEnd,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            0 => return Token { kind: Kind::End, at },
            _ => return self.next_long(at),
        };
        self.at += 1;
        Token { kind: single, at }
    }

    unsafe fn next_long(&mut self, at: usize) -> Token {
        let rest = &self.json[self.at..];
        let kind = match self.byte(0) {
            b'"' => self.next_string(),
            b'-' | b'0'..=b'9' => {
                if self.settings.decode_invalid_numbers == 0 && self.is_invalid_number() {
                    Kind::Error(c"invalid number")
                } else {
                    self.next_number()
                }
            }
            b't' if rest.starts_with(b"true") => self.word(4, Kind::Boolean(true)),
            b'f' if rest.starts_with(b"false") => self.word(5, Kind::Boolean(false)),
            b'n' if rest.starts_with(b"null") => self.word(4, Kind::Null),
            b'+' | b'i' | b'I' | b'n' | b'N' | b'f' | b't'
                if self.settings.decode_invalid_numbers != 0 && self.is_invalid_number() =>
            {
                self.next_number()
            }
            _ => Kind::Error(c"invalid token"),
        };
        let at = if matches!(kind, Kind::Error(_)) { self.at } else { at };
        Token { kind, at }
    }

    fn word(&mut self, len: usize, kind: Kind) -> Kind {
        self.at += len;
        kind
    }

    /// Whether it is a number to C but not in JSON.
    fn is_invalid_number(&self) -> bool {
        if self.byte(0) == b'+' {
            return true;
        }
        let rest = &self.json[self.at + usize::from(self.byte(0) == b'-')..];
        match rest.first().copied().unwrap_or(0) {
            b'0' => matches!(rest.get(1), Some(b'x' | b'X' | b'0'..=b'9')),
            0..=b'9' => false,
            _ => {
                [b"inf", b"nan"].iter().any(|word| rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(*word)))
            }
        }
    }

    unsafe fn next_number(&mut self) -> Kind {
        let start = self.json.as_ptr().add(self.at).cast::<c_char>();
        let mut end = ptr::null_mut();
        // The text ends with a NUL, so that this stops.
        let number = libc::strtod(start, &mut end);
        let len = end.cast_const().offset_from(start) as usize;
        if len == 0 {
            return Kind::Error(c"invalid number");
        }
        self.at += len;
        Kind::Number(number)
    }

    unsafe fn next_string(&mut self) -> Kind {
        let text = &mut *self.text;
        text.clear();
        self.at += 1;
        loop {
            let rest = &self.json[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0)).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.byte(0) {
                b'"' => {
                    self.at += 1;
                    return Kind::String;
                }
                b'\\' => {
                    if let Err(fault) = self.escape(text) {
                        return Kind::Error(fault);
                    }
                }
                _ => return Kind::Error(c"unexpected end of string"),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static CStr> {
        let byte = match self.byte(1) {
            same @ (b'"' | b'\\' | b'/') => same,
            b'b' => b'\x08',
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => b'\x0c',
            b'r' => b'\r',
            b'u' => return self.unicode_escape(text).ok_or(c"invalid unicode escape code"),
            _ => return Err(c"invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them for what lies beyond.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let mut code = self.hex4(2)?;
        let mut len = 6;
        if code & 0xF800 == 0xD800 {
            let is_high = code & 0x400 == 0;
            if !is_high || self.byte(6) != b'\\' || self.byte(7) != b'u' {
                return None;
            }
            let low = self.hex4(8)?;
            if low & 0xFC00 != 0xDC00 {
                return None;
            }
            code = ((code & 0x3FF) << 10 | low & 0x3FF) + 0x10000;
            len = 12;
        }
        let mut utf8 = [0; 4];
        text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
        self.at += len;
        Some(())
    }

    fn hex4(&self, ahead: usize) -> Option<u32> {
        (ahead..ahead + 4).try_fold(0, |code, ahead| Some(code << 4 | char::from(self.byte(ahead)).to_digit(16)?))
    }

    unsafe fn push_value(&mut self, token: Token) {
        let lua = self.lua;
        match token.kind {
            Kind::String => push_bytes(lua, &*self.text),
            Kind::Number(number) => lua_pushnumber(lua, number),
            Kind::Boolean(is) => lua_pushboolean(lua, c_int::from(is)),
            Kind::ObjectBegin => self.push_object(),
            Kind::ArrayBegin => self.push_array(),
            Kind::Null => lua_pushlightuserdata(lua, ptr::null_mut()),
            _ => self.fail(c"value", token),
        }
    }

    unsafe fn descend(&mut self, places: c_int) {
        self.depth += 1;
        if self.depth > self.settings.decode_max_depth.min(DEPTH_MAX) || lua_checkstack(self.lua, places) == 0 {
            let form = c"Found too many nested data structures (%d) at character %d".as_ptr();
            luaL_error(self.lua, form, self.depth, self.at as c_int);
        }
    }

    unsafe fn push_object(&mut self) {
        let lua = self.lua;
        self.descend(3);
        lua_createtable(lua, 0, 0);
        let mut token = self.next();
        if matches!(token.kind, Kind::ObjectEnd) {
            self.depth -= 1;
            return;
        }
        loop {
            if !matches!(token.kind, Kind::String) {
                self.fail(c"object key string", token);
            }
            push_bytes(lua, &*self.text);
            token = self.next();
            if !matches!(token.kind, Kind::Colon) {
                self.fail(c"colon", token);
            }
            token = self.next();
            self.push_value(token);
            lua_rawset(lua, -3);
            token = self.next();
            match token.kind {
                Kind::ObjectEnd => break,
                Kind::Comma => token = self.next(),
                _ => self.fail(c"comma or object end", token),
            }
        }
        self.depth -= 1;
    }

    unsafe fn push_array(&mut self) {
        let lua = self.lua;
        self.descend(2);
        lua_createtable(lua, 0, 0);
        let mut token = self.next();
        if matches!(token.kind, Kind::ArrayEnd) {
            self.depth -= 1;
            return;
        }
        for index in 1.. {
            self.push_value(token);
            lua_rawseti_(lua, -2, index);
            token = self.next();
            match token.kind {
                Kind::ArrayEnd => break,
                Kind::Comma => token = self.next(),
                _ => self.fail(c"comma or array end", token),
            }
        }
        self.depth -= 1;
    }

    unsafe fn fail(&self, expected: &CStr, found: Token) {
        let form = c"Expected %s but found %s at character %d".as_ptr();
        let place = found.at as c_int + 1;
        luaL_error(self.lua, form, expected.as_ptr(), found.kind.name().as_ptr(), place);
    }
}
