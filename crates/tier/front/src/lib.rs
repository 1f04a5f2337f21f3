//! The front-end tier: every node has one, and any of them answers for any app.
//!
//! The way of a request, one file each: [`worker`](crate::Front) accepts it on one of N threads, `http1` or `http2` reads it and may
//! have its answer at hand (`hot`), `service` finds the route, then `static_files` answers, `dispatch` hands it to the app tier, or
//! `proxy` forwards it to an instance, on this node first (`upstream`). `respond` is the one place where a fault becomes an answer.
//!
//! Threads share nothing that is written on the way of a request: they see the routes as an immutable snapshot, and each has
//! its own listener and its own connections to instances and peers.
//!
//! What is *not* here: what the cache decides (`cached` only carries it out), sessions, certificates from a public authority.

mod balance;
mod bodies;
mod cached;
mod claim;
mod conditional;
mod config;
mod connection;
mod connection_state;
mod dispatch;
mod encoding;
mod error;
mod exchange;
mod explain;
mod fault;
mod file_body;
mod front;
mod headers;
mod hot;
mod http1;
mod http2;
mod meters;
mod multipart;
mod outbox;
mod outgoing_body;
mod path;
mod pieces;
mod proxy;
mod purge;
mod ranges;
mod rate_gate;
mod respond;
mod routes;
mod service;
mod socket;
mod static_files;
mod tls;
mod upstream;
mod worker;

pub use config::{Config, HOT_BYTES_MAX, Limits, TlsConfig};
pub use error::Error;
pub use front::{Deps, Front};
