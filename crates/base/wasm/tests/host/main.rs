//! Real components through the real engine: `fixtures/guest.wasm` behaves as its path says (source in `fixtures/guest/`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod host;

mod ending;
mod loading;
mod price;
mod reach;
mod serving;
