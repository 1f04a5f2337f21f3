use std::fmt::Write as _;

use expect_test::expect;

use super::*;

/// Runs it: each letter of `answers` is what the next probe gets, `+` good, `-` bad, `.` nothing at all.
fn trace(answers: &str) -> String {
    let config = Config { jitter: 0.0, ..Config::default() };
    let mut health = Health::new(config, Duration::ZERO, 0);
    let (mut answers, mut trace) = (answers.chars(), String::new());
    loop {
        let now = health.next_wake();
        match health.wake(now, 0) {
            Some(Output::Probe { number, .. }) => {
                let Some(answer) = answers.next() else { return trace };
                let heard = if answer == '.' { None } else { health.heard(now, number, answer == '+', 0) };
                write!(trace, "{:>2} s {answer}", now.as_secs()).expect("strings take everything");
                heard.iter().for_each(|heard| write!(trace, " {heard:?}").expect("strings take everything"));
                trace.push('\n');
            }
            Some(late) => writeln!(trace, "{:>2} s late {late:?}", now.as_secs()).expect("strings take everything"),
            None => {}
        }
    }
}

#[test]
fn the_first_answer_decides_and_later_ones_need_a_row() {
    expect![[r#"
         4 s + Up
         9 s -
        10 s -
        11 s +
        16 s -
        17 s -
        18 s - Down(3)
        23 s +
        24 s -
        29 s +
        30 s + Up
    "#]]
    .assert_eq(&trace("+--+---+-++"));
}

#[test]
fn no_answer_until_the_deadline_is_a_bad_one() {
    expect![[r#"
         4 s + Up
         9 s .
        12 s .
        15 s .
        17 s late Down(3)
        22 s +
    "#]]
    .assert_eq(&trace("+...+"));
}

#[test]
fn an_answer_after_the_deadline_or_to_an_older_probe_changes_nothing() {
    let mut health = Health::new(Config::default(), Duration::ZERO, 0);
    let now = health.next_wake();
    assert!(matches!(health.wake(now, 0), Some(Output::Probe { number: 1, .. })));
    let late = health.next_wake();
    assert_eq!(health.wake(late, 0), Some(Output::Down(1)));
    assert_eq!(health.heard(late, 1, true, 0), None);
    assert!(!health.is_up());
    let next = health.next_wake();
    assert!(matches!(health.wake(next, 0), Some(Output::Probe { number: 2, .. })));
    assert_eq!(health.heard(next, 1, true, 0), None);
    assert_eq!(health.next_wake(), next + Config::default().timeout, "the second one is still waited for");
}

#[test]
fn probes_of_many_do_not_come_together() {
    let firsts: Vec<u64> = (0..100)
        .map(|random| Health::new(Config::default(), Duration::ZERO, random).next_wake().as_millis() as u64 / 500)
        .collect();
    for slot in 0..10 {
        assert!(firsts.iter().filter(|first| **first == slot).count() < 25, "{firsts:?}");
    }
}
