//! Core: the Redis protocol, versions 2 and 3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! [`parse`] turns the bytes a client sends into commands, [`Out`] collects answers, [`read_reply`] reads them. Limits and
//! error texts are those of Redis, because clients and their tests know them by heart.

pub mod frame;
mod inline;
pub mod limits;
pub mod long_double;
pub mod number;
pub mod out;
pub mod reply;
pub mod reply_reader;
pub mod words;

pub use frame::{Parsed, parse};
pub use limits::{Limits, ProtocolError};
pub use long_double::LongDouble;
pub use out::Out;
pub use reply::{Reply, RespVersion};
pub use reply_reader::{read_reply, reply_len};
pub use words::{Args, Words};
