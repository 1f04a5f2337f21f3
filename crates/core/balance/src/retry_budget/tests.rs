use super::*;

/// One request each millisecond for so long, all failing and tried again as long as that is allowed: how many retries.
fn outage(budget: &mut RetryBudget, from: Duration, seconds: u64) -> u64 {
    (0..seconds * 1_000)
        .map(|millis| {
            let now = from + Duration::from_millis(millis);
            budget.note_request(now);
            u64::from(budget.spend(now)) + u64::from(budget.spend(now))
        })
        .sum()
}

#[test]
fn a_total_outage_adds_no_more_than_the_share() {
    let retries = outage(&mut RetryBudget::new(Config::default()), Duration::ZERO, 60);
    assert!((12_000..=12_300).contains(&retries), "a fifth of 60,000 and three a second: {retries}");
}

#[test]
fn a_quiet_service_may_retry_a_little() {
    let mut budget = RetryBudget::new(Config::default());
    let mut spent = 0;
    while budget.spend(Duration::from_secs(5)) {
        spent += 1;
    }
    assert_eq!(spent, 30, "three a second, for ten seconds");
    assert!(!budget.spend(Duration::from_secs(14)));
    assert!(budget.spend(Duration::from_secs(16)), "what was spent ten seconds ago is forgotten");
}

#[test]
fn what_was_not_used_does_not_pile_up() {
    let mut budget = RetryBudget::new(Config::default());
    (0..100_000).for_each(|millis| budget.note_request(Duration::from_millis(millis)));
    let left = budget.left(Duration::from_secs(100));
    assert!((1_700.0..=2_030.0).contains(&left), "of the last ten seconds: {left}");
    assert_eq!(budget.left(Duration::from_secs(200)), 30.0);
}
