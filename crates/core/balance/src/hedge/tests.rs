use super::*;
use crate::draws::Draws;

const A: EndpointId = EndpointId(1);
const B: EndpointId = EndpointId(2);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// 20,000 requests, one a millisecond, of which `slow` of 100 take a second and the others 10 ms: latencies, and how many hedges.
fn run(hedge: &mut Hedge, method: &str, slow: u64) -> (Vec<Duration>, u32) {
    let (mut draws, mut hedges) = (Draws::new(2), 0);
    let latency = |draws: &mut Draws| if draws.below(100) < slow { millis(1_000) } else { millis(10) };
    let took = (0..20_000).map(|count| {
        let now = millis(count);
        let delay = hedge.begin(now, method);
        let first = latency(&mut draws);
        let Some(delay) = delay.filter(|delay| *delay < first && hedge.may_hedge(now + *delay)) else {
            hedge.note_first(first);
            return first;
        };
        hedges += 1;
        let took = first.min(delay + latency(&mut draws));
        hedge.note_first(took);
        took
    });
    let mut took: Vec<Duration> = took.collect();
    took.sort();
    (took, hedges)
}

#[test]
fn a_tail_of_two_percent_is_cut_for_a_few_percent_more_load() {
    let (without, _) = run(&mut Hedge::new(Config::default()), "POST", 2);
    assert_eq!(without[20_000 * 99 / 100], millis(1_000));
    let (took, hedges) = run(&mut Hedge::new(Config::default()), "GET", 2);
    assert!(took[20_000 * 99 / 100] < millis(30), "p99 {:?}", took[20_000 * 99 / 100]);
    assert!(hedges < 1_200, "{hedges}");
}

#[test]
fn when_everything_becomes_slow_the_budget_holds_hedges_back() {
    let mut hedge = Hedge::new(Config { delay: Some(millis(20)), ..Config::default() });
    let (_, hedges) = run(&mut hedge, "GET", 100);
    assert!((1_900..=2_100).contains(&hedges), "a tenth of all: {hedges}");
}

#[test]
fn nothing_is_hedged_that_may_not_be_made_twice_nor_before_the_tail_is_known() {
    let mut hedge = Hedge::new(Config::default());
    hedge.note_first(millis(10));
    assert_eq!(hedge.begin(millis(0), "GET"), None, "one answer says nothing about a tail");
    (0..SAMPLES_MIN).for_each(|_| hedge.note_first(millis(10)));
    assert!(hedge.begin(millis(0), "GET").is_some());
    assert_eq!(hedge.begin(millis(0), "POST"), None);
}

#[test]
fn the_first_good_answer_wins_and_the_other_attempt_is_cancelled() {
    let mut race = Race::new(A);
    race.hedge(B);
    assert_eq!(race.ended(B, true), Finish::Use { cancel: Some(A) });
    assert_eq!(race.ended(A, false), Finish::Failed, "nothing is left to cancel");
    assert_eq!(Race::new(A).ended(A, true), Finish::Use { cancel: None });
}

#[test]
fn a_failure_does_not_win_while_the_other_may_still_do_better() {
    let mut race = Race::new(A);
    race.hedge(B);
    assert_eq!(race.ended(A, false), Finish::Wait);
    assert_eq!(race.ended(B, true), Finish::Use { cancel: None });
    let mut race = Race::new(A);
    race.hedge(B);
    assert_eq!(race.ended(B, false), Finish::Wait);
    assert_eq!(race.ended(A, false), Finish::Failed);
}
