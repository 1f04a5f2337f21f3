use super::*;

#[test]
fn indices_count_from_both_ends_and_keep_to_what_is_there() {
    for (first, last, expected) in [
        (0, -1, 0..5),
        (1, 3, 1..4),
        (-2, -1, 3..5),
        (-100, 100, 0..5),
        (3, 1, 2..2),
        (5, 9, 5..5),
        (0, -6, 0..0),
        (i64::MIN, i64::MAX, 0..5),
        (i64::MAX, i64::MIN, 0..0),
    ] {
        let range = indices(first, last, 5);
        assert_eq!(range.len(), expected.len(), "{first} {last}");
        assert!(range.is_empty() || range == expected, "{first} {last}: {range:?}");
    }
    assert_eq!((index(-5, 5), index(-6, 5), index(5, 5), index(i64::MIN, 5)), (Some(0), None, None, None));
}
