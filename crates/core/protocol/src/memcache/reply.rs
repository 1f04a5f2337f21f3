//! Core: answers. Short ones are texts of their own; here are those with numbers and values in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::meta::Meta;
use crate::resp::Out;
use crate::resp::number::Decimal;
use crate::resp::out::SHARED_LEN_MIN;

/// A value on its way out.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Slice(&'a [u8]),
    /// Not copied if it is large.
    Shared(&'a Bytes),
}

/// What is known of an item, for a meta command's answer. What the store does not know is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub len: usize,
    pub flags: u32,
    pub cas: u64,
    /// Seconds; `None`: it does not expire.
    pub ttl: Option<u64>,
    /// `h`: whether it was used before.
    pub is_hit: bool,
    /// `l`: seconds since it was used.
    pub idle: u64,
    /// `W`: this client is to make it anew.
    pub is_won: bool,
    /// `X`
    pub is_stale: bool,
    /// `Z`: another client was told to make it anew.
    pub is_being_made: bool,
}

impl Value<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Value::Slice(bytes) => bytes,
            Value::Shared(bytes) => bytes,
        }
    }

    fn write(self, out: &mut Out) {
        match self {
            Value::Shared(bytes) if bytes.len() >= SHARED_LEN_MIN => out.raw_shared(bytes.clone()),
            value => out.raw(value.as_slice()),
        }
        out.raw(b"\r\n");
    }
}

/// A text and its CR LF.
#[inline]
pub fn line(out: &mut Out, text: &str) {
    out.raw(text.as_bytes());
    out.raw(b"\r\n");
}

/// One hit of `get`; after the last one comes `END`.
#[inline]
pub fn value(out: &mut Out, key: &[u8], flags: u32, cas: Option<u64>, value: Value<'_>) {
    out.raw(b"VALUE ");
    out.raw(key);
    number(out, u64::from(flags));
    number(out, value.as_slice().len() as u64);
    if let Some(cas) = cas {
        number(out, cas);
    }
    out.raw(b"\r\n");
    value.write(out);
}

pub fn stat(out: &mut Out, name: &str, value: &str) {
    for piece in ["STAT ", name, " ", value, "\r\n"] {
        out.raw(piece.as_bytes());
    }
}

/// A number and nothing else: the answer to `incr`.
pub fn count(out: &mut Out, number: u64) {
    out.raw(Decimal::unsigned(number).as_bytes());
    out.raw(b"\r\n");
}

/// A meta command's answer about an item that is there. With a value its length stands behind the code.
pub fn meta(out: &mut Out, meta: &Meta<'_>, item: &Item, value: Option<Value<'_>>) {
    match value {
        Some(value) => {
            out.raw(b"VA");
            number(out, value.as_slice().len() as u64);
        }
        None => out.raw(b"HD"),
    }
    for flag in meta.flags {
        match flag[0] {
            b's' => lettered(out, b's', item.len as u64),
            b'c' => lettered(out, b'c', item.cas),
            b'f' => lettered(out, b'f', u64::from(item.flags)),
            b'l' => lettered(out, b'l', item.idle),
            b'h' => lettered(out, b'h', u64::from(item.is_hit)),
            b't' => match item.ttl {
                Some(ttl) => lettered(out, b't', ttl),
                None => out.raw(b" t-1"),
            },
            _ => returned(out, meta, flag),
        }
    }
    for (is, letter) in [(item.is_being_made, b" Z"), (item.is_stale, b" X"), (item.is_won, b" W")] {
        if is {
            out.raw(letter);
        }
    }
    out.raw(b"\r\n");
    if let Some(value) = value {
        value.write(out);
    }
}

/// A meta command's answer that is only a code (`EN`, `NF`, `NS`, `EX`, `HD`), with what the client wants back of its own.
pub fn meta_code(out: &mut Out, meta: &Meta<'_>, code: &str) {
    out.raw(code.as_bytes());
    for flag in meta.flags {
        returned(out, meta, flag);
    }
    out.raw(b"\r\n");
}

/// `ms` that stored: its code and, if it asked, the number it got.
pub fn meta_stored(out: &mut Out, meta: &Meta<'_>, code: &str, cas: u64) {
    out.raw(code.as_bytes());
    for flag in meta.flags {
        match flag[0] {
            b'c' => lettered(out, b'c', cas),
            _ => returned(out, meta, flag),
        }
    }
    out.raw(b"\r\n");
}

/// The opaque token and the key go back as they came.
fn returned(out: &mut Out, meta: &Meta<'_>, flag: &[u8]) {
    match flag[0] {
        b'O' => {
            out.raw(b" ");
            out.raw(flag);
        }
        b'k' if meta.is_base64 => {
            out.raw(b" k");
            out.raw(STANDARD.encode(&meta.key).as_bytes());
            out.raw(b" b");
        }
        b'k' => {
            out.raw(b" k");
            out.raw(meta.key_sent);
        }
        _ => {}
    }
}

fn lettered(out: &mut Out, letter: u8, number: u64) {
    out.raw(&[b' ', letter]);
    out.raw(Decimal::unsigned(number).as_bytes());
}

fn number(out: &mut Out, number: u64) {
    out.raw(b" ");
    out.raw(Decimal::unsigned(number).as_bytes());
}

#[cfg(test)]
mod tests;
