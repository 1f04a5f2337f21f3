use std::collections::BTreeSet;

use super::*;

#[test]
fn different_picks_are_different_and_all_come_up() {
    for (count, len) in [(0, 0), (3, 0), (0, 5), (3, 5), (5, 5), (9, 5), (10, 1_000), (900, 1_000)] {
        let picked = different(count, len);
        assert_eq!(picked.len(), count.min(len));
        assert_eq!(picked.iter().copied().collect::<BTreeSet<_>>().len(), picked.len());
        assert!(picked.iter().all(|at| *at < len));
    }
    let first: BTreeSet<usize> = (0..500).map(|_| different(1, 5)[0]).collect();
    assert_eq!(first.len(), 5, "each comes up with probability 1 - 10^-48");
}

#[test]
fn a_negative_count_picks_with_repetition_up_to_a_limit() {
    assert_eq!(picks(-20, 3).unwrap().len(), 20);
    assert!(picks(-20, 0).unwrap().is_empty());
    assert!(picks(-(1 << 40), 3).is_err());
    assert_eq!(picks(i64::MAX, 3).unwrap().len(), 3);
}
