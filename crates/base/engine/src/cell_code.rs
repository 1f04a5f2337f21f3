//! Core: cells and keys as bytes on disk.
//!
//! Key: partition (2 bytes, big-endian), position (6 bytes, big-endian), the key itself: sorted as walks go.
//! Value: checksum (8 bytes, of the key and the rest), kind (1), wall time (8), count (2), node (8), expiry (8), the value. All
//! numbers little-endian. The kind's bits: 1 has a value, 2 expires.

use bytes::{Buf, BufMut, Bytes};
use ringway_causality::Version;
use ringway_replication::Cell;
use ringway_ring::Partition;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Error;
use crate::page::{POSITION_BITS, position_of};

const KEY_PREFIX_LEN: usize = 8;
const HEAD_LEN: usize = 8 + 1 + 8 + 2 + 8 + 8;
const HAS_VALUE: u8 = 1;
const EXPIRES: u8 = 2;

pub(crate) fn encode_key(partition: Partition, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(KEY_PREFIX_LEN + key.len());
    out.extend_from_slice(&prefix(partition, position_of(key)));
    out.extend_from_slice(key);
    out
}

/// The first bytes of all keys of `partition` at `position`.
pub(crate) fn prefix(partition: Partition, position: u64) -> [u8; KEY_PREFIX_LEN] {
    ((u64::from(partition.0) << POSITION_BITS) | position).to_be_bytes()
}

/// Where a stored key is, and the key.
pub(crate) fn decode_key(stored: &[u8]) -> Option<(Partition, u64, &[u8])> {
    let (prefix, key) = stored.split_first_chunk::<KEY_PREFIX_LEN>()?;
    let number = u64::from_be_bytes(*prefix);
    Some((Partition((number >> POSITION_BITS) as u16), number & ((1 << POSITION_BITS) - 1), key))
}

pub(crate) fn encode_cell(key: &[u8], cell: &Cell) -> Vec<u8> {
    let value = cell.value.as_deref().unwrap_or_default();
    let mut out = Vec::with_capacity(HEAD_LEN + value.len());
    out.put_u64_le(0);
    out.put_u8((u8::from(cell.value.is_some()) * HAS_VALUE) | (u8::from(cell.expires_ms.is_some()) * EXPIRES));
    out.put_u64_le(cell.version.wall_ms);
    out.put_u16_le(cell.version.count);
    out.put_u64_le(cell.version.node);
    out.put_u64_le(cell.expires_ms.unwrap_or(0));
    out.put_slice(value);
    let sum = checksum(key, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out
}

pub(crate) fn decode_cell(key: &[u8], stored: &[u8]) -> Result<Cell, Error> {
    let damaged = || Error::Damaged(format!("checksum of key {}", key.escape_ascii()));
    let Some((mut head, value)) = stored.split_at_checked(HEAD_LEN) else { return Err(damaged()) };
    if head.get_u64_le() != checksum(key, &stored[8..]) {
        return Err(damaged());
    }
    let kind = head.get_u8();
    let version = Version { wall_ms: head.get_u64_le(), count: head.get_u16_le(), node: head.get_u64_le() };
    let expires_ms = head.get_u64_le();
    Ok(Cell {
        version,
        value: (kind & HAS_VALUE != 0).then(|| Bytes::copy_from_slice(value)),
        expires_ms: (kind & EXPIRES != 0).then_some(expires_ms),
    })
}

fn checksum(key: &[u8], rest: &[u8]) -> u64 {
    xxh3_64_with_seed(rest, xxh3_64(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cell_comes_back_and_any_flipped_bit_is_noticed(
            key in prop::collection::vec(any::<u8>(), 0..20),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            expires_ms in prop::option::of(any::<u64>()),
            numbers in any::<(u64, u16, u64)>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let version = Version { wall_ms: numbers.0, count: numbers.1, node: numbers.2 };
            let cell = Cell { version, value: value.map(Bytes::from), expires_ms };
            let mut stored = encode_cell(&key, &cell);
            prop_assert_eq!(decode_cell(&key, &stored).unwrap(), cell);
            let bit = flip.index(stored.len() * 8);
            stored[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_cell(&key, &stored).is_err());
        }
    }

    #[test]
    fn a_key_knows_its_place() {
        let stored = encode_key(Partition(4095), b"key");
        assert_eq!(decode_key(&stored), Some((Partition(4095), position_of(b"key"), &b"key"[..])));
    }
}
