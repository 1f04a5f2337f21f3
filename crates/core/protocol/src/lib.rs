//! Core: bytes to values and back. Each module is one protocol; none does I/O.

pub mod cgi;
pub mod lambda;
pub mod resp;
pub mod trace_context;
