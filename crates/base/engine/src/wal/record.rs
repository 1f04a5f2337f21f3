//! Core: records of the log as bytes.
//!
//! Head (24 bytes, little-endian): length of the body (4), bucket (4), checksum of the body (8), checksum of the head (8); then the
//! body, filled up with zeros to a multiple of 8. The head's checksum is taken with the record's position in the log and the
//! nonce of its segment: a record proves where it belongs, so what a recycled file still holds of its former life never passes.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub(crate) const HEAD_LEN: usize = 24;
/// Records begin at multiples of it.
pub(crate) const ALIGN: usize = 8;
/// The bucket of the log's own notes: their body is how far the log was synced when they were written.
pub(crate) const NOTE: u32 = u32::MAX;

/// An intact record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub bucket: u32,
    pub body: &'a [u8],
    /// What it takes in the log.
    pub len: usize,
}

/// What a record with a body of this length takes; `None` if it is too long for one.
pub(crate) fn encoded_len(body_len: usize) -> Option<usize> {
    u32::try_from(body_len).ok()?;
    (HEAD_LEN + body_len).checked_next_multiple_of(ALIGN)
}

/// The costly part of a record, done before anybody is kept waiting.
pub(crate) fn body_sum(body: &[u8]) -> u64 {
    xxh3_64(body)
}

/// `body` must be one that [`encoded_len`] has a length for.
pub(crate) fn encode(bucket: u32, body: &[u8], body_sum: u64, position: u64, nonce: u64, out: &mut Vec<u8>) {
    let begin = out.len();
    let mut head = [0; HEAD_LEN];
    head[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&bucket.to_le_bytes());
    head[8..16].copy_from_slice(&body_sum.to_le_bytes());
    let sum = head_sum(&head, position, nonce);
    head[16..].copy_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(body);
    out.resize(begin + (HEAD_LEN + body.len()).next_multiple_of(ALIGN), 0);
}

/// The record that begins `bytes`, if there is an intact one and it was written for this position.
pub(crate) fn decode(bytes: &[u8], position: u64, nonce: u64) -> Option<Record<'_>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    if number(head, 16) != head_sum(head, position, nonce) {
        return None;
    }
    let body_len = u32::from_le_bytes(*head.first_chunk()?) as usize;
    let body = rest.get(..body_len)?;
    let len = encoded_len(body_len).filter(|len| *len <= bytes.len())?;
    let bucket = u32::from_le_bytes(*head[4..].first_chunk()?);
    (number(head, 8) == body_sum(body)).then_some(Record { bucket, body, len })
}

fn head_sum(head: &[u8; HEAD_LEN], position: u64, nonce: u64) -> u64 {
    let mut place = *head;
    place[16..].copy_from_slice(&position.to_le_bytes());
    xxh3_64_with_seed(&place, nonce)
}

fn number(head: &[u8; HEAD_LEN], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&head[at..at + 8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_comes_back_at_its_place_only_and_no_flipped_bit_passes(
            bucket in any::<u32>(),
            body in prop::collection::vec(any::<u8>(), 0..40),
            (position, nonce) in any::<(u64, u64)>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            encode(bucket, &body, body_sum(&body), position, nonce, &mut bytes);
            prop_assert_eq!(Some(bytes.len()), encoded_len(body.len()));
            prop_assert_eq!(decode(&bytes, position, nonce), Some(Record { bucket, body: &body, len: bytes.len() }));
            prop_assert_eq!(decode(&bytes, position ^ 8, nonce), None);
            prop_assert_eq!(decode(&bytes, position, nonce ^ 1), None);
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1], position, nonce), None);
            let bit = flip.index((HEAD_LEN + body.len()) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&bytes, position, nonce), None);
        }
    }
}
