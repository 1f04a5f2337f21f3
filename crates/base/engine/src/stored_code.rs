//! Core: what a bucket on disk holds, as bytes in the database and in the log.
//!
//! Key in the database: bucket (4 bytes), partition (2), position (6), all big-endian, the key itself: sorted as walks go.
//! Value: checksum (8 bytes, of the key and the rest), form (1), the rest. Registers, which is nearly everything, have a form of
//! their own that is made without building a [`State`]: 1 has a value, 2 expires; time (8), node (8), expiry (8), the value. All
//! else is what `ringway_values` encodes. All numbers little-endian.
//!
//! A note in the log: what happened (1), partition (2), length of the key (2), the key, and the change in the same forms.

use bytes::{Buf, BufMut, Bytes};
use ringway_causality::Version;
use ringway_ring::{PARTITION_COUNT, Partition};
use ringway_values::{Delta, Register, State, Update};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Error;
use crate::page::{POSITION_BITS, position_of};
use crate::register_ref::{RegisterRef, Seen, Stored, Value};

const BUCKET_LEN: usize = 4;
const KEY_PREFIX_LEN: usize = BUCKET_LEN + 8;
const SUM_LEN: usize = 8;
/// What the database takes as a key, less our prefix.
pub(crate) const STORED_KEY_LEN_MAX: usize = u16::MAX as usize - KEY_PREFIX_LEN;

const HAS_VALUE: u8 = 1;
const EXPIRES: u8 = 2;
const STATE: u8 = 4;
const DELTA: u8 = 5;

const CHANGED: u8 = 1;
const PARTITION_DROPPED: u8 = 2;

/// What a log record of a bucket says.
#[derive(Debug)]
pub(crate) enum Note<'a> {
    Changed { partition: Partition, key: &'a [u8], update: Update },
    PartitionDropped(Partition),
}

/// A change of one key, as it is at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    Register(&'a RegisterRef<'a>),
    Delta(&'a Delta),
    Seen(&'a Seen<'a>),
    State(&'a State),
}

pub(crate) fn encode_key(bucket: u32, partition: Partition, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(KEY_PREFIX_LEN + key.len());
    out.extend_from_slice(&prefix(bucket, partition, position_of(key)));
    out.extend_from_slice(key);
    out
}

/// The first bytes of all keys of `partition` at `position`.
pub(crate) fn prefix(bucket: u32, partition: Partition, position: u64) -> [u8; KEY_PREFIX_LEN] {
    let mut prefix = [0; KEY_PREFIX_LEN];
    prefix[..BUCKET_LEN].copy_from_slice(&bucket.to_be_bytes());
    let place = (u64::from(partition.0) << POSITION_BITS) | position;
    prefix[BUCKET_LEN..].copy_from_slice(&place.to_be_bytes());
    prefix
}

/// Where a stored key is, and the key.
pub(crate) fn decode_key(stored: &[u8]) -> Option<(Partition, u64, &[u8])> {
    let (place, key) = stored.get(BUCKET_LEN..)?.split_first_chunk()?;
    let place = u64::from_be_bytes(*place);
    let partition = Partition((place >> POSITION_BITS) as u16);
    (partition.index() < PARTITION_COUNT).then_some((partition, place & ((1 << POSITION_BITS) - 1), key))
}

pub(crate) fn encode_seen(key: &[u8], seen: &Seen<'_>) -> Vec<u8> {
    let mut out = vec![0; SUM_LEN];
    put_seen(seen, &mut out);
    let sum = checksum(key, &out[SUM_LEN..]);
    out[..SUM_LEN].copy_from_slice(&sum.to_le_bytes());
    out
}

pub(crate) fn decode_state(key: &[u8], stored: &[u8]) -> Result<State, Error> {
    let damaged = |what: &str| Error::Damaged(format!("{what} of key {}", key.escape_ascii()));
    let (sum, rest) = stored.split_first_chunk::<SUM_LEN>().ok_or_else(|| damaged("length"))?;
    if u64::from_le_bytes(*sum) != checksum(key, rest) {
        return Err(damaged("checksum"));
    }
    match take_update(rest) {
        Some(Update::State(state)) => Ok(state),
        _ => Err(damaged("form")),
    }
}

pub(crate) fn encode_change(partition: Partition, key: &[u8], change: Change<'_>, out: &mut Vec<u8>) {
    out.put_u8(CHANGED);
    out.put_u16_le(partition.0);
    out.put_u16_le(key.len() as u16);
    out.put_slice(key);
    match change {
        Change::Register(RegisterRef { version, value, expires_ms }) => {
            put_register(*version, value.as_ref().map(Value::as_slice), *expires_ms, out);
        }
        Change::Seen(seen) => put_seen(seen, out),
        Change::State(state) => put_state(state, out),
        Change::Delta(delta) => {
            out.put_u8(DELTA);
            delta.encode(out);
        }
    }
}

pub(crate) fn encode_partition_dropped(partition: Partition) -> Vec<u8> {
    let mut out = vec![PARTITION_DROPPED];
    out.put_u16_le(partition.0);
    out
}

pub(crate) fn decode_note(mut body: &[u8]) -> Option<Note<'_>> {
    match body.try_get_u8().ok()? {
        CHANGED => {
            let partition = take_partition(&mut body)?;
            let key_len = body.try_get_u16_le().ok()?;
            let (key, rest) = body.split_at_checked(key_len.into())?;
            Some(Note::Changed { partition, key, update: take_update(rest)? })
        }
        PARTITION_DROPPED => take_partition(&mut body).map(Note::PartitionDropped),
        _ => None,
    }
}

