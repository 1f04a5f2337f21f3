//! Core: logical time. What happened before what, without asking whose wall clock is right.

mod version;

pub use version::{DRIFT_MAX_MS, TooFarAhead, Version};
