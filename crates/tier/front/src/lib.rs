//! The front-end tier: every node has one, and any of them answers for any app.
//!
//! The way of a request, one file each: [`worker`](crate::Front) accepts it on one of N threads, `intake` checks its head,
//! hyper reads it, `service` finds the route, then `static_files` answers, `dispatch` hands it to the app tier, or `proxy`
//! forwards it to an instance, on this node first. `respond` is the one place where a fault becomes an answer.
//!
//! Threads share nothing that is written on the way of a request: they see the routes as an immutable snapshot, and each has
//! its own listener and its own connections to instances and peers.
//!
//! What is *not* here: a cache, sessions, certificates from an authority, and a short cut around hyper for hot files. The last
//! would sit in `intake`, which sees every complete head before hyper does.

mod balance;
mod bodies;
mod conditional;
mod config;
mod connection;
mod connection_state;
mod dispatch;
mod encoding;
mod error;
mod exchange;
mod fault;
mod file_body;
mod framing;
mod front;
mod gate;
mod headers;
mod intake;
mod meters;
mod path;
mod proxy;
mod respond;
mod routes;
mod service;
mod socket;
mod static_files;
mod tls;
mod tunnel;
mod upstream;
mod worker;

pub use config::{Config, Limits, TlsConfig};
pub use error::Error;
pub use front::{Deps, Front};