fn take_partition(bytes: &mut &[u8]) -> Option<Partition> {
    let number = bytes.try_get_u16_le().ok()?;
    (usize::from(number) < PARTITION_COUNT).then_some(Partition(number))
}

fn put_register(version: Version, value: Option<&[u8]>, expires_ms: Option<u64>, out: &mut Vec<u8>) {
    out.reserve(25 + value.map_or(0, <[u8]>::len));
    out.put_u8((u8::from(value.is_some()) * HAS_VALUE) | (u8::from(expires_ms.is_some()) * EXPIRES));
    out.put_u64_le(version.time());
    out.put_u64_le(version.node);
    if let Some(expires_ms) = expires_ms {
        out.put_u64_le(expires_ms);
    }
    out.put_slice(value.unwrap_or_default());
}

fn put_seen(seen: &Seen<'_>, out: &mut Vec<u8>) {
    match seen {
        Seen::Register { version, expires_ms, value } => {
            put_register(*version, value.map(Stored::as_slice), *expires_ms, out);
        }
        Seen::State(state) => put_state(state, out),
    }
}

fn put_state(state: &State, out: &mut Vec<u8>) {
    if let State::Register(Register { version, value, expires_ms, marks: 0 }) = state {
        return put_register(*version, value.as_deref(), *expires_ms, out);
    }
    out.put_u8(STATE);
    state.encode(out);
}

fn take_update(mut bytes: &[u8]) -> Option<Update> {
    let form = bytes.try_get_u8().ok()?;
    match form {
        STATE => return Some(Update::State(State::decode(bytes).ok()?)),
        DELTA => return Some(Update::Delta(Delta::decode(bytes).ok()?)),
        0..=3 => {}
        _ => return None,
    }
    let version = Version::from_time(bytes.try_get_u64_le().ok()?, bytes.try_get_u64_le().ok()?);
    let expires_ms = if form & EXPIRES != 0 { Some(bytes.try_get_u64_le().ok()?) } else { None };
    let value = (form & HAS_VALUE != 0).then(|| Bytes::copy_from_slice(bytes));
    Some(Update::State(State::Register(Register { version, value, expires_ms, marks: 0 })))
}

fn checksum(key: &[u8], rest: &[u8]) -> u64 {
    xxh3_64_with_seed(rest, xxh3_64(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn register() -> impl Strategy<Value = Register> {
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
        (any::<(u64, u64)>(), value, any::<Option<u64>>()).prop_map(|((time, node), value, expires_ms)| Register {
            version: Version::from_time(time, node),
            value: value.map(Bytes::from),
            expires_ms,
            marks: 0,
        })
    }

    proptest! {
        #[test]
        fn a_register_comes_back_and_any_flipped_bit_is_noticed(
            key in prop::collection::vec(any::<u8>(), 0..20),
            register in register(),
            flip in any::<prop::sample::Index>(),
        ) {
            let Register { version, value, expires_ms, .. } = &register;
            let value = value.as_deref().map(Stored::Inline);
            let mut stored = encode_seen(&key, &Seen::Register { version: *version, expires_ms: *expires_ms, value });
            let state = State::Register(register);
            prop_assert_eq!(&encode_seen(&key, &Seen::State(&state)), &stored);
            prop_assert_eq!(format!("{:?}", decode_state(&key, &stored).unwrap()), format!("{state:?}"));
            prop_assert!(decode_state(b"another", &stored).is_err());
            let bit = flip.index(stored.len() * 8);
            stored[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_state(&key, &stored).is_err());
        }

        #[test]
        fn a_note_of_a_change_comes_back_and_nothing_else_is_taken_for_one(
            key in prop::collection::vec(any::<u8>(), 0..20),
            register in register(),
            noise in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = Vec::new();
            let state = State::Register(register);
            encode_change(Partition(7), &key, Change::State(&state), &mut body);
            let Some(Note::Changed { partition, key: found, update: Update::State(read) }) = decode_note(&body) else {
                panic!("no change");
            };
            prop_assert_eq!((partition, found), (Partition(7), &key[..]));
            prop_assert_eq!(format!("{read:?}"), format!("{state:?}"));
            decode_note(&noise);
        }
    }

    #[test]
    fn a_key_knows_its_place() {
        let stored = encode_key(7, Partition(4095), b"key");
        assert_eq!(decode_key(&stored), Some((Partition(4095), position_of(b"key"), &b"key"[..])));
    }
}
