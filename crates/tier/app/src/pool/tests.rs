use expect_test::{Expect, expect};

use super::*;

const LIMITS: Limits = Limits { instances_max: 2, concurrency: 1, queue_max: 2, idle: Duration::from_secs(30) };

/// Feeds the inputs at their times (milliseconds) and compares what comes out.
fn check(limits: Limits, steps: &[(u64, Input)], expected: Expect) {
    let begin = Instant::now();
    let mut pool = Pool::new(limits);
    let mut trace = String::new();
    for (ms, input) in steps {
        let mut out = Vec::new();
        trace += &format!("{ms}: {input:?} ->");
        pool.step(begin + Duration::from_millis(*ms), input.clone(), &mut out);
        trace += &out.iter().map(|output| format!(" {output:?}")).collect::<String>();
        trace += "\n";
    }
    expected.assert_eq(&trace);
}

use Input::*;

#[test]
fn the_first_request_starts_an_instance_that_the_next_one_finds_warm() {
    check(
        LIMITS,
        &[(0, Wanted(1)), (5, Started(1)), (9, Done(1)), (20, Wanted(2)), (30, Done(1))],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            5: Started(1) -> Grant(1, 1)
            9: Done(1) ->
            20: Wanted(2) -> Grant(2, 1)
            30: Done(1) ->
        "#]],
    );
}

#[test]
fn an_idle_instance_goes_and_a_busy_one_stays() {
    check(
        LIMITS,
        &[(0, Wanted(1)), (0, Started(1)), (40_000, Tick), (50_000, Done(1)), (79_999, Tick), (80_000, Tick)],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Started(1) -> Grant(1, 1)
            40000: Tick ->
            50000: Done(1) ->
            79999: Tick ->
            80000: Tick -> Stop(1)
        "#]],
    );
}

#[test]
fn more_requests_start_more_instances_up_to_the_maximum_then_wait_then_are_refused() {
    check(
        LIMITS,
        &[
            (0, Wanted(1)),
            (0, Wanted(2)),
            (1, Started(1)),
            (1, Started(2)),
            (2, Wanted(3)),
            (2, Wanted(4)),
            (2, Wanted(5)),
            (3, GaveUp(3)),
            (4, Done(2)),
        ],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Wanted(2) -> Start(2)
            1: Started(1) -> Grant(1, 1)
            1: Started(2) -> Grant(2, 2)
            2: Wanted(3) ->
            2: Wanted(4) ->
            2: Wanted(5) -> Refuse(5, QueueFull)
            3: GaveUp(3) ->
            4: Done(2) -> Grant(4, 2)
        "#]],
    );
}

#[test]
fn the_instance_used_last_is_used_again_so_that_the_other_becomes_idle() {
    check(
        LIMITS,
        &[
            (0, Wanted(1)),
            (0, Wanted(2)),
            (1, Started(1)),
            (1, Started(2)),
            (5, Done(2)),
            (6, Done(1)),
            (10_000, Wanted(3)),
            (10_001, Done(1)),
            (30_005, Tick),
        ],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Wanted(2) -> Start(2)
            1: Started(1) -> Grant(1, 1)
            1: Started(2) -> Grant(2, 2)
            5: Done(2) ->
            6: Done(1) ->
            10000: Wanted(3) -> Grant(3, 1)
            10001: Done(1) ->
            30005: Tick -> Stop(2)
        "#]],
    );
}

#[test]
fn a_function_that_does_not_start_is_tried_again_later_and_later() {
    let failed = |id| StartFailed(id, "exited".to_owned());
    check(
        LIMITS,
        &[
            (0, Wanted(1)),
            (0, Wanted(2)),
            (5, failed(1)),
            (5, failed(2)),
            (50, Wanted(3)),
            (205, Wanted(4)),
            (210, failed(3)),
            (600, Wanted(5)),
            (610, Wanted(6)),
            (700, Started(4)),
        ],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Wanted(2) -> Start(2)
            5: StartFailed(1, "exited") ->
            5: StartFailed(2, "exited") -> Refuse(1, NotStarting("exited")) Refuse(2, NotStarting("exited"))
            50: Wanted(3) -> Refuse(3, NotStarting("exited"))
            205: Wanted(4) -> Start(3)
            210: StartFailed(3, "exited") -> Refuse(4, NotStarting("exited"))
            600: Wanted(5) -> Refuse(5, NotStarting("exited"))
            610: Wanted(6) -> Start(4)
            700: Started(4) -> Grant(6, 4)
        "#]],
    );
}

#[test]
fn a_lost_instance_is_replaced_for_those_who_wait() {
    let limits = Limits { instances_max: 1, ..LIMITS };
    check(
        limits,
        &[(0, Wanted(1)), (1, Started(1)), (2, Wanted(2)), (3, Lost(1)), (4, Started(2)), (5, Done(1))],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            1: Started(1) -> Grant(1, 1)
            2: Wanted(2) ->
            3: Lost(1) -> Start(2)
            4: Started(2) -> Grant(2, 2)
            5: Done(1) ->
        "#]],
    );
}

#[test]
fn one_instance_serves_as_many_at_once_as_it_may() {
    let limits = Limits { instances_max: 1, concurrency: 2, ..LIMITS };
    check(
        limits,
        &[(0, Wanted(1)), (0, Wanted(2)), (1, Started(1)), (2, Wanted(3)), (3, Done(1))],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Wanted(2) ->
            1: Started(1) -> Grant(1, 1) Grant(2, 1)
            2: Wanted(3) ->
            3: Done(1) -> Grant(3, 1)
        "#]],
    );
}

#[test]
fn a_closed_pool_ends_its_instances_as_they_become_free() {
    check(
        LIMITS,
        &[
            (0, Wanted(1)),
            (0, Wanted(2)),
            (1, Started(1)),
            (1, Started(2)),
            (2, Done(1)),
            (3, Close),
            (4, Wanted(3)),
            (5, Done(2)),
        ],
        expect![[r#"
            0: Wanted(1) -> Start(1)
            0: Wanted(2) -> Start(2)
            1: Started(1) -> Grant(1, 1)
            1: Started(2) -> Grant(2, 2)
            2: Done(1) ->
            3: Close -> Stop(1)
            4: Wanted(3) -> Refuse(3, Closed)
            5: Done(2) -> Stop(2)
        "#]],
    );
}

#[test]
fn the_next_wake_is_when_the_first_instance_becomes_idle() {
    let begin = Instant::now();
    let mut pool = Pool::new(LIMITS);
    assert_eq!(pool.next_wake(), None);
    pool.step(begin, Wanted(1), &mut Vec::new());
    pool.step(begin, Started(1), &mut Vec::new());
    assert_eq!(pool.next_wake(), None, "it is busy");
    pool.step(begin, Done(1), &mut Vec::new());
    assert_eq!(pool.next_wake(), Some(begin + LIMITS.idle));
}
