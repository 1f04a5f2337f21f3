//! Core: what nodes say about blobs: a few fields in postcard, then the bytes.

use bytes::{Bytes, BytesMut};
use ringway_catalog::BlobId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Small enough to let others past.
pub const PIECE_LEN: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// The bytes at `offset` follow. Pieces come in order, from 0.
    Put {
        id: BlobId,
        offset: u64,
        total: u64,
    },
    Get {
        id: BlobId,
        offset: u64,
    },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The blob is here, whole and on disk.
    Have,
    /// The next piece, please.
    Continue,
    /// The bytes at the offset that was asked for follow.
    Piece { total: u64 },
    /// The blob is not here.
    Unknown,
}

pub fn encode(head: &impl Serialize, bytes: &[u8]) -> Bytes {
    let head = postcard::to_stdvec(head).expect("plain data always encodes");
    let mut message = BytesMut::with_capacity(head.len() + bytes.len());
    message.extend_from_slice(&head);
    message.extend_from_slice(bytes);
    message.freeze()
}

pub fn decode<T: DeserializeOwned>(message: Bytes) -> Result<(T, Bytes), String> {
    let (head, rest) = postcard::take_from_bytes(&message).map_err(|e| e.to_string())?;
    let rest = message.slice_ref(rest);
    Ok((head, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_bytes_come_out_as_they_went_in() {
        let question = Question::Put { id: BlobId([7; 32]), offset: 1 << 40, total: u64::MAX };
        let (head, rest) = decode::<Question>(encode(&question, b"bytes")).unwrap();
        assert_eq!((head, &rest[..]), (question, &b"bytes"[..]));
    }
}
