//! Core: what a client of the binary protocol is told: that nobody speaks it here.

use super::frame::Parsed;

pub(super) const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
const HEADER_LEN: usize = 24;
const NOT_SUPPORTED: u16 = 0x83;
const TEXT: &[u8] = b"the binary protocol is not supported: use the text or the meta protocol";

/// `input` begins with a request of that protocol.
pub(super) fn refuse<'a>(input: &[u8]) -> Parsed<'a> {
    let Some(header) = input.first_chunk::<HEADER_LEN>() else {
        return Parsed::Incomplete { needed: HEADER_LEN, scanned: 0 };
    };
    let mut reply = Vec::with_capacity(HEADER_LEN + TEXT.len());
    // The operation and the opaque token are the client's own; no key, no extras, no cas.
    reply.extend_from_slice(&[RESPONSE, header[1], 0, 0, 0, 0]);
    reply.extend_from_slice(&NOT_SUPPORTED.to_be_bytes());
    reply.extend_from_slice(&(TEXT.len() as u32).to_be_bytes());
    reply.extend_from_slice(&header[12..16]);
    reply.extend_from_slice(&[0; 8]);
    reply.extend_from_slice(TEXT);
    Parsed::Close { reply: reply.into() }
}
