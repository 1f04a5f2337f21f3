//! The one consensus group of the cluster: Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm",
//! 2014) as `openraft` implements it, with the catalog as its state machine.
//!
//! Nothing outside this folder and `control_log` knows the library: the rest sees [`ringway_ports::ControlLog`].
//! [`types`] ties the library's types to ours, [`log_store`] is what it keeps on disk, [`state_machine`] applies what is agreed,
//! [`network`] carries its messages, [`voters`] decides who votes, [`controller`] makes it so, [`group`] starts it all.

pub mod controller;
pub mod group;
pub mod log_store;
pub mod network;
pub mod state_machine;
pub mod types;
pub mod voters;

pub use group::Group;
