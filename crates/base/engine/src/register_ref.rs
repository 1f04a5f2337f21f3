//! Core: how values go into the store and are seen in it, without copies that nobody needs.

use bytes::Bytes;
use ringway_causality::Version;
use ringway_values::{Register, State};

/// A register to be stored.
#[derive(Clone, Debug)]
pub struct RegisterRef<'a> {
    pub version: Version,
    /// `None`: a tombstone.
    pub value: Option<Value<'a>>,
    pub expires_ms: Option<u64>,
}

/// The bytes of a value to be stored.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Copied.
    Slice(&'a [u8]),
    /// Kept as it is, if it is large; it must not be a small part of a large buffer, which would stay in memory unaccounted.
    Shared(Bytes),
}

/// What is stored under a key. Tombstones and what has expired, too.
#[derive(Debug)]
pub enum Seen<'a> {
    Register { version: Version, expires_ms: Option<u64>, value: Option<Stored<'a>> },
    State(&'a State),
}

/// The bytes of a stored value.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// In the entry.
    Inline(&'a [u8]),
    /// Large: cheap to clone, and readable after the lock is gone.
    Shared(&'a Bytes),
}

impl<'a> RegisterRef<'a> {
    pub fn new(version: Version, value: &'a [u8], expires_ms: Option<u64>) -> Self {
        Self { version, value: Some(Value::Slice(value)), expires_ms }
    }

    pub fn tombstone(version: Version) -> Self {
        Self { version, value: None, expires_ms: None }
    }
}

impl Value<'_> {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Value::Slice(bytes) => bytes,
            Value::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Value::Slice(bytes) => Bytes::copy_from_slice(bytes),
            Value::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Stored<'a> {
    pub fn as_slice(self) -> &'a [u8] {
        match self {
            Stored::Inline(bytes) => bytes,
            Stored::Shared(bytes) => bytes,
        }
    }

    pub fn to_bytes(self) -> Bytes {
        match self {
            Stored::Inline(bytes) => Bytes::copy_from_slice(bytes),
            Stored::Shared(bytes) => bytes.clone(),
        }
    }
}

impl Seen<'_> {
    /// What a reader may see at `now_ms`.
    pub fn is_live(&self, now_ms: u64) -> bool {
        match self {
            Seen::Register { expires_ms, value, .. } => value.is_some() && expires_ms.is_none_or(|at| at > now_ms),
            Seen::State(state) => state.is_live(now_ms),
        }
    }

    pub fn expires_ms(&self) -> Option<u64> {
        match self {
            Seen::Register { expires_ms, .. } => *expires_ms,
            Seen::State(state) => state.expires_ms(),
        }
    }

    /// A copy.
    pub fn to_state(&self) -> State {
        match self {
            Seen::Register { version, expires_ms, value } => State::Register(Register {
                version: *version,
                value: value.map(Stored::to_bytes),
                expires_ms: *expires_ms,
                marks: 0,
            }),
            Seen::State(state) => (*state).clone(),
        }
    }

    /// The greatest version in it.
    pub fn latest(&self) -> Version {
        match self {
            Seen::Register { version, .. } => *version,
            Seen::State(state) => state.latest(),
        }
    }
}
