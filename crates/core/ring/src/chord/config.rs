//! Core: the numbers of a ring. All nodes of a ring have the same `successors`; the rest may differ.

use std::time::Duration;

/// How a node maintains its place.
#[derive(Debug, Clone)]
pub struct ChordConfig {
    /// The length L of every successor list, at least 2. The proof needs L + 1 members; a younger ring takes its members from
    /// gossip (`Input::Members`).
    pub successors: usize,
    /// How often a node asks its successor for its state and shows itself to it. Each period is lengthened by up to a quarter, so
    /// that the ring does not do it in step.
    pub stabilise_every: Duration,
    /// How long an answer may take before the question is asked again.
    pub rpc_timeout: Duration,
    /// How many times a question is asked before the peer counts as dead, at least 1.
    pub attempts: u32,
    /// How long points that nobody claims lie idle, before the next node serves them without being sure that nobody stands in between.
    /// At least one period of stabilising (with its quarter) plus `attempts` times `rpc_timeout`, the time in which a death is
    /// noticed: by then whoever is in between has shown itself.
    pub settle: Duration,
    /// Digits of finger tables: 2 is the textbook's, 16 has fewer hops.
    pub finger_base: u32,
    /// How often the next finger is looked up again.
    pub fix_fingers_every: Duration,
    pub hand_over: HandOver,
    /// For jitter. Different for each node.
    pub seed: u64,
}

/// When an arc passes to a new predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOver {
    /// As soon as the newcomer has answered.
    AtOnce,
    /// When the driver says so (`Input::Release`), after it has copied the keys: until then this node goes on owning the arc.
    WhenReleased,
}

impl Default for ChordConfig {
    fn default() -> Self {
        Self {
            successors: 16,
            stabilise_every: Duration::from_secs(1),
            rpc_timeout: Duration::from_millis(300),
            attempts: 4,
            settle: Duration::from_secs(3),
            finger_base: 16,
            fix_fingers_every: Duration::from_secs(1),
            hand_over: HandOver::AtOnce,
            seed: 0,
        }
    }
}
