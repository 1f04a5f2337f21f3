use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

enum Step {
    Hear(Heard),
    Tick(u64),
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn acked(number: u8) -> Step {
    Step::Hear(Heard::Acked(node(number)))
}

fn failed(number: u8) -> Step {
    Step::Hear(Heard::Failed(node(number)))
}

/// Node 1 executes; deadline 500; prints the plan after each step.
fn check(replicas: &[u8], down: &[u8], steps: &[Step], trace: Expect) {
    let down: Vec<NodeId> = down.iter().map(|n| node(*n)).collect();
    let mut plan = WritePlan::new(node(1), replicas.iter().map(|n| node(*n)), |n| !down.contains(&n), 500);
    let mut text = String::new();
    let names = |nodes: &[NodeId]| nodes.iter().map(|n| n.as_bytes()[0].to_string()).collect::<Vec<_>>().join(" ");
    let mut show = |plan: &WritePlan| {
        let (waiting, missed) = (names(plan.waiting()), names(plan.missed()));
        writeln!(text, "waiting [{waiting}] missed [{missed}] copies {} done {}", plan.copies(), plan.is_done())
            .unwrap();
    };
    show(&plan);
    for step in steps {
        match step {
            Step::Hear(heard) => plan.handle(*heard),
            Step::Tick(now_ms) => plan.tick(*now_ms),
        }
        show(&plan);
    }
    trace.assert_eq(&text);
}

#[test]
fn a_single_replica_is_done_at_once() {
    check(
        &[1],
        &[],
        &[],
        expect![[r#"
        waiting [] missed [] copies 1 done true
    "#]],
    );
}

#[test]
fn all_reachable_replicas_are_waited_for_and_an_answer_counts_once() {
    check(
        &[1, 2, 3],
        &[],
        &[acked(2), acked(2), acked(3)],
        expect![[r#"
        waiting [2 3] missed [] copies 1 done false
        waiting [3] missed [] copies 2 done false
        waiting [3] missed [] copies 2 done false
        waiting [] missed [] copies 3 done true
    "#]],
    );
}

#[test]
fn a_replica_that_is_down_is_not_waited_for_but_owed_a_hint() {
    check(
        &[1, 2, 3],
        &[3],
        &[acked(2)],
        expect![[r#"
        waiting [2] missed [3] copies 1 done false
        waiting [] missed [3] copies 2 done true
    "#]],
    );
}

#[test]
fn a_replica_that_fails_or_is_late_is_owed_a_hint_and_a_late_answer_changes_nothing() {
    check(
        &[1, 2, 3],
        &[],
        &[failed(2), Step::Tick(499), Step::Tick(500), acked(3)],
        expect![[r#"
        waiting [2 3] missed [] copies 1 done false
        waiting [3] missed [2] copies 1 done false
        waiting [3] missed [2] copies 1 done false
        waiting [] missed [2 3] copies 1 done true
        waiting [] missed [2 3] copies 1 done true
    "#]],
    );
}

#[test]
fn while_data_moves_the_owners_of_both_layouts_get_the_write_once() {
    check(
        &[1, 2, 3, 2, 3, 4],
        &[],
        &[acked(4)],
        expect![[r#"
        waiting [2 3 4] missed [] copies 1 done false
        waiting [2 3] missed [] copies 2 done false
    "#]],
    );
}
