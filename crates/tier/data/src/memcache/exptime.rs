//! Core: memcached's expiry times.

/// More seconds than this are a time, not a duration.
const DURATION_MAX: i64 = 60 * 60 * 24 * 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    /// Milliseconds since 1970, in the future.
    At(u64),
    /// It has expired already.
    Past,
}

/// Seconds from now; more than 30 days: since 1970; 0: never; negative: at once.
pub(crate) fn expiry(exptime: i64, now_ms: u64) -> Expiry {
    let at_ms = match exptime {
        0 => return Expiry::Never,
        ..0 => return Expiry::Past,
        1..=DURATION_MAX => now_ms.saturating_add(exptime as u64 * 1000),
        _ => (exptime as u64).saturating_mul(1000),
    };
    if at_ms > now_ms { Expiry::At(at_ms) } else { Expiry::Past }
}

/// Whole seconds until then.
pub(crate) fn seconds_left(expires_ms: Option<u64>, now_ms: u64) -> Option<u64> {
    expires_ms.map(|at_ms| at_ms.saturating_sub(now_ms).div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_duration_and_a_second_more_is_a_date() {
        let now_ms = 1_700_000_000_500;
        assert_eq!(expiry(0, now_ms), Expiry::Never);
        assert_eq!(expiry(1, now_ms), Expiry::At(now_ms + 1000));
        assert_eq!(expiry(DURATION_MAX, now_ms), Expiry::At(now_ms + 2_592_000_000));
        assert_eq!(expiry(DURATION_MAX + 1, now_ms), Expiry::Past);
        assert_eq!(expiry(1_700_000_001, now_ms), Expiry::At(1_700_000_001_000));
        assert_eq!(expiry(1_700_000_000, now_ms), Expiry::Past);
        assert_eq!(expiry(-1, now_ms), Expiry::Past);
        assert_eq!(expiry(i64::MAX, now_ms), Expiry::At(u64::MAX));
    }

    #[test]
    fn what_was_just_given_so_many_seconds_has_so_many_left() {
        assert_eq!(seconds_left(Some(30_000), 0), Some(30));
        assert_eq!(seconds_left(Some(30_000), 1), Some(30));
        assert_eq!(seconds_left(Some(30_000), 29_999), Some(1));
        assert_eq!(seconds_left(None, 0), None);
    }
}
