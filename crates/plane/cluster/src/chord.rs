//! A node's part in a peer-to-peer ring (`--ring chord`): nobody agrees on who holds what, neighbours find out.
//!
//! The protocol itself is `ringway_ring::chord`, pure. Here its nodes live: a machine hosts several ([`hosted`], core), whose
//! messages among themselves are function calls and to others go over the transport in one frame per peer and turn ([`wire`]).
//! [`driver`] is the one loop; [`enter`] decides how a machine that starts gets into the ring; [`places`] remembers where it
//! stands; [`table`] (core) is what the data tier is told; [`port`] is what others call.
//!
//! What *is* agreed on stays with the control log: who is a member, with which certificate, which buckets and apps there are.
//! See docs/adr/0008 for why.

pub mod driver;
pub mod enter;
pub mod hosted;
pub mod places;
pub mod port;
pub mod table;
pub mod wire;

pub use port::ChordRing;
