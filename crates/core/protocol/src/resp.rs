//! Core: the Redis protocol, versions 2 and 3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! [`RequestParser`] turns the bytes a client sends into commands, [`Reply::encode`] turns answers into bytes. Limits and error
//! texts are those of Redis, because clients and their tests know them by heart.

pub mod reply;
pub mod request;

pub use reply::{Reply, RespVersion};
pub use request::{Limits, ProtocolError, Request, RequestParser};
