//! Driver: runs components, and is the only crate that knows wasmtime.
//!
//! A component is a function for `wasi:http/incoming-handler`: one HTTP request in, one HTTP response out. An [`Engine`]
//! loads it once ([`Engine::load`]: check, compile, cache on disk) and then answers requests with it
//! ([`Engine::handle`]). Every request gets a fresh instance: making one costs microseconds, because the memory comes
//! from a pool that is mapped once, and no request can see what another left behind.
//!
//! A request passes these files: `engine.rs` (a free slot) → `invocation.rs` (instance, deadline, outcome) → `guest.rs`
//! (what the component can reach) → `response_body.rs` (the way back). A deploy passes `engine.rs` → `component.rs` →
//! `code_cache.rs`.
//!
//! **Invariant**: a component reaches nothing of the machine. No files, no sockets, no outgoing requests, no environment
//! but what [`Limits::env`] gives it. Memory, time, log output and host resources are bounded per request.
//!
//! It does *not* decide how many requests a function may have at once, whether a failed one is repeated, or what the
//! client gets to see: that is the app tier's.
//!
//! Contains two `unsafe` blocks: running machine code that was compiled earlier (`code_cache.rs`), and asking the allocator
//! to give memory back after a compilation (`engine.rs`).

mod code_cache;
mod component;
mod engine;
mod error;
mod guest;
mod invocation;
mod log_lines;
mod memory_limit;
mod pool;
mod response_body;

pub use component::Component;
pub use engine::{Config, Engine};
pub use error::{Error, Fault};
pub use invocation::{Limits, Observer, Usage};
pub use log_lines::Stream;
pub use response_body::Body;
