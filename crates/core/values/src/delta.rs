//! Core: what one command changed in one collection, for the other replicas.
//!
//! Much smaller than the collection. In return it can only be applied by who has seen what its writer had seen (delta intervals:
//! Almeida, Shoker, Baquero, "Delta state replicated data types", 2018); whoever has a gap gets the whole state.

use bytes::Bytes;
use ringway_causality::Version;

use crate::{Context, Kind, Position};

#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// What the writer had seen before.
    pub before: Context,
    /// The command: all that it wrote has this one version.
    pub at: Version,
    pub floor: Version,
    /// Of what was put, if anything was.
    pub kind: Kind,
    pub changes: Vec<Change>,
    /// When it expires from now on, if the command said so.
    pub expires_ms: Option<Option<u64>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// All that the writer had seen is gone.
    Clear,
    Field {
        field: Box<[u8]>,
        value: Box<[u8]>,
    },
    Member(Box<[u8]>),
    Score {
        member: Box<[u8]>,
        score: f64,
    },
    Item {
        position: Position,
        value: Bytes,
    },
    /// A field or member.
    Gone(Box<[u8]>),
    ItemGone(Position),
}

/// What came of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Changed,
    /// It had been applied before, or something later has replaced it.
    Known,
    /// Something that its writer had seen is missing here: nothing changed, send the whole state.
    Gap,
}

impl Change {
    /// About how many bytes it has when it is encoded.
    pub(crate) fn len(&self) -> usize {
        let own = match self {
            Change::Clear | Change::ItemGone(_) => 0,
            Change::Field { field, value } => field.len() + value.len(),
            Change::Member(member) | Change::Score { member, .. } | Change::Gone(member) => member.len(),
            Change::Item { value, .. } => value.len(),
        };
        own + size_of::<Position>()
    }

    pub(crate) fn is_put(&self) -> bool {
        !matches!(self, Change::Clear | Change::Gone(_) | Change::ItemGone(_))
    }
}
