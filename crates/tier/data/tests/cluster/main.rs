//! Three data tiers in one process, with stand-ins for the network, gossip and the control log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod cluster_commands;
mod durability;
mod failure;
mod moving;
mod network;
mod rebalance;
mod redirect;
mod redis_door;
mod world;
