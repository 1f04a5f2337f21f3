//! Core: the types a client can tell apart.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Registers and counters.
    String,
    List,
    Hash,
    Set,
    SortedSet,
}

/// The key holds something of another kind than the command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the key holds a {}", .0.name())]
pub struct WrongKind(pub Kind);

impl Kind {
    /// As `TYPE` answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
        }
    }
}
