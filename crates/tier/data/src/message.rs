//! Core: what data tiers say to one another, in postcard. Both ends are of the same cluster and authenticated.

use std::borrow::Cow;

use bytes::Bytes;
use ringway_ring::{NodeId, PartitionSet};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fan_out::{Said, Tell};
use crate::unit::Unit;

/// Parts of a message that may be many are cut at about this size, well below `MESSAGE_MAX`: one more value always fits.
pub(crate) const PART_BYTES_MAX: usize = 1 << 20;
/// What a message has beside what is long in it.
const MARGIN: usize = 128;

/// To [`ringway_ports::Service::Data`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DataRequest<'a> {
    /// Run these as the acting primary; replies in this version of the Redis protocol.
    Execute { bucket: Cow<'a, str>, units: Vec<Cow<'a, Unit>>, resp: u8, known: Known },
    /// Merge these; answered when they are as safe as the bucket's storage makes them.
    Replicate { bucket: Cow<'a, str>, updates: Vec<Told>, known: Known },
    /// What have you of these keys?
    Fetch { bucket: Cow<'a, str>, keys: Vec<(u16, Bytes)> },
    /// How many keys have you in each of these partitions?
    Counts { bucket: Cow<'a, str>, partitions: Vec<u16> },
    /// Keys of a partition from a position on.
    Keys { bucket: Cow<'a, str>, partition: u16, from: u64, count: u32 },
    /// In a peer-to-peer ring: run these as their owner or in the stead of these nodes, which do not answer the asker.
    StandIn { of: Vec<NodeId>, bucket: Cow<'a, str>, units: Vec<Cow<'a, Unit>>, resp: u8 },
    /// These partitions are executed by the asker since `epoch`. Answered when nothing is being executed here any more that was
    /// begun before.
    Yield { epoch: u64, partitions: PartitionSet },
    /// Say when something is added to one of these keys, or that nothing was for some seconds.
    QueueUp { bucket: Cow<'a, str>, keys: Vec<Bytes> },
    /// A part of a request that is too long for one message, from byte `at` on; the last one is answered as the request.
    Piece { id: u64, at: u64, len: u64, bytes: Bytes },
    /// The part of a long answer from byte `at` on.
    Pull { id: u64, at: u64 },
    /// What all nodes are told or asked about a bucket.
    Tell { bucket: Cow<'a, str>, tell: Tell },
    /// Which epoch of the ring do you know?
    Epoch,
    /// Do you take all of these for reachable?
    Sees { nodes: Vec<NodeId> },
    /// Keys of a partition from a position on, with all that is under them, as they are at one moment.
    Export { bucket: Cow<'a, str>, partition: u16, from: u64, keys_max: u32, bytes_max: u64 },
}

/// A key of a partition and an encoded [`ringway_values::Update`] of it, or a [`ringway_values::State`] where only these travel.
pub(crate) type Told = (u16, Bytes, Bytes);

impl DataRequest<'_> {
    /// About how long it is, as far as that may be much.
    pub(crate) fn len(&self) -> usize {
        match self {
            DataRequest::Execute { units, .. } | DataRequest::StandIn { units, .. } => {
                units.iter().map(|unit| unit.len()).sum()
            }
            DataRequest::Replicate { updates, .. } => {
                updates.iter().map(|(_, key, update)| key.len() + update.len()).sum()
            }
            DataRequest::Tell { tell, .. } => tell.len(),
            _ => 0,
        }
    }

    /// The same, for longer than what it was made of. Nothing long is copied.
    pub(crate) fn to_owned(&self) -> DataRequest<'static> {
        let owned = |name: &Cow<'_, str>| Cow::Owned(name.clone().into_owned());
        let all = |units: &[Cow<'_, Unit>]| units.iter().map(|unit| Cow::Owned(unit.clone().into_owned())).collect();
        match self {
            DataRequest::Execute { bucket, units, resp, known } => {
                DataRequest::Execute { bucket: owned(bucket), units: all(units), resp: *resp, known: *known }
            }
            DataRequest::StandIn { of, bucket, units, resp } => {
                DataRequest::StandIn { of: of.clone(), bucket: owned(bucket), units: all(units), resp: *resp }
            }
            DataRequest::Replicate { bucket, updates, known } => {
                DataRequest::Replicate { bucket: owned(bucket), updates: updates.clone(), known: *known }
            }
            DataRequest::Tell { bucket, tell } => DataRequest::Tell { bucket: owned(bucket), tell: tell.clone() },
            // Others are never long.
            _ => DataRequest::Epoch,
        }
    }
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
    /// Maybe fewer than there were units, if these are large: ask for the others again.
    Executed(Vec<Bytes>),
    /// This node does not hold one of the keys: your view of the ring is old, or mine.
    Misdirected,
    /// The holders of one of the partitions have changed, as is known here since this epoch: do as they want it.
    Stale {
        epoch: u64,
    },
    /// All is merged but these, of which earlier changes are missing here: send the keys whole.
    Replicated {
        gaps: Vec<u32>,
    },
    /// Nothing of before is being executed any more.
    Yielded,
    Epoch(u64),
    Seen(bool),
    Told(bool),
    /// More, please.
    Taken,
    /// The answer is too long for one message: pull its parts.
    Long {
        id: u64,
        len: u64,
    },
    Part(Bytes),
    Said(Said),
    States(Vec<Option<Bytes>>),
    Counts(Vec<u32>),
    Keys {
        keys: Vec<Bytes>,
        next: Option<u64>,
    },
    /// Each with its encoded [`ringway_values::State`].
    Exported {
        states: Vec<(Bytes, Bytes)>,
        next: Option<u64>,
    },
}

impl DataReply {
    /// About how long it is, as far as that may be much.
    pub(crate) fn len(&self) -> usize {
        match self {
            DataReply::Executed(replies) => replies.iter().map(Bytes::len).sum(),
            DataReply::States(states) => states.iter().flatten().map(Bytes::len).sum(),
            DataReply::Exported { states, .. } => states.iter().map(|(key, state)| key.len() + state.len()).sum(),
            DataReply::Keys { keys, .. } => keys.iter().map(Bytes::len).sum(),
            DataReply::Part(part) => part.len(),
            _ => 0,
        }
    }
}

/// To [`ringway_ports::Service::Transfer`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TransferRequest<'a> {
    /// `root` is the asker's own [`root_of`] these partitions: if it is the same, no more needs to be said.
    Digests { bucket: Cow<'a, str>, partitions: Vec<u16>, root: u64, purpose: Purpose },
    /// What is stored of these partitions, the first from position `from` on.
    Pages { bucket: Cow<'a, str>, partitions: Vec<u16>, from: u64, purpose: Purpose },
    /// The digests of so many equal ranges of positions of one partition.
    Ranges { bucket: Cow<'a, str>, partition: u16, ranges: u16 },
    /// What is stored of a partition in a range of positions.
    Range { bucket: Cow<'a, str>, partition: u16, from: u64, until: u64 },
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
        states: Vec<Told>,
        next: Option<(u32, u64)>,
        /// Clients of the sender wait longer than they use to.
        is_strained: bool,
    },
    /// Others are fetching from this node already: ask again soon.
    Later,
    /// The answer is too long for one message: pull its parts.
    Long {
        id: u64,
        len: u64,
    },
}

impl TransferReply {
    /// About how long it is, as far as that may be much.
    pub(crate) fn len(&self) -> usize {
        match self {
            TransferReply::Pages { states, .. } => states.iter().map(|(_, key, state)| key.len() + state.len()).sum(),
            _ => 0,
        }
    }
}

/// One number for many digests.
pub(crate) fn root_of(digests: impl Iterator<Item = u64>) -> u64 {
    digests
        .fold(0x9E37_79B9_7F4A_7C15, |root, digest| (root.rotate_left(5) ^ digest).wrapping_mul(0x517C_C1B7_2722_0A95))
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    encode_long(message, 0)
}

/// What is about so long: its buffer need not grow, which would copy it again.
pub(crate) fn encode_long<T: Serialize>(message: &T, len: usize) -> Bytes {
    let buffer = Vec::with_capacity(len + len / 64 + MARGIN);
    postcard::to_extend(message, buffer).map(Bytes::from).expect("messages are plain data, which postcard always takes")
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    postcard::from_bytes(body)
        .map_err(|error| format!("message is not understood ({error}): do all nodes run the same version?"))
}
