use expect_test::{Expect, expect};

use super::*;

const LIMITS: Limits = Limits { start_timeout: Duration::from_secs(10), stop_timeout: Duration::from_secs(5) };

use Input::*;

/// Feeds the inputs at their times (milliseconds) and compares what comes out, and when it wants to be woken.
fn check(steps: &[(u64, Input)], expected: Expect) {
    let begin = Instant::now();
    let mut supervisor = Supervisor::new(LIMITS, begin);
    let mut trace = String::new();
    for (ms, input) in steps {
        let mut out = Vec::new();
        supervisor.step(begin + Duration::from_millis(*ms), input.clone(), &mut out);
        let wake = supervisor.next_wake().map_or("-".to_owned(), |at| (at - begin).as_millis().to_string());
        let outputs: String = out.iter().map(|output| format!(" {output:?}")).collect();
        trace += &format!("{ms}: {input:?} ->{outputs} (wake {wake})\n");
    }
    if !supervisor.why().is_empty() {
        trace += &format!("why: {}\n", supervisor.why());
    }
    expected.assert_eq(&trace);
}

fn refused() -> Input {
    CheckFailed("connection refused".to_owned())
}

fn exited() -> Input {
    Exited("exited with status 1".to_owned())
}

#[test]
fn an_instance_is_checked_often_until_it_is_healthy_and_then_rarely() {
    check(
        &[(0, Tick), (2, Launched), (3, refused()), (103, Tick), (104, CheckPassed), (5104, Tick), (5105, CheckPassed)],
        expect![[r#"
            0: Tick -> Launch (wake -)
            2: Launched -> Check (wake 10002)
            3: CheckFailed("connection refused") -> (wake 103)
            103: Tick -> Check (wake 10002)
            104: CheckPassed -> Ready (wake 5104)
            5104: Tick -> Check (wake -)
            5105: CheckPassed -> (wake 10105)
        "#]],
    );
}

#[test]
fn one_that_exits_at_once_is_started_again_after_pauses_that_double() {
    check(
        &[
            (0, Tick),
            (1, Launched),
            (2, exited()),
            (102, Tick),
            (103, Launched),
            (104, exited()),
            (304, Tick),
            (305, LaunchFailed("no such program".to_owned())),
        ],
        expect![[r#"
            0: Tick -> Launch (wake -)
            1: Launched -> Check (wake 10001)
            2: Exited("exited with status 1") -> (wake 102)
            102: Tick -> Launch (wake -)
            103: Launched -> Check (wake 10103)
            104: Exited("exited with status 1") -> (wake 304)
            304: Tick -> Launch (wake -)
            305: LaunchFailed("no such program") -> (wake 705)
            why: no such program
        "#]],
    );
}

#[test]
fn ten_healthy_seconds_make_the_pause_short_again() {
    check(
        &[
            (0, Tick),
            (0, Launched),
            (1, exited()),
            (101, Tick),
            (101, Launched),
            (102, CheckPassed),
            (5000, exited()),
            (5200, Tick),
            (5200, Launched),
            (5200, CheckPassed),
            (20_000, exited()),
        ],
        expect![[r#"
            0: Tick -> Launch (wake -)
            0: Launched -> Check (wake 10000)
            1: Exited("exited with status 1") -> (wake 101)
            101: Tick -> Launch (wake -)
            101: Launched -> Check (wake 10101)
            102: CheckPassed -> Ready (wake 5102)
            5000: Exited("exited with status 1") -> (wake 5200)
            5200: Tick -> Launch (wake -)
            5200: Launched -> Check (wake 15200)
            5200: CheckPassed -> Ready (wake 10200)
            20000: Exited("exited with status 1") -> (wake 20100)
            why: exited with status 1
        "#]],
    );
}

#[test]
fn one_that_does_not_become_healthy_is_ended_and_tried_again() {
    check(
        &[(0, Tick), (0, Launched), (1, refused()), (10_000, Tick), (10_500, exited())],
        expect![[r#"
            0: Tick -> Launch (wake -)
            0: Launched -> Check (wake 10000)
            1: CheckFailed("connection refused") -> (wake 101)
            10000: Tick -> Terminate (wake 15000)
            10500: Exited("exited with status 1") -> (wake 10600)
            why: not healthy within 10s: connection refused
        "#]],
    );
}

#[test]
fn three_failed_checks_in_a_row_are_too_many_and_a_suspicion_hurries_the_next() {
    check(
        &[
            (0, Tick),
            (0, Launched),
            (1, CheckPassed),
            (10, Suspect),
            (11, refused()),
            (20, Suspect),
            (21, refused()),
            (5021, Tick),
            (5022, refused()),
            (10_022, Tick),
            (10_023, exited()),
        ],
        expect![[r#"
            0: Tick -> Launch (wake -)
            0: Launched -> Check (wake 10000)
            1: CheckPassed -> Ready (wake 5001)
            10: Suspect -> Check (wake -)
            11: CheckFailed("connection refused") -> (wake 5011)
            20: Suspect -> Check (wake -)
            21: CheckFailed("connection refused") -> (wake 5021)
            5021: Tick -> Check (wake -)
            5022: CheckFailed("connection refused") -> Terminate (wake 10022)
            10022: Tick -> Kill (wake -)
            10023: Exited("exited with status 1") -> (wake 10123)
            why: failed 3 health checks: connection refused
        "#]],
    );
}

#[test]
fn one_that_ignores_sigterm_is_killed_and_then_gone() {
    check(
        &[(0, Tick), (0, Launched), (1, CheckPassed), (100, Stop), (5100, Tick), (5101, exited()), (9000, Tick)],
        expect![[r#"
            0: Tick -> Launch (wake -)
            0: Launched -> Check (wake 10000)
            1: CheckPassed -> Ready (wake 5001)
            100: Stop -> Terminate (wake 5100)
            5100: Tick -> Kill (wake -)
            5101: Exited("exited with status 1") -> Gone (wake -)
            9000: Tick -> (wake -)
        "#]],
    );
}

#[test]
fn one_that_is_told_to_stop_while_it_is_launched_or_pauses_goes_too() {
    check(
        &[(0, Tick), (1, Stop), (2, Launched), (3, exited())],
        expect![[r#"
            0: Tick -> Launch (wake -)
            1: Stop -> (wake -)
            2: Launched -> Terminate (wake 5002)
            3: Exited("exited with status 1") -> Gone (wake -)
        "#]],
    );
    check(
        &[(0, Tick), (1, Launched), (2, exited()), (3, Stop)],
        expect![[r#"
            0: Tick -> Launch (wake -)
            1: Launched -> Check (wake 10001)
            2: Exited("exited with status 1") -> (wake 102)
            3: Stop -> Gone (wake -)
            why: exited with status 1
        "#]],
    );
}
