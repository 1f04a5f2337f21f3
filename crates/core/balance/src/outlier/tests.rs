use super::*;
use crate::draws::Draws;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct World {
    outlier: Outlier,
    records: Vec<Record>,
}

impl World {
    fn new(endpoints: usize) -> Self {
        let outlier = Outlier::new(Config::default());
        Self { records: vec![outlier.record(); endpoints], outlier }
    }

    fn note(&mut self, now: Duration, which: usize, has_failed: bool) -> Option<Why> {
        self.outlier.note(now, &mut self.records[which], has_failed)
    }

    /// `rounds` requests to each, a millisecond apart; `failing[which]` of each ten of them fail. The first verdict.
    fn run(&mut self, from: Duration, rounds: u64, failing: &[u64]) -> Option<(usize, Why)> {
        for round in 0..rounds {
            for (which, &share) in failing.iter().enumerate() {
                // Spread out, so that they do not come in a row.
                let has_failed = (round * 7) % 10 < share;
                if let Some(why) = self.note(from + millis(round), which, has_failed) {
                    return Some((which, why));
                }
            }
        }
        None
    }
}

#[test]
fn failures_in_a_row_eject_and_one_success_between_starts_the_count_anew() {
    let mut world = World::new(1);
    (0..4).for_each(|_| assert_eq!(world.note(millis(1), 0, true), None));
    assert_eq!(world.note(millis(1), 0, false), None);
    (0..4).for_each(|_| assert_eq!(world.note(millis(2), 0, true), None));
    assert_eq!(world.note(millis(2), 0, true), Some(Why::InRow(5)));
}

#[test]
fn one_of_five_that_fails_three_of_ten_is_found_soon() {
    let mut world = World::new(5);
    let (which, why) = world.run(millis(0), 200, &[0, 0, 3, 0, 0]).expect("found");
    assert_eq!(which, 2);
    assert!(matches!(why, Why::Share { own: 20..=50, others: 0 }), "{why}");
}

#[test]
fn two_bad_ones_among_five_do_not_hide_each_other() {
    let mut world = World::new(5);
    let (which, _) = world.run(millis(0), 500, &[0, 4, 0, 4, 0]).expect("found");
    assert!([1, 3].contains(&which));
}

#[test]
fn when_all_fail_alike_nobody_is_ejected() {
    assert_eq!(World::new(5).run(millis(0), 2_000, &[3, 3, 3, 3, 3]), None);
    assert_eq!(World::new(5).run(millis(0), 2_000, &[10, 10, 10, 10, 10]), None, "nor in a row");
}

#[test]
fn who_only_has_bad_luck_is_not_ejected() {
    for seed in 0..20 {
        let (mut world, mut draws) = (World::new(5), Draws::new(seed));
        world.outlier = Outlier::new(Config { in_row_max: u32::MAX, ..Config::default() });
        for round in 0..500 {
            for which in 0..5 {
                let has_failed = draws.below(10) < 3;
                assert_eq!(world.note(millis(round * 50), which, has_failed), None, "all fail alike");
            }
        }
    }
}

#[test]
fn a_gap_that_chance_does_not_explain_but_that_does_not_matter_ejects_nobody() {
    let mut world = World::new(2);
    for round in 0..9_000 {
        assert_eq!(world.note(millis(round), 0, round % 20 == 0), None, "5% against 0%");
        world.note(millis(round), 1, false);
    }
}

#[test]
fn never_all_and_at_most_half_may_be_out() {
    let outlier = Outlier::new(Config::default());
    assert!(!outlier.may_eject(0, 1), "the only one");
    assert!(outlier.may_eject(0, 2));
    assert!(!outlier.may_eject(1, 2));
    assert!(outlier.may_eject(1, 5));
    assert!(!outlier.may_eject(2, 5));
    let eager = Outlier::new(Config { ejected_share_max: 1.0, ..Config::default() });
    assert!(!eager.may_eject(4, 5), "one must stay whatever the share is");
}

#[test]
fn pauses_double_up_to_the_longest_and_good_behaviour_shortens_them_again() {
    let mut world = World::new(1);
    let (mut now, mut pauses) = (Duration::ZERO, Vec::new());
    for _ in 0..7 {
        let until = world.outlier.eject(now, &mut world.records[0]);
        pauses.push((until - now).as_secs());
        now = until;
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300]);
    now += Duration::from_secs(45);
    let until = world.outlier.eject(now, &mut world.records[0]);
    assert_eq!((until - now).as_secs(), 80, "seven doublings, four earned back");
}

#[test]
fn what_an_ejected_one_did_is_not_held_against_it_nor_for_others() {
    let mut world = World::new(2);
    for round in 0..100 {
        world.note(millis(round), 0, round % 2 == 0);
    }
    world.outlier.eject(millis(100), &mut world.records[0]);
    assert_eq!(world.outlier.sum.counts(millis(100)), Counts::default());
    (0..4).for_each(|_| assert_eq!(world.note(millis(200), 0, true), None));
}
