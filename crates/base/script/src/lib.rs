//! Driver: runs Redis scripts (`EVAL`, `EVALSHA`) as Redis 7 runs them.
//!
//! A [`Library`] keeps the scripts' bodies by the SHA-1 of their text; it is shared. A [`ScriptHost`] is one Lua 5.1 state with the
//! functions compiled from them; each thread has its own and reuses it. [`ScriptHost::run`] is handed a [`Caller`], which executes
//! the commands that the script asks for, and writes the script's answer behind what is in the buffer.
//!
//! A script passes these files: `library.rs` (body, SHA-1, flags) → `host.rs` (compiled, run, ended) → `redis_api.rs` (`redis.call`
//! and what is beside it) → `from_reply.rs` and `to_reply.rs` (between the protocol and Lua). What scripts find there besides
//! `redis`: `cjson.rs`, `cmsgpack.rs`, `structs.rs`, `bits.rs`, and Lua's own string, table and math libraries with the holes
//! closed (`sandbox.rs`, `strings.rs`, `tables.rs`). Texts of errors are Redis' to the letter, because clients read them.
//!
//! Two things are not as in Redis, on purpose. A script that runs too long is ended ([`Limits::run_time`]): it holds the lock of
//! its keys, and here nobody is there to type `SCRIPT KILL`. What it wrote until then stays, as after a `SCRIPT KILL` in Redis it
//! could not. And what a script does to the settings of `cjson` ends with the script.
//!
//! **Invariant**: a script leaves nothing behind but what it wrote with commands. No globals, no changed libraries (all tables that
//! scripts share are read-only proxies), no open coroutine, no finalizer (userdata cannot be made).
//!
//! **Invariant**: no value with a destructor is alive on the Rust stack while a function of the interpreter is called that can raise
//! an error. Errors are long jumps (C's, over Rust's frames); a destructor jumped over would never run. Buffers that outlive
//! a call are in [`context::Context`] or belong to the interpreter ([`text::Text`]).
//!
//! Contains `unsafe` nearly everywhere: it speaks to the interpreter in C, through `mlua-sys`, the raw half of the `mlua` crate.
//! `mlua` itself hands errors to scripts as userdata, which Redis' scripts would see.

// Each body is calls of C functions from top to bottom; a block around each would say nothing.
#![allow(unsafe_op_in_unsafe_fn)]

mod bits;
mod budget;
mod caller;
mod cjson;
mod cmsgpack;
mod context;
mod coroutines;
mod deadline;
mod error;
mod from_reply;
mod host;
mod library;
mod limits;
mod lua;
mod number_text;
mod pattern;
mod random;
mod redis_api;
mod sandbox;
mod sha;
mod shebang;
mod strings;
mod structs;
mod tables;
mod text;
mod to_reply;

pub use caller::{Caller, LogLevel};
pub use error::Error;
pub use host::{Input, ScriptHost};
pub use library::{Library, Script};
pub use limits::Limits;
pub use sha::Sha;
pub use shebang::Flags;
