//! Driver: the versions this node gives.

use std::sync::{Mutex, PoisonError};

use ringway_causality::{HybridClock, TooFarAhead, Version};
use ringway_ring::NodeId;
use ringway_rt::clock::wall_ms;

#[derive(Debug)]
pub(crate) struct Clock(Mutex<HybridClock>);

impl Clock {
    pub(crate) fn new(own: NodeId) -> Self {
        Self(Mutex::new(HybridClock::new(own.as_u64())))
    }

    /// For a write that replaces `current`: later than it even if the wall clock was set back since.
    pub(crate) fn next_after(&self, current: Option<&Version>) -> Version {
        let next = self.lock().tick(wall_ms());
        match current {
            Some(current) if *current >= next => {
                let (wall_ms, count) = match current.count.checked_add(1) {
                    Some(count) => (current.wall_ms, count),
                    None => (current.wall_ms + 1, 0),
                };
                Version { wall_ms, count, node: next.node }
            }
            _ => next,
        }
    }

    pub(crate) fn observe(&self, seen: Version) -> Result<(), TooFarAhead> {
        self.lock().observe(seen, wall_ms())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HybridClock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
