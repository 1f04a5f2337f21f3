//! Core: one node of a world: its core, and what befalls it.

use std::time::Duration;

use ringway_ring::chord::{ChordNode, KeyArc};

/// What a node's clock shows when the world begins: clocks can be put back without becoming negative.
const CLOCK_START: Duration = Duration::from_secs(1_000_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Told to leave, and still answering.
    Leaving,
    /// Crashed, or stopped after leaving.
    Gone,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) core: ChordNode,
    /// Which life of its identity the core believes to live.
    pub(super) incarnation: u64,
    pub(super) phase: Phase,
    /// Grows with every stop: what was planned for an earlier life does not happen.
    pub(super) life: u32,
    /// What the clock shows before `CLOCK_START` is what the world's shows.
    clock_at_start: Duration,
    pub(super) paused_until: Duration,
    /// Which side of a cut it is on.
    pub(super) group: usize,
    pub(super) gone_at: Duration,
    pub(super) wake_at: Option<Duration>,
    /// As the ledger has it.
    pub(super) arc: Option<KeyArc>,
}

impl Machine {
    pub(super) fn new(core: ChordNode, incarnation: u64) -> Self {
        Self {
            core,
            incarnation,
            phase: Phase::Running,
            life: 0,
            clock_at_start: CLOCK_START,
            paused_until: Duration::ZERO,
            group: 0,
            gone_at: Duration::ZERO,
            wake_at: None,
            arc: None,
        }
    }

    /// What this node's clock shows.
    pub(super) fn clock(&self, now: Duration) -> Duration {
        self.clock_at_start + now
    }

    /// When this node's clock will show that.
    pub(super) fn world_time(&self, clock: Duration) -> Duration {
        clock.saturating_sub(self.clock_at_start)
    }

    pub(super) fn put_clock(&mut self, forward: Duration, back: Duration) {
        self.clock_at_start = (self.clock_at_start + forward).saturating_sub(back);
    }
}
