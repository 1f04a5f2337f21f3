//! Core: what a key can hold, and what two replicas make of two states of it. Decides; no I/O, no clock.
//!
//! A [`State`] is a [`Register`] (strings and tombstones), a [`Counter`] or a [`Collection`] (list, hash, set, sorted set). Each is
//! the live data structure that commands read and edit, and a conflict-free replicated data type at once: replicas that have
//! heard the same changes in any order, any number of times, hold the same.
//!
//! Nothing here knows Redis' commands, bytes on the wire or when something has to be sent.

mod body;
mod chunked;
mod code;
mod collection;
mod context;
mod counter;
mod delta;
mod dot;
mod edit;
mod hash;
mod kind;
mod life;
mod list;
mod position;
mod register;
mod set;
mod size_class;
mod slot;
mod sorted_set;
mod state;
mod table;
mod update;

pub use body::Body;
pub use code::Damaged;
pub use collection::Collection;
pub use context::Context;
pub use counter::{Counter, Sum};
pub use delta::{Applied, Change, Delta};
pub use dot::Dot;
pub use edit::Edit;
pub use hash::Hash;
pub use kind::{Kind, WrongKind};
pub use life::Life;
pub use list::List;
pub use position::Position;
pub use register::Register;
pub use set::Set;
pub use size_class::size_class;
pub use sorted_set::{Bound, LexBound, SortedSet};
pub use state::{State, digest_of};
pub use table::set_hash_seed;
pub use update::Update;
