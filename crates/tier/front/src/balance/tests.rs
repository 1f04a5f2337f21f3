use expect_test::{Expect, expect};

use super::*;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn check(own: u8, ranked: &[u8], placed: usize, failed: &[u8], expected: Expect) {
    let ranked: Vec<NodeId> = ranked.iter().map(|number| node(*number)).collect();
    let mut told = String::new();
    for turn in 0..3 {
        let order = order(node(own), &ranked, placed, turn, |id| failed.iter().any(|number| node(*number) == id));
        let show = |candidates: &[Candidate]| {
            let shown = candidates.iter().map(|candidate| match candidate {
                Candidate::Here => "here".to_owned(),
                Candidate::Node(id) => id.as_bytes()[0].to_string(),
            });
            shown.collect::<Vec<String>>().join(" ")
        };
        told += &format!("{} | {}\n", show(&order.placed), show(&order.spare));
    }
    expected.assert_eq(&told);
}

#[test]
fn this_node_comes_first_when_it_is_placed() {
    check(
        2,
        &[1, 2, 3],
        2,
        &[],
        expect![[r#"
        here 1 | 3
        here 1 | 3
        here 1 | 3
    "#]],
    );
}

#[test]
fn placed_nodes_take_turns_and_spares_are_apart() {
    check(
        9,
        &[1, 2, 3],
        2,
        &[],
        expect![[r#"
        1 2 | 3
        2 1 | 3
        1 2 | 3
    "#]],
    );
}

#[test]
fn a_node_that_failed_lately_comes_after_its_equals() {
    check(
        9,
        &[1, 2, 3],
        2,
        &[1],
        expect![[r#"
        2 1 | 3
        2 1 | 3
        2 1 | 3
    "#]],
    );
    check(
        9,
        &[1, 2],
        1,
        &[1],
        expect![[r#"
        1 | 2
        1 | 2
        1 | 2
    "#]],
    );
}

#[test]
fn without_any_node_this_one_tries() {
    check(
        9,
        &[],
        1,
        &[],
        expect![[r#"
        here | 
        here | 
        here | 
    "#]],
    );
}
