//! Core: memcached's text and meta protocols (<https://github.com/memcached/memcached/blob/master/doc/protocol.txt>).
//!
//! [`parse`] turns the bytes a client sends into requests that borrow from them; [`reply`] writes answers. Limits and texts are
//! those of memcached 1.6, with these differences: numbers that do not fit are refused where 1.6.18 cuts them to 32 bits; a NUL is
//! a byte of a key like others; the binary protocol, deprecated since 1.6.0, is refused in its own words.

mod binary;
pub mod frame;
pub mod meta;
mod number;
pub mod reply;
pub mod request;
mod tokens;

pub use frame::{Limits, Parsed, Refusal, parse};
pub use meta::{Meta, MetaVerb};
pub use request::{Arithmetic, Get, Keys, Request, Store, Verb};
pub use tokens::Tokens;

/// Longest key, in bytes, as sent and as decoded.
pub const KEY_LEN_MAX: usize = 250;
