//! Core: HTTP/1.1 messages (RFC 9112): heads and bodies, from bytes and to bytes.
//!
//! Requests come from anybody, so reading them is strict: whatever two parties could read in two ways (a length next to chunks, two
//! lengths, bare line feeds, folded lines, several hosts) is refused, not repaired. Request smuggling lives on repairs. Answers come
//! from apps, which are allowed the old habits that have one meaning only.

mod body;
mod encode;
mod request_head;
mod response_head;
mod text;

pub use body::{BadBody, BodyDecoder, Decoded};
pub use encode::{write_chunk_start, write_fields, write_last_chunk, write_request_line, write_status_line};
pub use request_head::{BadHead, FieldSpan, HeadEnd, HeadLimits, RequestHead};
pub use response_head::{BadAnswer, ResponseHead};

/// How the end of a message's body is known (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    Known(u64),
    Chunked,
    /// The connection ends with it. Answers only.
    UntilClose,
}
