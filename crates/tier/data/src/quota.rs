//! Core: how many operations a second a bucket may do on this node.
//!
//! The generic cell rate algorithm (ITU-T I.371): one number, the time at which all that was let through would be done at the agreed
//! rate. Who comes too early waits until its turn; who would have to wait too long is told so, and does not push others back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What may be done at once after a while of doing nothing.
const BURST: Duration = Duration::from_millis(500);
/// Who would have to wait longer is refused.
const WAIT_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Quota {
    /// Nanoseconds on the clock of whoever asks.
    done_ns: AtomicU64,
}

/// Too many at once: it is to be tried again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverQuota;

impl Quota {
    /// How long `count` operations have to wait at so many a second.
    pub(crate) fn take(&self, count: usize, per_second: u32, now_ns: u64) -> Result<Duration, OverQuota> {
        let cost = (count as u64).saturating_mul(1_000_000_000) / u64::from(per_second.max(1));
        let (burst, wait_max) = (BURST.as_nanos() as u64, WAIT_MAX.as_nanos() as u64);
        let mut wait = 0;
        let taken = self.done_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |done| {
            let begins = done.max(now_ns.saturating_sub(burst));
            wait = begins.saturating_sub(now_ns);
            (wait <= wait_max).then(|| begins.saturating_add(cost))
        });
        taken.map(|_| Duration::from_nanos(wait)).map_err(|_| OverQuota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_is_let_through_then_the_rate_is_kept() {
        let quota = Quota::default();
        let now = 10 * SECOND;
        assert_eq!(quota.take(50, 100, now), Ok(Duration::ZERO));
        assert_eq!(quota.take(10, 100, now), Ok(Duration::ZERO));
        assert_eq!(quota.take(10, 100, now), Ok(Duration::from_millis(100)));
        assert_eq!(quota.take(10, 100, now + SECOND), Ok(Duration::ZERO));
    }

    #[test]
    fn who_would_have_to_wait_too_long_is_refused_and_costs_nothing() {
        let quota = Quota::default();
        let now = 10 * SECOND;
        assert_eq!(quota.take(1000, 100, now), Ok(Duration::ZERO));
        assert_eq!(quota.take(1, 100, now), Err(OverQuota));
        assert_eq!(quota.take(1, 100, now + 9 * SECOND), Ok(Duration::from_millis(500)));
    }
}
