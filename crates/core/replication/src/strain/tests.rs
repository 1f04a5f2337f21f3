use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn after(calm_us: u64, now_us: u64) -> bool {
    let mut strain = Strain::default();
    (0..1000).for_each(|_| strain.note(SECOND, Duration::from_micros(calm_us), 1, true));
    (0..100).for_each(|_| strain.note(5 * SECOND, Duration::from_micros(now_us), 1, false));
    strain.is_strained(5 * SECOND)
}

#[test]
fn clients_suffer_when_they_wait_more_than_twice_as_long_as_in_calm_times() {
    assert!(!after(2_000, 3_000));
    assert!(after(2_000, 9_000));
    assert!(!after(100, 700), "a millisecond does not hurt");
}

#[test]
fn a_few_slow_commands_or_a_past_without_calm_say_nothing() {
    let mut strain = Strain::default();
    (0..100).for_each(|_| strain.note(SECOND, SECOND, 1, false));
    assert!(!strain.is_strained(SECOND), "never calm");
    let mut strain = Strain::default();
    strain.note(SECOND, Duration::from_millis(1), 1000, true);
    (0..9).for_each(|_| strain.note(9 * SECOND, SECOND, 1, false));
    assert!(!strain.is_strained(9 * SECOND));
}

#[test]
fn strain_passes_when_the_last_seconds_are_calm() {
    let mut strain = Strain::default();
    strain.note(SECOND, Duration::from_millis(1), 1000, true);
    strain.note(4 * SECOND, 50 * Duration::from_millis(1), 1000, false);
    assert!(strain.is_strained(4 * SECOND));
    strain.note(6 * SECOND, Duration::from_millis(1), 1000, false);
    assert!(!strain.is_strained(6 * SECOND));
}
