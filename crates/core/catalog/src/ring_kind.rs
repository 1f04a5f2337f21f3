//! Core: how a cluster finds out which node holds which part of the ring. Chosen when it is founded, for good.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Virtual nodes that each node claims where nothing else is said.
pub const VNODES_DEFAULT: u8 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingKind {
    /// The consensus group agrees on a layout.
    #[default]
    Managed,
    /// Peer to peer: nodes claim virtual nodes, Chord's maintenance decides. There is no layout then: it stays empty.
    Chord { vnodes: u8 },
}

impl RingKind {
    pub const fn is_chord(self) -> bool {
        matches!(self, Self::Chord { .. })
    }

    /// Places on the circle that each node claims; none in a managed ring.
    pub const fn vnodes(self) -> u8 {
        match self {
            Self::Managed => 0,
            Self::Chord { vnodes } => vnodes,
        }
    }
}

impl fmt::Display for RingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Managed => "managed",
            Self::Chord { .. } => "chord",
        })
    }
}
