//! Core: answers as values, for who has to look into them or carry them; what only goes out is written with
//! [`Out`].

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::out::Out;

/// Which protocol the client has chosen with HELLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RespVersion {
    #[default]
    Two,
    Three,
}

impl RespVersion {
    /// As HELLO names it.
    pub fn number(self) -> u8 {
        match self {
            RespVersion::Two => 2,
            RespVersion::Three => 3,
        }
    }

    /// 3, or anything else for 2.
    pub fn from_number(number: u8) -> Self {
        if number == 3 { RespVersion::Three } else { RespVersion::Two }
    }
}

/// One answer. Version 2 has no null, map or boolean of its own: they become `$-1`, a flat array and an integer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    Double(f64),
    Bool(bool),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    NullArray,
    /// The digits of a whole number of any size.
    BigNumber(String),
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
            Reply::Int(_) | Reply::Null | Reply::Bool(_) | Reply::NullArray => 8,
            Reply::Double(_) => 24,
            Reply::Bulk(bytes) => bytes.len() + 16,
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
                8 + items.iter().map(Reply::len).sum::<usize>()
            }
            Reply::Map(items) => 8 + items.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>(),
            Reply::Verbatim(text) | Reply::BigNumber(text) => text.len() + 20,
        }
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// What comes before the items of an array, for who encodes them one by one.
    pub fn encode_array_head(len: usize, out: &mut BytesMut) {
        let mut head = Out::default();
        head.array(len);
        head.chunks().for_each(|chunk| out.extend_from_slice(chunk));
    }

    pub fn encode(&self, version: RespVersion, out: &mut BytesMut) {
        let mut encoded = Out::new(version);
        encoded.reply(self);
        encoded.chunks().for_each(|chunk| out.extend_from_slice(chunk));
    }
}

#[cfg(test)]
mod tests;
