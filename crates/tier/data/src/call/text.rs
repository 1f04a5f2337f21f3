//! Core: a string as it is read: bytes in the table, bytes that are shared, or a number.

use std::ops::Deref;

use bytes::Bytes;
use ringway_engine::Stored;
use ringway_protocol::resp::number::parse_int;

/// Longest decimal of 64 bits, with its sign.
const DIGITS_MAX: usize = 20;

pub(crate) enum Text<'a> {
    Slice(&'a [u8]),
    Shared(&'a Bytes),
    Number(Decimal),
}

/// A number in decimal digits.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    digits: [u8; DIGITS_MAX],
    start: usize,
}

impl Text<'_> {
    pub(crate) fn number(number: i64) -> Self {
        Text::Number(Decimal::new(number))
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
            Text::Number(decimal) => &decimal.digits[decimal.start..],
        }
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Decimal {
    pub(crate) fn new(number: i64) -> Self {
        let (mut digits, mut start, mut rest) = ([0; DIGITS_MAX], DIGITS_MAX, number.unsigned_abs());
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Self { digits, start }
    }
}
