//! The cores together, in virtual time: services that are modelled, clients that come at random, and nothing that sleeps.

mod balancing;
mod overload;
mod server;
mod shedding;
