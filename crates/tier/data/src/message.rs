//! Core: what data tiers say to one another, in postcard. Both ends are of the same cluster and authenticated.

use std::borrow::Cow;

use bytes::Bytes;
use ringway_protocol::resp::Reply;
use ringway_replication::Cell;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::op::Op;

/// Parts of a message that may be many are cut at about this size, well below `MESSAGE_MAX`: one more value always fits.
pub(crate) const PART_BYTES_MAX: usize = 1 << 20;

/// To [`ringway_ports::Service::Data`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DataRequest<'a> {
    /// Run these as the acting primary.
    Execute { bucket: Cow<'a, str>, ops: Vec<Cow<'a, Op>> },
    /// Merge these; answered when they are as safe as the bucket's storage makes them.
    Replicate { bucket: Cow<'a, str>, cells: Vec<(Bytes, Cell)> },
    /// What have you of these keys?
    Fetch { bucket: Cow<'a, str>, keys: Vec<Bytes> },
    /// How many keys have you in each of these partitions?
    Counts { bucket: Cow<'a, str>, partitions: Vec<u16> },
    /// Keys of a partition from a position on.
    Keys { bucket: Cow<'a, str>, partition: u16, from: u64, count: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DataReply {
    /// Maybe fewer than there were ops, if these are large: ask for the others again.
    Executed(Vec<Reply>),
    /// This node does not hold one of the keys: your view of the ring is old, or mine.
    Misdirected,
    Replicated,
    Cells(Vec<Option<Cell>>),
    Counts(Vec<u32>),
    Keys {
        keys: Vec<Bytes>,
        next: Option<u64>,
    },
}

/// To [`ringway_ports::Service::Transfer`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TransferRequest<'a> {
    /// `root` is the asker's own [`root_of`] these partitions: if it is the same, no more needs to be said.
    Digests { bucket: Cow<'a, str>, partitions: Vec<u16>, root: u64 },
    /// Cells of these partitions, the first from position `from` on.
    Pages { bucket: Cow<'a, str>, partitions: Vec<u16>, from: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TransferReply {
    Same,
    Digests(Vec<u64>),
    /// `next`: index into the partitions asked for and position at which to go on.
    Pages {
        cells: Vec<(Bytes, Cell)>,
        next: Option<(u32, u64)>,
    },
}

/// One number for many digests.
pub(crate) fn root_of(digests: impl Iterator<Item = u64>) -> u64 {
    digests
        .fold(0x9E37_79B9_7F4A_7C15, |root, digest| (root.rotate_left(5) ^ digest).wrapping_mul(0x517C_C1B7_2722_0A95))
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    postcard::to_allocvec(message).map(Bytes::from).expect("messages are plain data, which postcard always takes")
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    postcard::from_bytes(body)
        .map_err(|error| format!("message is not understood ({error}): do all nodes run the same version?"))
}
