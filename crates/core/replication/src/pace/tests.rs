use super::*;

const MIB: u64 = 1 << 20;

/// Fetches chunks of 1 MiB for so long; bytes a second.
fn run(pace: &mut Pace, from: Duration, seconds: u64, is_strained: bool) -> u64 {
    let (mut now, mut bytes) = (from, 0);
    while now < from + Duration::from_secs(seconds) {
        now += pace.note(now, MIB, is_strained).max(Duration::from_micros(100));
        bytes += MIB;
    }
    bytes / seconds
}

#[test]
fn the_limit_is_kept() {
    let rate = run(&mut Pace::new(64 * MIB), Duration::ZERO, 10, false);
    assert!((62 * MIB..=66 * MIB).contains(&rate), "{rate}");
}

#[test]
fn a_pause_is_not_made_up_for() {
    let mut pace = Pace::new(10 * MIB);
    pace.note(Duration::ZERO, MIB, false);
    let wait = pace.note(Duration::from_secs(60), MIB, false);
    assert!(wait >= Duration::from_millis(45), "{wait:?}");
}

#[test]
fn complaints_halve_the_rate_down_to_the_floor_and_it_grows_again_without_them() {
    let mut pace = Pace::new(64 * MIB);
    pace.note(Duration::from_secs(1), MIB, true);
    assert_eq!(pace.rate(), 32 * MIB);
    pace.note(Duration::from_millis(1_100), MIB, true);
    assert_eq!(pace.rate(), 32 * MIB, "the same complaint");
    run(&mut pace, Duration::from_secs(2), 20, true);
    assert_eq!(pace.rate(), FLOOR);
    run(&mut pace, Duration::from_secs(30), 30, false);
    assert_eq!(pace.rate(), 64 * MIB);
}

#[test]
fn a_limit_below_the_floor_is_kept_too() {
    let mut pace = Pace::new(64 << 10);
    run(&mut pace, Duration::ZERO, 60, true);
    assert_eq!(pace.rate(), 64 << 10);
}
