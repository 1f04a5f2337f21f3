//! A live node among others: identity, joining, transport, membership, the consensus group that holds the catalog, and blobs.
//!
//! [`Cluster`] builds it all and hands out five ports: `Peers`, `Membership`, `ControlLog`, `Blobs` and `Ring`. One node is a group of
//! one and runs the same code. The parts know each other only downhill:
//!
//! ```text
//!   cluster (builder) ─ join_cluster ─ control_log ─ consensus ─ blob_store ─ swim ─ transport ─ roster ─ certificates, identity
//! ```
//!
//! **Invariant**: nothing but the joining handshake is ever exchanged with a peer whose certificate has not been checked.

pub mod blob_store;
pub mod certificates;
pub mod chord;
pub mod cluster;
pub mod consensus;
pub mod control_log;
pub mod error;
pub mod identity;
pub mod join_cluster;
pub mod lookup;
pub mod roster;
pub mod swim;
pub mod token;
pub mod transport;
pub mod wall_clock;

pub use cluster::{Cluster, Config, NodeWish};
pub use error::Error;
pub use lookup::LiveLookups;
pub use token::{Token, TokenError};
pub use wall_clock::WallClock;
