//! Core: bytes to values and back. Each module is one protocol; none does I/O.

pub mod cgi;
#[cfg(test)]
mod dice;
pub mod glob;
pub mod http1;
pub mod lambda;
pub mod memcache;
pub mod resp;
pub mod trace_context;
