use super::*;

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn permit(breaker: &mut Breaker, now: Duration) -> Permit {
    breaker.ask(now).expect("passes")
}

fn pass(breaker: &mut Breaker, now: Duration, has_failed: bool) -> bool {
    let permit = permit(breaker, now);
    breaker.note(now, permit, has_failed)
}

/// Open since 10 s.
fn open() -> Breaker {
    let mut breaker = Breaker::new(Config::default());
    for _ in 0..20 {
        pass(&mut breaker, secs(10), true);
    }
    breaker
}

#[test]
fn enough_failures_among_enough_requests_open_it() {
    let mut breaker = Breaker::new(Config::default());
    (0..19).for_each(|_| assert!(!pass(&mut breaker, secs(10), true), "too few to say"));
    assert!(pass(&mut breaker, secs(10), true));
    assert_eq!(breaker.ask(secs(10)), Err(secs(1)));
}

#[test]
fn less_than_the_share_and_what_is_long_ago_do_not_open_it() {
    let mut breaker = Breaker::new(Config::default());
    (0..1_000).for_each(|count| assert!(!pass(&mut breaker, secs(10), count % 5 < 2), "{count}"));
    let mut breaker = Breaker::new(Config::default());
    (0..19).for_each(|_| assert!(!pass(&mut breaker, secs(10), true)));
    assert!(!pass(&mut breaker, secs(21), true));
}

#[test]
fn half_open_lets_a_few_through_and_closes_when_all_of_them_succeed() {
    let mut breaker = open();
    let probes = [0; 3].map(|_| permit(&mut breaker, secs(11)));
    assert!(breaker.ask(secs(11)).is_err(), "three probes and no more");
    assert!(!breaker.note(secs(11), probes[0], false));
    assert!(!breaker.note(secs(11), probes[1], false));
    assert!(breaker.note(secs(11), probes[2], false));
    assert_eq!(breaker.state(), State::Closed);
    assert!(!pass(&mut breaker, secs(11), true), "what was before is forgotten");
}

#[test]
fn one_failed_probe_opens_it_for_twice_as_long() {
    let mut breaker = open();
    let mut now = secs(11);
    let mut waits = Vec::new();
    for _ in 0..6 {
        assert!(pass(&mut breaker, now, true));
        let State::Open { until } = breaker.state() else { panic!("{}", breaker.state()) };
        waits.push((until - now).as_secs());
        now = until;
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
    for _ in 0..3 {
        pass(&mut breaker, now, false);
    }
    for _ in 0..20 {
        pass(&mut breaker, now, true);
    }
    assert_eq!(breaker.state(), State::Open { until: now + secs(1) }, "closed between: short again");
}

#[test]
fn what_began_before_it_opened_neither_closes_nor_opens_it() {
    let mut breaker = Breaker::new(Config::default());
    let early: Vec<Permit> = (0..5).map(|_| permit(&mut breaker, secs(10))).collect();
    for _ in 0..20 {
        pass(&mut breaker, secs(10), true);
    }
    let probe = permit(&mut breaker, secs(11));
    early.iter().for_each(|permit| assert!(!breaker.note(secs(11), *permit, false)));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.note(secs(11), probe, true));
}

#[test]
fn probes_that_are_cancelled_or_never_come_back_do_not_block_it() {
    let mut breaker = open();
    for _ in 0..10 {
        let probe = permit(&mut breaker, secs(11));
        breaker.forget(probe);
    }
    for _ in 0..3 {
        let _ = permit(&mut breaker, secs(11));
    }
    assert_eq!(breaker.ask(secs(12)), Err(secs(29)));
    assert!(breaker.ask(secs(41)).is_ok());
}
