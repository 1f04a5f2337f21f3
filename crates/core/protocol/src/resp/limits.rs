//! Core: what one client may send, and what it is told when it does not keep to the protocol.

use thiserror::Error;

use super::out::Out;

/// The longest line of an inline command, or of a length.
pub(super) const LINE_LEN_MAX: usize = 64 * 1024;

/// What one client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub args_max: usize,
    pub bulk_len_max: usize,
    /// One command with everything that belongs to it: Redis' `client-query-buffer-limit`.
    pub command_len_max: usize,
    pub authenticated: bool,
}

impl Limits {
    /// Before the client has said who it is: as much as AUTH and HELLO need.
    pub const UNAUTHENTICATED: Limits =
        Limits { args_max: 10, bulk_len_max: 16 * 1024, command_len_max: 1 << 20, authenticated: false };
    /// Redis counts arguments up to `INT_MAX`; they take less room here than the bytes that promise them.
    pub const AUTHENTICATED: Limits =
        Limits { args_max: i32::MAX as usize, bulk_len_max: 512 << 20, command_len_max: 1 << 30, authenticated: true };
}

/// The client does not speak the protocol. Tell it and close: where the next command begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    #[error("Protocol error: invalid multibulk length")]
    ArgCount,
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedArgCount,
    #[error("Protocol error: invalid bulk length")]
    BulkLen,
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLen,
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    NotBulk(u8),
    #[error("Protocol error: too big mbulk count string")]
    LongArgCount,
    #[error("Protocol error: too big bulk count string")]
    LongBulkLen,
    #[error("Protocol error: too big inline request")]
    LongLine,
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    /// Redis closes without a word.
    #[error("Protocol error: too big request")]
    LongCommand,
}

impl ProtocolError {
    /// The reply, byte for byte as Redis gives it.
    pub fn write(self, out: &mut Out) {
        match self {
            // A byte that need not be text.
            ProtocolError::NotBulk(byte) => {
                out.error_bytes(&[b"ERR Protocol error: expected '$', got '", &[byte][..], b"'"].concat());
            }
            other => out.error(&format!("ERR {other}")),
        }
    }
}
