use super::*;

#[test]
fn every_value_lies_in_its_bucket_and_within_a_hundredth_of_its_end() {
    for value in
        (0..64).flat_map(|bit| [1u64 << bit, (1u64 << bit) + 1, (1u64 << bit).wrapping_sub(1), 3u64 << (bit / 2)])
    {
        let end = greatest_of(bucket(value));
        assert!(end >= value && (end - value) as f64 <= value as f64 * 0.01, "{value} {end}");
        assert!(bucket(value) == 0 || greatest_of(bucket(value) - 1) < value, "{value}");
    }
}

#[test]
fn quantiles_of_a_thousand_values() {
    let mut histogram = Histogram::new();
    (1..=1000).for_each(|value| histogram.record(value, 1));
    assert_eq!(histogram.quantile(0.1), 100);
    assert!((495..=505).contains(&histogram.quantile(0.5)));
    assert!((985..=995).contains(&histogram.quantile(0.99)));
    assert_eq!((histogram.quantile(1.0), histogram.max()), (1000, 1000));
}

#[test]
fn nothing_recorded_is_nothing() {
    assert_eq!(Histogram::new().quantile(0.99), 0);
}
