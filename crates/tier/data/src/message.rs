//! Core: what data tiers say to one another, in postcard. Both ends are of the same cluster and authenticated.

use std::borrow::Cow;

use bytes::Bytes;
use ringway_protocol::resp::Reply;
use ringway_replication::Cell;
use ringway_ring::{NodeId, PartitionSet};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::op::Op;

/// Parts of a message that may be many are cut at about this size, well below `MESSAGE_MAX`: one more value always fits.
pub(crate) const PART_BYTES_MAX: usize = 1 << 20;

/// To [`ringway_ports::Service::Data`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DataRequest<'a> {
    /// Run these as the acting primary.
    Execute { bucket: Cow<'a, str>, ops: Vec<Cow<'a, Op>>, known: Known },
    /// Merge these; answered when they are as safe as the bucket's storage makes them.
    Replicate { bucket: Cow<'a, str>, cells: Vec<(Bytes, Cell)>, known: Known },
    /// What have you of these keys?
    Fetch { bucket: Cow<'a, str>, keys: Vec<Bytes> },
    /// How many keys have you in each of these partitions?
    Counts { bucket: Cow<'a, str>, partitions: Vec<u16> },
    /// Keys of a partition from a position on.
    Keys { bucket: Cow<'a, str>, partition: u16, from: u64, count: u32 },
    /// In a peer-to-peer ring: run these as their owner or in the stead of these nodes, which do not answer the asker.
    StandIn { of: Vec<NodeId>, bucket: Cow<'a, str>, ops: Vec<Cow<'a, Op>> },
    /// These partitions are executed by the asker since `epoch`. Answered when nothing is being executed here any more that was
    /// begun before.
    Yield { epoch: u64, partitions: PartitionSet },
    /// Which epoch of the ring do you know?
    Epoch,
    /// Do you take all of these for reachable?
    Sees { nodes: Vec<NodeId> },
}

/// What the sender of a message knows of the ring, as far as the message's partitions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The ring's. Whoever knows that a row has changed since refuses: [`DataReply::Stale`].
    pub(crate) epoch: u64,
    /// In which these partitions' rows have changed last. Who does not know as much waits until it does.
    pub(crate) since: u64,
}

impl Known {
    /// Of a message that is right in any epoch: repair, which brings nothing new.
    pub(crate) const ANY: Self = Self { epoch: u64::MAX, since: 0 };
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DataReply {
    /// Maybe fewer than there were ops, if these are large: ask for the others again.
    Executed(Vec<Reply>),
    /// This node does not hold one of the keys: your view of the ring is old, or mine.
    Misdirected,
    /// The holders of one of the partitions have changed, as is known here since this epoch: do as they want it.
    Stale {
        epoch: u64,
    },
    Replicated,
    /// Nothing of before is being executed any more.
    Yielded,
    Epoch(u64),
    Seen(bool),
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
    Digests { bucket: Cow<'a, str>, partitions: Vec<u16>, root: u64, purpose: Purpose },
    /// Cells of these partitions, the first from position `from` on.
    Pages { bucket: Cow<'a, str>, partitions: Vec<u16>, from: u64, purpose: Purpose },
}

/// Why partitions are compared and fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    Repair,
    /// The asker is to hold them, as of this epoch. Who does not know that epoch may still send writes past the asker, so it
    /// first waits until it does.
    Move {
        epoch: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TransferReply {
    Same,
    Digests(Vec<u64>),
    /// `next`: index into the partitions asked for and position at which to go on.
    Pages {
        cells: Vec<(Bytes, Cell)>,
        next: Option<(u32, u64)>,
        /// Clients of the sender wait longer than they use to.
        is_strained: bool,
    },
    /// Others are fetching from this node already: ask again soon.
    Later,
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
