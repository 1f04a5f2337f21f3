//! Core: what scripts may use.

use std::time::Duration;

/// Bounds of one [`crate::ScriptHost`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Lua's memory: values of the running script, compiled functions, and garbage not yet collected.
    pub memory_bytes: usize,
    /// A script is ended after this time. Redis only begins to answer others with BUSY then (`busy-reply-threshold`).
    pub run_time: Duration,
    /// An answer larger than this becomes an error.
    pub reply_bytes: usize,
    /// Compiled functions that are kept.
    pub functions: usize,
    /// What scripts take this for (`redis.REDIS_VERSION`).
    pub redis_version: [u8; 3],
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            run_time: Duration::from_secs(5),
            reply_bytes: 128 << 20,
            functions: 500,
            redis_version: [7, 0, 15],
        }
    }
}
