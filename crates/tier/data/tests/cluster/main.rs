//! Three data tiers in one process, with stand-ins for the network, gossip and the control log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod by_hand;
mod client;
mod cluster_commands;
mod durability;
mod failure;
mod large_values;
mod lobby;
mod memcache_door;
mod moving;
mod network;
mod pubsub;
mod rebalance;
mod redirect;
mod redis_door;
mod scripts;
mod transactions;
mod world;
