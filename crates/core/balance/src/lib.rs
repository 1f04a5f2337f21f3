//! Core: which endpoint gets a request, whether any should, and what to do when it fails. Decides; no I/O, no clock.
//!
//! | question | who answers |
//! |---|---|
//! | who serves, how well, who is chosen? | [`endpoints`] with [`endpoint`], [`choose`], [`hash_ring`], [`sticky`] |
//! | who is broken? | [`outlier`] (by its answers), [`health`] (by asking) |
//! | it failed: again? | [`retry`], [`retry_budget`] |
//! | it is slow: a second one beside it? | [`hedge`] |
//! | is the service as a whole worth asking? | [`breaker`] |
//! | how many at once? | [`concurrency_limit`], and [`admission`] for those who wait |
//! | can this node still keep up? | [`load_shed`] |
//! | does this client ask too much? | [`rate_limit`], and [`rate_share`] between nodes |
//!
//! Times are `now`, the time since any fixed moment; randomness is a number that is handed in.

pub mod admission;
pub mod breaker;
pub mod choose;
pub mod concurrency_limit;
pub mod draws;
pub mod endpoint;
pub mod endpoints;
pub mod hash_ring;
pub mod health;
pub mod hedge;
pub mod load_shed;
pub mod outlier;
pub mod peak_ewma;
pub mod quantile;
pub mod rate_limit;
pub mod rate_share;
pub mod retry;
pub mod retry_budget;
pub mod siphash;
pub mod sticky;
pub mod window;

pub use endpoint::{Condition, Endpoint, EndpointId, Outcome, Rank};
pub use endpoints::{Ask, Choice, Endpoints, Strategy};
pub use siphash::Key;
pub use sticky::Sticky;
