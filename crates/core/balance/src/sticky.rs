//! Core: a cookie that brings a client back to the endpoint that holds its session.
//!
//! The value names an endpoint so that nobody but us can read it or make one: a tag (keyed hash of scope and id) is the proof,
//! and the id is masked by a hash of that tag, as in "synthetic IV" encryption (Rogaway and Shrimpton, 2006). A client can only
//! show what it was given, and only where it was given (the *scope*: app and route). Whoever shows something else, or names an
//! endpoint that is gone, is treated as new and gets a new cookie.

use crate::endpoint::EndpointId;
use crate::siphash::Key;

/// Characters of a value.
pub const VALUE_LEN: usize = 32;

#[derive(Clone, Debug)]
pub struct Sticky {
    tag: Key,
    mask: Key,
}

impl Sticky {
    /// All nodes need the same key: the next request may come to another one.
    pub fn new(key: Key) -> Self {
        Self { tag: key.derive(1), mask: key.derive(2) }
    }

    /// 32 hexadecimal digits. `scope`: a hash of where the cookie is good.
    pub fn value(&self, scope: u64, id: EndpointId) -> [u8; VALUE_LEN] {
        let tag = self.tag.hash_words(&[scope, id.0]);
        let masked = id.0 ^ self.mask.hash_words(&[scope, tag]);
        let number = u128::from(tag) << 64 | u128::from(masked);
        std::array::from_fn(|at| digit((number >> (4 * (VALUE_LEN - 1 - at))) as u8 & 0xf))
    }

    /// Whom a client is bound to; `None`: not a value that we made for this scope.
    pub fn read(&self, scope: u64, value: &[u8]) -> Option<EndpointId> {
        let value: &[u8; VALUE_LEN] = value.try_into().ok()?;
        let number =
            value.iter().try_fold(0_u128, |number, digit| Some(number << 4 | u128::from(digit_value(*digit)?)))?;
        let (tag, masked) = ((number >> 64) as u64, number as u64);
        let id = masked ^ self.mask.hash_words(&[scope, tag]);
        // One comparison of whole words: takes as long whatever differs.
        (tag ^ self.tag.hash_words(&[scope, id]) == 0).then_some(EndpointId(id))
    }
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
