//! Who is reachable: SWIM (Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership
//! Protocol", 2002) as `foca` implements it, over the authenticated peer connections instead of UDP.
//!
//! Like a round of people who keep asking each other "are you there?", and before they give somebody up, ask others to ask. It says
//! who answers; who *belongs* to the cluster is the catalog's business, and so are addresses.

pub mod codec;
pub mod driver;
pub mod identity;
pub mod timings;

pub use driver::Swim;
