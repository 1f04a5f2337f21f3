//! The front end through real sockets, with stand-ins for the app tier, the cluster and the control log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apps;
mod bad_input;
mod connections;
mod forwarding;
mod h2_floods;
mod hot;
mod lifecycle;
mod protocols;
mod stage;
mod static_files;
