//! Core: what the cache tier is told when it is built.

use std::sync::Arc;

use ringway_ports::{ControlLog, Membership, Peers, Placement};

/// Built by the node from flags and files.
#[derive(Clone, Debug)]
pub struct Config {
    /// All that is stored, with what it takes to find it, in bytes. 0: nothing is.
    pub memory_max: u64,
    /// The longest body that is stored, in bytes. Less if `memory_max` is small.
    pub body_max: u64,
}

pub struct Deps {
    pub peers: Arc<dyn Peers>,
    pub membership: Arc<dyn Membership>,
    pub control: Arc<dyn ControlLog>,
    pub placement: Arc<dyn Placement>,
}

pub const MEMORY_MAX_DEFAULT: u64 = 256 << 20;
pub const BODY_MAX_DEFAULT: u64 = 8 << 20;

impl Default for Config {
    fn default() -> Self {
        Self { memory_max: MEMORY_MAX_DEFAULT, body_max: BODY_MAX_DEFAULT }
    }
}
