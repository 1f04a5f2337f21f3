//! Core: logical time. What happened before what, without asking whose wall clock is right.

mod hlc;

pub use hlc::{DRIFT_MAX_MS, HybridClock, TooFarAhead, Version};
