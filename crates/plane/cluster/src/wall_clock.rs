//! Driver: the wall clock as this component sees it, so that a test can set it wrong.

use ringway_rt::clock;

/// The machine's clock, shifted. The shift is zero outside of tests and chaos experiments.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    pub offset_ms: i64,
}

impl WallClock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        clock::wall_ms().saturating_add_signed(self.offset_ms)
    }
}
