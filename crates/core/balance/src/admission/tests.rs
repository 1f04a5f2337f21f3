use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Two at a time, and the limit stays there.
fn two_at_a_time(waiting_max: usize) -> Admission {
    let limit = concurrency_limit::Config { initial: 2, min: 2, max: 2, ..concurrency_limit::Config::default() };
    Admission::new(Config { limit, waiting_max, ..Config::default() })
}

fn wait(admission: &mut Admission, now: Duration) -> Ticket {
    match admission.ask(now, 0) {
        Answer::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn fill(admission: &mut Admission, now: Duration) {
    for _ in 0..2 {
        assert_eq!(admission.ask(now, 0), Answer::Go);
    }
}

#[test]
fn above_the_limit_they_wait_and_go_in_order() {
    let mut admission = two_at_a_time(10);
    fill(&mut admission, millis(0));
    let (one, two) = (wait(&mut admission, millis(1)), wait(&mut admission, millis(2)));
    assert_eq!(admission.turn(millis(3), 0), None, "no place yet");
    admission.done(millis(10), millis(10), Served::Well);
    assert_eq!(admission.turn(millis(10), 0), Some(Turn::Go(one)));
    assert_eq!(admission.turn(millis(10), 0), None);
    admission.done(millis(11), millis(10), Served::Well);
    assert_eq!(admission.turn(millis(11), 0), Some(Turn::Go(two)));
    assert_eq!((admission.in_flight(), admission.waiting()), (2, 0));
}

#[test]
fn nobody_who_comes_passes_those_who_wait() {
    let mut admission = two_at_a_time(10);
    fill(&mut admission, millis(0));
    let first = wait(&mut admission, millis(1));
    admission.done(millis(2), millis(2), Served::Well);
    wait(&mut admission, millis(2));
    assert_eq!(admission.turn(millis(2), 0), Some(Turn::Go(first)));
}

#[test]
fn the_queue_is_bounded_even_against_those_who_come_and_give_up() {
    let mut admission = two_at_a_time(3);
    fill(&mut admission, millis(0));
    let first = wait(&mut admission, millis(1));
    for _ in 0..2 {
        let ticket = wait(&mut admission, millis(1));
        admission.give_up(ticket);
    }
    assert_eq!(admission.ask(millis(1), 0), Answer::Shed { retry_after: Duration::from_secs(1) });
    admission.give_up(first);
    assert_eq!(admission.waiting(), 0, "all of them are gone");
    admission.give_up(first);
    wait(&mut admission, millis(2));
}

#[test]
fn who_has_waited_too_long_is_turned_away_when_the_time_comes() {
    let mut admission = two_at_a_time(10);
    fill(&mut admission, millis(0));
    let ticket = wait(&mut admission, millis(5));
    assert_eq!(admission.next_wake(), Some(millis(1_005)));
    assert_eq!(admission.turn(millis(1_004), 0), None);
    assert!(matches!(admission.turn(millis(1_005), 0), Some(Turn::Shed { ticket: late, .. }) if late == ticket));
    assert_eq!(admission.next_wake(), None);
}

#[test]
fn who_would_wait_too_long_is_turned_away_at_once_and_told_when_the_queue_will_be_through() {
    let mut admission = two_at_a_time(1_000);
    // 100 answers a second, until 2 s.
    for tick in 0..200 {
        assert_eq!(admission.ask(millis(tick * 10), 0), Answer::Go);
        admission.done(millis(tick * 10 + 9), millis(9), Served::Well);
    }
    let now = millis(2_000);
    fill(&mut admission, now);
    let waiting = (0..500).filter(|_| matches!(admission.ask(now, 0), Answer::Wait(_))).count();
    assert!((85..=105).contains(&waiting), "a second's worth: {waiting}");
    let told: Vec<u64> = (0..100)
        .map(|random| match admission.ask(now, random) {
            Answer::Shed { retry_after } => retry_after.as_secs(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(told.iter().all(|seconds| [1, 2, 3].contains(seconds)), "one to two times a second: {told:?}");
    assert!(told.contains(&2), "{told:?}");
}

#[test]
fn when_the_queue_does_not_get_empty_only_those_wait_who_soon_have_their_turn() {
    let mut admission = two_at_a_time(1_000);
    fill(&mut admission, millis(0));
    // Two come for each that is answered, 100 a second.
    let mut longest = 0;
    for tick in 1..500 {
        let now = millis(tick * 10);
        admission.done(now, millis(20), Served::Well);
        admission.turn(now, 0);
        let _ = (admission.ask(now, tick), admission.ask(now, tick));
        if tick > 300 {
            longest = longest.max(admission.waiting());
        }
    }
    assert!((5..=15).contains(&longest), "100 ms at 100 a second: {longest}");
}

proptest! {
    #[test]
    fn whatever_happens_each_ticket_ends_once_and_no_bound_is_broken(
        steps in prop::collection::vec((0..4_u8, any::<u16>()), 1..400),
    ) {
        let mut admission = two_at_a_time(20);
        let (mut now, mut waiting) = (millis(0), BTreeSet::new());
        for (step, number) in steps {
            match step {
                0 => match admission.ask(now, u64::from(number)) {
                    Answer::Wait(ticket) => prop_assert!(waiting.insert(ticket.0)),
                    Answer::Go => prop_assert!(waiting.is_empty(), "nobody is passed"),
                    Answer::Shed { retry_after } => prop_assert!((1..=30).contains(&retry_after.as_secs())),
                },
                1 if admission.in_flight() > 0 => admission.done(now, millis(10), Served::Well),
                2 => {
                    let ticket = waiting.iter().nth(usize::from(number) % waiting.len().max(1)).copied();
                    if let Some(ticket) = ticket {
                        waiting.remove(&ticket);
                        admission.give_up(Ticket(ticket));
                    }
                }
                _ => now += millis(u64::from(number % 300)),
            }
            while let Some(turn) = admission.turn(now, 0) {
                let (Turn::Go(ticket) | Turn::Shed { ticket, .. }) = turn;
                prop_assert_eq!(waiting.pop_first(), Some(ticket.0));
            }
            prop_assert!(admission.in_flight() <= 2 && admission.waiting() <= 20);
            let is_full = admission.in_flight() >= admission.limit().limit();
            prop_assert!(is_full || waiting.is_empty(), "nobody waits for nothing");
        }
    }
}
