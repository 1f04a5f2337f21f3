//! Driver: the machine's clocks. Cores are handed their values; nothing else reads them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. May go back when somebody sets the clock: never measure durations with it.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Nanoseconds since 1970, for spans.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// For durations and deadlines.
pub fn now() -> Instant {
    Instant::now()
}
