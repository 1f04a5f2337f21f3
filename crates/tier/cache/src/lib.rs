//! The cache tier: HTTP responses in memory, kept and used by RFC 9111, forgotten everywhere when somebody says so.
//!
//! It never fetches. The front end asks ([`ringway_ports::HttpCache`]), performs what it is told to fetch, and hands in what came.
//!
//! ```text
//! look_up ─► part (of 16, by address) ─► store: fresh? ─► Hit
//!                                     │         stale but granted? ─► Stale, and a Fetch for one
//!                                     ├► marks: not cacheable lately? ─► Bypass
//!                                     ├► flights: somebody fetches it? ─► Wait
//!                                     └► Miss: a Fetch, to the owner on the ring or to the app
//! Fetch ─► answered ─► policy: stored? ─► shared body: the client, those who wait, and the store read it
//! ```
//!
//! An address has an owner on the ring: the first reachable holder of its point. The others ask its front end, and what they keep of
//! its answers (near copies) ages as in any HTTP cache. A purge goes to all nodes, twice: a node that forgot before the owner did
//! could have got the old answer once more. Who could not be reached asks for what it missed when it is back.
//!
//! **Invariant**: what began to be fetched before a purge of it is not stored after it.

pub mod config;
mod directives;
mod entry;
mod error;
mod explain;
mod fetching;
mod flight;
mod look_up;
mod marks;
mod message;
mod meters;
mod outbox;
mod owner;
mod part;
mod peer_door;
mod policy;
mod presence;
mod purge_log;
mod purging;
mod queues;
mod shared_body;
mod store;
mod tags;
mod targeted;
#[cfg(test)]
mod testing;
mod tier;

pub use config::{Config, Deps};
pub use error::Error;
pub use tier::CacheTier;
