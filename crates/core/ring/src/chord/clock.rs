//! Core: the time that a node has lived through, which is not what clocks say.

use std::time::Duration;

/// Goes on with the driver's clock, but neither back nor, after a leap (a suspended machine, a clock that was set), far ahead at once:
/// no timer ends because of a leap alone.
#[derive(Debug, Clone)]
pub struct Clock {
    outer: Option<Duration>,
    lived: Duration,
    step_max: Duration,
}

impl Clock {
    pub fn new(step_max: Duration) -> Self {
        Self { outer: None, lived: Duration::ZERO, step_max }
    }

    /// Whether the clock has leapt ahead: we may have been away.
    pub fn advance(&mut self, outer: Duration) -> bool {
        let step = self.outer.map_or(Duration::ZERO, |before| outer.saturating_sub(before));
        self.outer = Some(outer);
        self.lived += step.min(self.step_max);
        step > self.step_max
    }

    pub fn lived(&self) -> Duration {
        self.lived
    }

    /// When the driver's clock will show that `lived` has come.
    pub fn outer_at(&self, lived: Duration) -> Duration {
        self.outer.unwrap_or_default() + lived.saturating_sub(self.lived)
    }
}
