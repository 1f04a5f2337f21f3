use super::*;
use crate::outlier::Outlier;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn endpoint(now: Duration) -> Endpoint {
    let record = Outlier::new(outlier::Config::default()).record();
    let mut endpoint = Endpoint::new(now, EndpointId(1), 1, record);
    endpoint.share = 1.0;
    endpoint
}

/// One request after the other, each taking so long.
fn serve(endpoint: &mut Endpoint, from: Duration, count: u64, took: Duration, outcome: Outcome) -> Duration {
    let mut now = from;
    for _ in 0..count {
        endpoint.begin(now);
        now += took;
        endpoint.answered(now, took, outcome);
        endpoint.end();
    }
    now
}

#[test]
fn the_load_is_the_latency_times_the_queue_for_its_share() {
    let mut one = endpoint(millis(0));
    let now = serve(&mut one, millis(0), 10, millis(10), Outcome::Good);
    assert!((one.load(now) - 0.010).abs() < 1e-6, "{}", one.load(now));
    (0..4).for_each(|_| one.begin(now));
    assert!((one.load(now) - 0.050).abs() < 1e-6, "{}", one.load(now));
    one.share = 2.0;
    assert!((one.load(now) - 0.030).abs() < 1e-6, "twice the share, half the queue: {}", one.load(now));
}

#[test]
fn failing_fast_does_not_look_attractive() {
    let (mut good, mut bad) = (endpoint(millis(0)), endpoint(millis(0)));
    let now = serve(&mut good, millis(0), 100, millis(20), Outcome::Good);
    let then = serve(&mut bad, millis(0), 50, millis(20), Outcome::Good);
    let then = serve(&mut bad, then, 60_000, millis(1), Outcome::Failed);
    assert!(bad.load(then) > 5.0 * good.load(now), "{} and {}", bad.load(then), good.load(now));
}

#[test]
fn who_has_stopped_answering_looks_as_slow_as_it_has_been_silent() {
    let mut one = endpoint(millis(0));
    let now = serve(&mut one, millis(0), 10, millis(10), Outcome::Good);
    one.begin(now);
    let later = now + millis(60_000);
    assert!(one.load(later) >= 60.0, "does not fade while something waits: {}", one.load(later));
    one.answered(later, millis(0), Outcome::Cancelled);
    one.end();
    assert!(one.load(later) < 0.010, "nothing waits any more: {}", one.load(later));
}

#[test]
fn a_long_answer_that_has_begun_is_no_silence() {
    let mut one = endpoint(millis(0));
    one.begin(millis(0));
    one.answered(millis(5), millis(5), Outcome::Good);
    assert_eq!(one.in_flight(), 1, "the body still comes");
    assert!(one.load(millis(60_000)) < 0.011);
}

#[test]
fn an_unknown_one_is_tried_once_and_not_more_until_it_answers() {
    let mut one = endpoint(millis(0));
    assert!(one.load(millis(0)) < 0.001);
    one.begin(millis(0));
    assert!(one.load(millis(1)) >= 1.0);
}

#[test]
fn the_share_of_a_new_one_grows_to_the_whole() {
    let (one, slow_start) = (endpoint(millis(0)), SlowStart::default());
    let weights = [0, 500, 5_000, 10_000, 60_000].map(|at| one.effective_weight(millis(at), &slow_start));
    assert_eq!(weights, [0.1, 0.1, 0.5, 1.0, 1.0]);
}

#[test]
fn conditions_are_told_in_words_and_the_worst_one_wins() {
    let (mut one, slow_start) = (endpoint(millis(0)), SlowStart::default());
    let words = |one: &Endpoint, at: u64| one.condition(millis(at), &slow_start).to_string();
    assert_eq!(words(&one, 3_400), "warming up, at 34% of its share");
    assert_eq!(words(&one, 10_000), "ready");
    one.eject(millis(30_000), outlier::Why::InRow(5));
    assert_eq!(words(&one, 20_500), "ejected for 10 s more: 5 failures in a row");
    one.set_healthy(millis(20_500), false);
    assert_eq!(words(&one, 20_500), "fails its health checks");
    one.is_draining = true;
    assert_eq!(words(&one, 20_500), "draining: gets nothing new");
    one.is_lost = true;
    assert_eq!(words(&one, 20_500), "gone");
    assert_eq!(one.condition(millis(20_500), &slow_start).rank(), None);
}

#[test]
fn who_comes_back_warms_up_again() {
    let (mut one, slow_start) = (endpoint(millis(0)), SlowStart::default());
    one.eject(millis(30_000), outlier::Why::InRow(5));
    one.readmit(millis(29_999));
    assert_eq!(one.ejected_until(), Some(millis(30_000)));
    one.readmit(millis(32_000));
    assert_eq!(one.condition(millis(32_000), &slow_start), Condition::WarmingUp(20));
    one.set_healthy(millis(60_000), true);
    assert_eq!(one.condition(millis(60_000), &slow_start), Condition::Ready, "was never unhealthy");
    one.set_healthy(millis(61_000), false);
    one.set_healthy(millis(70_000), true);
    assert_eq!(one.condition(millis(70_000), &slow_start), Condition::WarmingUp(10));
}
