//! Core: what can be done with one key. Commands of all doors become these; they travel to the key's acting primary.

use bytes::Bytes;
use ringway_ring::{Partition, partition_of};
use serde::{Deserialize, Serialize};

/// Longest key, for what the disk store takes.
pub(crate) const KEY_LEN_MAX: usize = 65_000;
/// Longest value: with its key it has to fit into one message between nodes.
pub(crate) const VALUE_LEN_MAX: usize = 7 << 20;
/// A number, a status, or the text of most errors.
const SHORT_REPLY_LEN: usize = 96;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) key: Bytes,
    pub(crate) action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Get,
    GetDel,
    /// Reads and changes when it expires.
    GetEx(Expiry),
    GetRange {
        first: i64,
        last: i64,
    },
    Set(Set),
    SetRange {
        offset: u32,
        value: Bytes,
    },
    Append(Bytes),
    Add(i64),
    Del,
    Exists,
    Strlen,
    Type,
    /// Milliseconds since 1970.
    ExpireAt {
        at_ms: u64,
        only: Option<ExpireOnly>,
    },
    Persist,
    Ttl(TtlUnit),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Set {
    pub(crate) value: Bytes,
    pub(crate) expiry: Expiry,
    pub(crate) only: Option<SetOnly>,
    /// Answer with the value before.
    pub(crate) get: bool,
    /// SETNX answers with a number.
    pub(crate) as_number: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expiry {
    /// What the bucket says.
    Default,
    Keep,
    Never,
    /// Milliseconds since 1970.
    At(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SetOnly {
    IfMissing,
    IfThere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ExpireOnly {
    WithoutExpiry,
    WithExpiry,
    Later,
    Sooner,
    SoonerWithExpiry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TtlUnit {
    Seconds,
    Millis,
    UnixSeconds,
    UnixMillis,
}

impl Op {
    pub(crate) fn new(key: Bytes, action: Action) -> Self {
        Self { key, action }
    }

    pub(crate) fn set(key: Bytes, value: Bytes, expiry: Expiry) -> Self {
        Self::new(key, Action::Set(Set { value, expiry, only: None, get: false, as_number: false }))
    }

    pub(crate) fn partition(&self) -> Partition {
        partition_of(&self.key)
    }

    /// About how many bytes it takes in a message.
    pub(crate) fn len(&self) -> usize {
        let value = match &self.action {
            Action::Set(set) => set.value.len(),
            Action::Append(value) | Action::SetRange { value, .. } => value.len(),
            _ => 0,
        };
        self.key.len() + value + 48
    }

    /// About how many bytes its reply takes at most.
    pub(crate) fn reply_len_max(&self) -> usize {
        match &self.action {
            Action::Get | Action::GetDel | Action::GetEx(_) | Action::GetRange { .. } => {
                VALUE_LEN_MAX + SHORT_REPLY_LEN
            }
            Action::Set(set) if set.get => VALUE_LEN_MAX + SHORT_REPLY_LEN,
            _ => SHORT_REPLY_LEN,
        }
    }

    /// Whether doing it twice leaves the same as doing it once, so that it may be tried again when no answer came.
    pub(crate) fn is_repeatable(&self) -> bool {
        match &self.action {
            Action::Add(_) | Action::Append(_) | Action::GetDel => false,
            Action::Set(set) => set.only.is_none() && !set.get,
            Action::ExpireAt { only, .. } => only.is_none(),
            _ => true,
        }
    }
}
