//! Core: from a key to its place on the ring.
//!
//! `point = CRC16(hash tag) mod 16384 in the first 14 bits, then 50 bits of XXH3 of the whole key`. The slot is that of the
//! Redis Cluster specification ("Key distribution model", "Hash tags"), so that cluster-aware clients compute the same one.

use memchr::memchr;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How many hash slots a Redis Cluster client knows.
pub const SLOT_COUNT: usize = 16384;
/// How many equally spaced virtual nodes a managed ring has: four slots each.
pub const PARTITION_COUNT: usize = 4096;
const SLOTS_PER_PARTITION: u16 = (SLOT_COUNT / PARTITION_COUNT) as u16;
const HASH_BITS: u32 = 50;

/// A Redis Cluster hash slot, 0 to 16383.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u16);

/// A virtual node of the managed ring, 0 to 4095: the unit in which data is placed and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u16);

/// A place on the 64-bit circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point(pub u64);

impl Slot {
    pub const fn partition(self) -> Partition {
        Partition(self.0 / SLOTS_PER_PARTITION)
    }
}

impl Partition {
    pub fn all() -> impl DoubleEndedIterator<Item = Partition> + ExactSizeIterator {
        (0..PARTITION_COUNT as u16).map(Partition)
    }

    /// The first and last slot of this partition.
    pub const fn slots(self) -> (Slot, Slot) {
        let first = self.0 * SLOTS_PER_PARTITION;
        (Slot(first), Slot(first + SLOTS_PER_PARTITION - 1))
    }

    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The last point of this partition: where its virtual node stands.
    pub const fn end(self) -> Point {
        const BITS: u32 = PARTITION_COUNT.trailing_zeros();
        Point(((self.0 as u64) << (u64::BITS - BITS)) | (u64::MAX >> BITS))
    }
}

impl Point {
    pub const fn slot(self) -> Slot {
        Slot((self.0 >> HASH_BITS) as u16)
    }
}

pub fn slot_of(key: &[u8]) -> Slot {
    Slot(crc16(hash_tag(key)) % SLOT_COUNT as u16)
}

pub fn partition_of(key: &[u8]) -> Partition {
    slot_of(key).partition()
}

pub fn point_of(key: &[u8]) -> Point {
    Point((u64::from(slot_of(key).0) << HASH_BITS) | (xxh3_64(key) >> (64 - HASH_BITS)))
}

/// What is between the first `{` and the next `}`, if that is not empty; else the whole key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match memchr(b'}', rest) {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0. Eight bytes at a time (M. Kounavis, F. Berry, "Novel table lookup-based
/// algorithms for high-performance CRC generation", 2008): it is computed of every key of every command.
fn crc16(bytes: &[u8]) -> u16 {
    let mut chunks = bytes.chunks_exact(8);
    let crc = chunks.by_ref().fold(0u16, |crc, chunk| {
        let [high, low] = crc.to_be_bytes();
        let with_crc = [high, low, 0, 0, 0, 0, 0, 0];
        let place = |at: usize| CRC16_TABLES[7 - at][usize::from(chunk[at] ^ with_crc[at])];
        (0..8).fold(0, |sum, at| sum ^ place(at))
    });
    chunks.remainder().iter().fold(crc, |crc, byte| (crc << 8) ^ CRC16_TABLES[0][usize::from((crc >> 8) as u8 ^ byte)])
}

/// Of each byte with so many zeros behind it.
static CRC16_TABLES: [[u16; 256]; 8] = crc16_tables();

const fn crc16_tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut index = 0;
    while index < 256 {
        let (mut crc, mut zeros) = (shifted((index as u16) << 8), 0);
        while zeros < 8 {
            tables[zeros][index] = crc;
            crc = shifted(crc);
            zeros += 1;
        }
        index += 1;
    }
    tables
}

/// By a byte.
const fn shifted(mut crc: u16) -> u16 {
    let mut bit = 0;
    while bit < 8 {
        crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        bit += 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis_cluster() {
        // From `CLUSTER KEYSLOT` of redis-server 7.0.15, and the specification's check value.
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let bit_by_bit = |bytes: &[u8]| bytes.iter().fold(0, |crc, byte| shifted(crc ^ u16::from(*byte) << 8));
        let bytes: Vec<u8> = (0..100u32).map(|number| (number * number * 7 % 251) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..len]), bit_by_bit(&bytes[..len]), "{len} bytes");
        }
        assert_eq!(slot_of(b"foo"), Slot(12182));
        assert_eq!(slot_of(b"somekey"), Slot(11058));
        assert_eq!(slot_of(b"foo{hash_tag}"), Slot(2515));
        assert_eq!(slot_of(b""), Slot(0));
    }

    #[test]
    fn a_hash_tag_decides_unless_it_is_empty() {
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
    }

    #[test]
    fn a_point_begins_with_its_slot_and_its_partition_follows() {
        for key in [&b"a"[..], b"cart:17", b"{x}y", b"\0\xff"] {
            assert_eq!(point_of(key).slot(), slot_of(key));
            let (first, last) = partition_of(key).slots();
            assert!(first <= slot_of(key) && slot_of(key) <= last);
        }
    }
}
