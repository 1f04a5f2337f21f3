//! The app tier with real processes: scripts, services and functions, good ones and bad ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cgi;
mod isolation;
mod lambda;
mod services;
mod site;
mod wasm;
