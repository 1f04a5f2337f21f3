//! The admin API and what stands behind it: deploys, the cluster's state gathered from all nodes, the console's files.
//!
//! HTTP/1.1 and JSON under `/v1`, a bearer token for everything but `/v1/health`, the console's own files and, on a loopback
//! listener, `/metrics`. A request is guarded (`guard`), looked up in one table (`router`), and answered by a thin handler of its
//! resource (`resources`); what several nodes have to say is asked of them in parallel with a deadline (`cluster`). The types on
//! the wire are in [`api`], which the command line uses without the rest.
//!
//! **Invariant**: nothing on a request's way through the tiers waits for anything in here.

pub mod api;
pub mod arcs;
mod cluster;
pub mod config;
mod control;
mod error;
mod guard;
mod log_tail;
mod package;
mod peer_messages;
mod peer_service;
mod promises;
mod reply;
mod request;
mod resources;
pub mod ring_plan;
mod ring_state;
mod router;
mod server;
mod upload;

pub use config::{Config, Deps};
pub use control::Control;
pub use error::Error;
pub use peer_messages::{Fetch, PartitionLoad};
