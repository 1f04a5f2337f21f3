//! Core: answers and their bytes in both versions of the protocol.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// Which protocol the client has chosen with HELLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RespVersion {
    #[default]
    Two,
    Three,
}

/// One answer. Version 2 has no null, map or boolean of its own: they become `$-1`, a flat array and an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    Simple(Cow<'static, str>),
    /// With its code: `ERR syntax error`.
    Error(Cow<'static, str>),
    Int(i64),
    Bulk(Bytes),
    Null,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    /// Text for people (INFO); a plain bulk string in version 2.
    Verbatim(String),
}

impl Reply {
    pub const OK: Reply = Reply::Simple(Cow::Borrowed("OK"));

    pub const fn error(text: &'static str) -> Self {
        Reply::Error(Cow::Borrowed(text))
    }

    pub fn text(text: impl Into<String>) -> Self {
        Reply::Bulk(Bytes::from(text.into()))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// About how many bytes it takes.
    pub fn len(&self) -> usize {
        match self {
            Reply::Simple(text) | Reply::Error(text) => text.len() + 3,
            Reply::Int(_) | Reply::Null => 8,
            Reply::Bulk(bytes) => bytes.len() + 16,
            Reply::Array(items) => 8 + items.iter().map(Reply::len).sum::<usize>(),
            Reply::Map(items) => 8 + items.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>(),
            Reply::Verbatim(text) => text.len() + 20,
        }
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// What comes before the items of an array, for who encodes them one by one.
    pub fn encode_array_head(len: usize, out: &mut BytesMut) {
        header(out, b'*', len as i64);
    }

    pub fn encode(&self, version: RespVersion, out: &mut BytesMut) {
        match self {
            Reply::Simple(text) => line(out, b'+', text.as_bytes()),
            Reply::Error(text) => line(out, b'-', one_line(text).as_bytes()),
            Reply::Int(number) => header(out, b':', *number),
            Reply::Bulk(bytes) => bulk(out, bytes),
            Reply::Null if version == RespVersion::Two => out.put_slice(b"$-1\r\n"),
            Reply::Null => out.put_slice(b"_\r\n"),
            Reply::Array(items) => {
                Reply::encode_array_head(items.len(), out);
                items.iter().for_each(|item| item.encode(version, out));
            }
            Reply::Map(items) => {
                match version {
                    RespVersion::Two => header(out, b'*', items.len() as i64 * 2),
                    RespVersion::Three => header(out, b'%', items.len() as i64),
                }
                for (key, value) in items {
                    key.encode(version, out);
                    value.encode(version, out);
                }
            }
            Reply::Verbatim(text) if version == RespVersion::Two => bulk(out, text.as_bytes()),
            Reply::Verbatim(text) => {
                header(out, b'=', text.len() as i64 + 4);
                out.put_slice(b"txt:");
                out.put_slice(text.as_bytes());
                out.put_slice(b"\r\n");
            }
        }
    }
}

/// Errors may quote what the client sent: a line break in it would be read as the next answer.
fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(['\r', '\n']) {
        true => Cow::Owned(text.replace(['\r', '\n'], " ")),
        false => Cow::Borrowed(text),
    }
}

fn line(out: &mut BytesMut, kind: u8, text: &[u8]) {
    out.put_u8(kind);
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn bulk(out: &mut BytesMut, bytes: &[u8]) {
    header(out, b'$', bytes.len() as i64);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn header(out: &mut BytesMut, kind: u8, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_u8(kind);
    if number < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[at..]);
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
