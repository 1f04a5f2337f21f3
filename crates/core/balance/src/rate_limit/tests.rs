use proptest::prelude::*;

use super::*;

const TEN: Rate = Rate { per_second: 10.0, burst: 5 };

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn is_allowed(limit: &mut RateLimit, now: Duration, key: u64) -> bool {
    matches!(limit.ask(now, key, TEN), Verdict::Allowed { .. })
}

#[test]
fn a_burst_is_allowed_then_the_rate() {
    let mut limit = RateLimit::new(8);
    let verdicts: Vec<Verdict> = (0..6).map(|_| limit.ask(millis(1_000), 1, TEN)).collect();
    let left: Vec<u32> = (0..5).rev().collect();
    assert_eq!(verdicts[..5], left.iter().map(|left| Verdict::Allowed { left: *left }).collect::<Vec<_>>());
    assert_eq!(verdicts[5], Verdict::Refused { retry_after: millis(100) });
    assert!(!is_allowed(&mut limit, millis(1_099), 1));
    assert!(is_allowed(&mut limit, millis(1_100), 1));
    let allowed = (0..10_000).filter(|at| is_allowed(&mut limit, millis(1_100 + at), 1)).count();
    assert_eq!(allowed, 99, "ten a second, whatever is asked");
}

#[test]
fn one_client_s_requests_cost_another_nothing() {
    let mut limit = RateLimit::new(64);
    for _ in 0..100 {
        limit.ask(millis(0), 1 << 40, TEN);
    }
    assert_eq!(limit.ask(millis(0), 2 << 40, TEN), Verdict::Allowed { left: 4 });
}

#[test]
fn who_owes_nothing_any_more_gives_its_place_away_and_who_owes_most_keeps_it() {
    let mut limit = RateLimit::new(8);
    (0..5).for_each(|_| assert!(is_allowed(&mut limit, millis(0), 1)));
    // All of them meet in the only set.
    (2..100).for_each(|key| assert!(is_allowed(&mut limit, millis(0), key)));
    assert!(!is_allowed(&mut limit, millis(0), 1), "owes most: not forgotten");
    assert_eq!(limit.forgotten(), 91);
    (100..107).for_each(|key| assert!(is_allowed(&mut limit, millis(200), key)));
    assert_eq!(limit.forgotten(), 91, "the others owe nothing any more");
}

proptest! {
    #[test]
    fn whenever_it_is_asked_a_client_gets_its_burst_and_its_rate_and_no_more(
        gaps in prop::collection::vec(0_u64..300, 1..200),
    ) {
        let mut limit = RateLimit::new(8);
        let (mut now, mut allowed) = (0, 0_u64);
        for gap in gaps {
            now += gap;
            allowed += u64::from(is_allowed(&mut limit, millis(now), 1));
            prop_assert!(allowed <= 5 + now / 100, "{allowed} by {now}");
        }
    }

    #[test]
    fn who_asks_again_when_it_was_told_to_is_allowed(key: u64, asks in 1_u64..50) {
        let mut limit = RateLimit::new(8);
        let mut now = millis(7);
        for _ in 0..asks {
            if let Verdict::Refused { retry_after } = limit.ask(now, key, TEN) {
                now += retry_after;
                prop_assert!(is_allowed(&mut limit, now, key));
            }
        }
    }
}
