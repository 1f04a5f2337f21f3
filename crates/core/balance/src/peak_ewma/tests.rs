use super::*;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn a_peak_is_believed_at_once_and_forgotten_slowly() {
    let mut ewma = PeakEwma::default();
    ewma.note(millis(0), millis(10));
    (0..3).for_each(|_| ewma.note(millis(1_000), millis(500)));
    assert_eq!(ewma.measured(), Some(0.5));
    (11..=100).for_each(|tenth| ewma.note(millis(tenth * 100), millis(10)));
    let value = ewma.measured().expect("measured");
    assert!((0.15..0.25).contains(&value), "a third is left after ten seconds: {value}");
}

#[test]
fn one_peak_alone_has_a_bound() {
    let mut ewma = PeakEwma::default();
    ewma.note(millis(0), millis(10));
    ewma.note(millis(0), millis(60_000));
    assert_eq!(ewma.measured(), Some(0.05));
}

#[test]
fn what_is_not_asked_fades_towards_zero() {
    let mut ewma = PeakEwma::default();
    assert_eq!(ewma.faded(millis(5)), None);
    ewma.note(millis(0), millis(1_000));
    let value = ewma.faded(millis(10_000)).expect("measured");
    assert!((0.36..0.37).contains(&value), "{value}");
}

#[test]
fn how_often_is_measured_does_not_change_how_fast_it_fades() {
    let after_ten_seconds = |step: u64| {
        let mut ewma = PeakEwma::default();
        ewma.note(millis(0), millis(1_000));
        (1..=10_000 / step).for_each(|count| ewma.note(millis(count * step), millis(0)));
        ewma.measured().expect("measured")
    };
    assert!((after_ten_seconds(10) - after_ten_seconds(1_000)).abs() < 0.001);
}
