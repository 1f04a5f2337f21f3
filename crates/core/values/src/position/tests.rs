use proptest::prelude::*;

use super::*;

fn dot(time: u64) -> Dot {
    Dot { time, node: time % 3 }
}

proptest! {
    #[test]
    fn between_any_two_there_is_a_third(inserts in prop::collection::vec(any::<prop::sample::Index>(), 1..400)) {
        let mut all = vec![Position::only(dot(1))];
        for (time, at) in inserts.iter().enumerate() {
            let (at, dot) = (at.index(all.len() + 1), dot(time as u64 + 2));
            let new = match at {
                0 => Position::before(&all[0], dot),
                at if at == all.len() => Position::after(&all[at - 1], dot),
                at => Position::between(&all[at - 1], &all[at], dot),
            };
            all.insert(at, new);
        }
        prop_assert!(all.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn pushing_and_inserting_at_one_place_keeps_paths_short() {
    let (mut low, high) = (Position::only(dot(1)), Position::after(&Position::only(dot(1)), dot(2)));
    let first = low.clone();
    for time in 3..10_000 {
        low = Position::between(&low, &high, dot(time));
    }
    assert!(low < high && low.rest().len() <= 1, "{}", low.rest().len());
    let mut high = high;
    for time in 10_000..20_000 {
        high = Position::between(&first, &high, dot(time));
    }
    assert!(first < high && high.rest().len() <= 2, "{}", high.rest().len());
}

#[test]
fn there_is_a_place_after_the_last_number() {
    let mut last = Position { first: Step { place: i64::MAX - 1, dot: dot(1) }, rest: None };
    let mut first = Position { first: Step { place: i64::MIN + 70_000, dot: dot(1) }, rest: None };
    for time in 2..12 {
        let (after, before) = (Position::after(&last, dot(time)), Position::before(&first, dot(time)));
        assert!(after > last && before < first);
        (last, first) = (after, before);
    }
}
