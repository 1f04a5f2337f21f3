use super::*;

fn counts(samples: &[(u64, u64)]) -> Vec<u64> {
    let mut history = History::default();
    samples.iter().for_each(|(second, total)| history.sample(*second, *total));
    history.counts.into_iter().collect()
}

#[test]
fn each_second_has_the_requests_that_came_in_it() {
    assert_eq!(counts(&[(100, 0), (101, 5), (102, 5), (103, 12)]), [0, 5, 0, 7]);
}

#[test]
fn a_gap_is_filled_evenly_so_that_nothing_is_lost_and_no_spike_appears() {
    assert_eq!(counts(&[(100, 0), (103, 10)]), [0, 4, 3, 3]);
}

#[test]
fn a_clock_that_goes_back_changes_nothing_and_the_requests_come_later() {
    assert_eq!(counts(&[(100, 0), (101, 5), (90, 8), (102, 9)]), [0, 5, 4]);
}

#[test]
fn only_the_last_two_minutes_are_kept() {
    let samples: Vec<(u64, u64)> = (0..500).map(|n| (1000 + n, n)).collect();
    let counts = counts(&samples);
    assert_eq!(counts.len(), SECONDS_KEPT);
    assert!(counts.iter().all(|count| *count == 1));
}

#[tokio::test]
async fn the_history_follows_the_shared_counter() {
    let total = Arc::new(AtomicU64::new(0));
    let rate = RequestRate::new(total.clone());
    rate.sample(10);
    total.store(3, Ordering::Relaxed);
    rate.clone().sample(11);
    assert_eq!(rate.history(), (11, vec![0, 3]));
}
