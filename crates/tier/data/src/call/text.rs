//! Core: a string as it is read: bytes in the table, bytes that are shared, or a number.

use std::ops::Deref;

use bytes::Bytes;
use ringway_engine::Stored;
use ringway_protocol::resp::number::{Decimal, parse_int};

pub(crate) enum Text<'a> {
    Slice(&'a [u8]),
    Shared(&'a Bytes),
    Number(Decimal),
}

impl Text<'_> {
    pub(crate) fn number(number: i64) -> Self {
        Text::Number(Decimal::signed(number))
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        parse_int(self)
    }

    /// The same, to keep; shared where it already is.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Text::Shared(bytes) => (*bytes).clone(),
            _ => Bytes::copy_from_slice(self),
        }
    }
}

impl<'a> From<Stored<'a>> for Text<'a> {
    fn from(stored: Stored<'a>) -> Self {
        match stored {
            Stored::Inline(slice) => Text::Slice(slice),
            Stored::Shared(bytes) => Text::Shared(bytes),
        }
    }
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Slice(slice) => slice,
            Text::Shared(bytes) => bytes,
            Text::Number(decimal) => decimal.as_bytes(),
        }
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
