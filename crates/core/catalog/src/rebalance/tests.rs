use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::tests::{cluster, join, node};
use crate::{Catalog, Command, Stamped};

#[derive(Clone, Copy)]
enum Step {
    Join(u8),
    Leave(u8),
    Remove(u8),
    GiveUp(u8),
    TakeBack(u8),
    /// Node, how many epochs ago, partitions below.
    Synced(u8, u64, u16),
    Restarts(u8),
    Cancel,
    Rebalance,
}
use Step::*;

/// From a settled cluster of nodes 1 to `count`: what each step does, and how many partitions each node answers for afterwards.
fn check(count: u8, steps: &[Step], trace: Expect) -> Catalog {
    let mut catalog = cluster(count);
    let mut text = show(&catalog);
    for step in steps {
        let done = take(&mut catalog, *step);
        let what = match done {
            Ok(Outcome::Done) => "noted".to_owned(),
            Ok(_) => show(&catalog),
            Err(refusal) => format!("refused: {refusal}\n"),
        };
        writeln!(text, "{}: {}", name(*step), what.trim_end()).unwrap();
    }
    trace.assert_eq(&text);
    catalog
}

fn take(catalog: &mut Catalog, step: Step) -> Result<Outcome, Refusal> {
    let id = |number: u8| node(number).id;
    let command = match step {
        Join(number) => return join(catalog, number),
        Leave(number) => Command::Leave { node: id(number) },
        Remove(number) => Command::Remove { node: id(number) },
        GiveUp(number) => Command::GiveUp { node: id(number) },
        TakeBack(number) => Command::TakeBack { node: id(number) },
        Synced(number, ago, below) => Command::Synced {
            node: id(number),
            epoch: catalog.epoch - ago,
            partitions: Some((0..below).map(Partition).collect()),
        },
        Restarts(number) => Command::Unsync { node: id(number) },
        Cancel => Command::CancelMoves,
        Rebalance => Command::Rebalance,
    };
    catalog.apply(Stamped { now_ms: 0, command })
}

fn name(step: Step) -> String {
    match step {
        Join(n) => format!("{n} joins"),
        Leave(n) => format!("{n} leaves"),
        Remove(n) => format!("{n} is removed"),
        GiveUp(n) => format!("{n} is given up"),
        TakeBack(n) => format!("{n} is back"),
        Synced(n, 0, below) => format!("{n} has all below {below}"),
        Synced(n, ago, below) => format!("{n} had all below {below}, {ago} epochs ago"),
        Restarts(n) => format!("{n} starts again"),
        Cancel => "cancel".to_owned(),
        Rebalance => "rebalance".to_owned(),
    }
}

/// Epoch, moving partitions, and `node:answers>is to`.
fn show(catalog: &Catalog) -> String {
    let (now, next) = (catalog.read_layout().shares(), catalog.layout.shares());
    let held = |shares: &std::collections::BTreeMap<NodeId, ringway_ring::layout::Share>, id: &NodeId| {
        shares.get(id).map_or(0, |share| share.held)
    };
    let mut ids: Vec<NodeId> = now.keys().chain(next.keys()).copied().collect();
    ids.sort();
    ids.dedup();
    let shares: Vec<String> = ids
        .iter()
        .filter(|id| held(&now, id) + held(&next, id) > 0)
        .map(|id| match (held(&now, id), held(&next, id)) {
            (now, next) if now == next => format!("{}:{now}", id.as_bytes()[0]),
            (now, next) => format!("{}:{now}>{next}", id.as_bytes()[0]),
        })
        .collect();
    format!("epoch {} moving {} | {}\n", catalog.epoch, catalog.moves.len(), shares.join(" "))
}

#[test]
fn a_newcomer_answers_partition_by_partition_as_it_gets_them() {
    check(
        3,
        &[
            Join(4),
            Synced(4, 0, 1024),
            Synced(4, 0, 1024),
            Synced(1, 0, 4096),
            Synced(2, 0, 4096),
            Synced(3, 0, 4096),
            Synced(4, 0, 4096),
        ],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            4 has all below 1024: epoch 7 moving 2388 | 1:3755>3072 2:4010>3072 3:3839>3072 4:684>3072
            4 has all below 1024: noted
            1 has all below 4096: noted
            2 has all below 4096: noted
            3 has all below 4096: noted
            4 has all below 4096: epoch 8 moving 0 | 1:3072 2:3072 3:3072 4:3072
        "#]],
    );
}

#[test]
fn a_second_node_may_join_while_the_first_fetches_and_what_that_has_stays() {
    check(
        3,
        &[
            Join(4),
            Synced(4, 0, 2048),
            Join(5),
            Synced(4, 0, 4096),
            Synced(5, 0, 4096),
            Synced(1, 0, 4096),
            Synced(2, 0, 4096),
            Synced(3, 0, 4096),
        ],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            4 has all below 2048: epoch 7 moving 1535 | 1:3414>3072 2:3754>3072 3:3583>3072 4:1537>3072
            5 joins: epoch 8 moving 2999 | 1:3414>2458 2:3754>2458 3:3583>2458 4:1537>2457 5:0>2457
            4 has all below 4096: epoch 9 moving 2457 | 1:3414>2458 2:3487>2458 3:3308>2458 4:2079>2457 5:0>2457
            5 has all below 4096: epoch 10 moving 0 | 1:2458 2:2458 3:2458 4:2457 5:2457
            1 has all below 4096: noted
            2 has all below 4096: noted
            3 has all below 4096: noted
        "#]],
    );
}

#[test]
fn a_node_may_leave_while_another_joins() {
    check(
        3,
        &[Join(4), Leave(2), Synced(4, 0, 4096), Synced(1, 0, 4096), Synced(3, 0, 4096), Remove(2)],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            2 leaves: epoch 7 moving 4096 | 1:4096 2:4096>0 3:4096 4:0>4096
            4 has all below 4096: epoch 8 moving 1970 | 1:4096 2:1970>0 3:4096 4:2126>4096
            1 has all below 4096: epoch 9 moving 1254 | 1:4096 2:1254>0 3:4096 4:2842>4096
            3 has all below 4096: epoch 10 moving 0 | 1:4096 3:4096 4:4096
            2 is removed: noted
        "#]],
    );
}

#[test]
fn a_dead_node_that_is_removed_while_data_moves_is_not_waited_for() {
    check(
        3,
        &[Join(4), Remove(4), Join(5), Remove(3), Synced(5, 0, 4096), Synced(1, 0, 4096), Synced(2, 0, 4096)],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            4 is removed: epoch 7 moving 2388 | 1:4096 2:4096 3:4096
            5 joins: epoch 8 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 5:0>3072
            3 is removed: epoch 9 moving 4096 | 1:4096 2:4096 3:4096>0 5:0>4096
            5 has all below 4096: epoch 10 moving 1184 | 1:4096 2:4096 3:1184>0 5:2912>4096
            1 has all below 4096: epoch 11 moving 776 | 1:4096 2:4096 3:776>0 5:3320>4096
            2 has all below 4096: epoch 12 moving 0 | 1:4096 2:4096 5:4096
        "#]],
    );
}

#[test]
fn a_cancelled_change_leaves_everything_where_it_answers_until_it_is_taken_up_again() {
    check(
        3,
        &[
            Cancel,
            Join(4),
            Synced(1, 0, 2048),
            Synced(2, 0, 2048),
            Synced(3, 0, 2048),
            Synced(4, 0, 2048),
            Leave(1),
            Cancel,
            Synced(4, 0, 4096),
            Rebalance,
            Cancel,
        ],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            cancel: refused: nothing is moving: the ring is settled in epoch 5
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            1 has all below 2048: noted
            2 has all below 2048: noted
            3 has all below 2048: noted
            4 has all below 2048: epoch 7 moving 1535 | 1:3414>3072 2:3754>3072 3:3583>3072 4:1537>3072
            1 leaves: epoch 8 moving 3441 | 1:3414>0 2:3754>4096 3:3583>4096 4:1537>4096
            cancel: epoch 9 moving 0 | 1:3414 2:3754 3:3583 4:1537
            4 has all below 4096: noted
            rebalance: epoch 10 moving 1535 | 1:3414>3072 2:3754>3072 3:3583>3072 4:1537>3072
            cancel: epoch 11 moving 0 | 1:3414 2:3754 3:3583 4:1537
        "#]],
    );
}

#[test]
fn the_second_node_of_all_may_be_cancelled_half_way() {
    let catalog = check(
        1,
        &[Join(2), Synced(2, 0, 1000), Synced(1, 0, 1000), Cancel],
        expect![[r#"
        epoch 1 moving 0 | 1:4096
        2 joins: epoch 2 moving 4096 | 1:4096 2:0>4096
        2 has all below 1000: epoch 3 moving 3096 | 1:4096 2:1000>4096
        1 has all below 1000: noted
        cancel: epoch 4 moving 0 | 1:4096 2:1000
    "#]],
    );
    let copies = |p: u16| catalog.layout.owners(Partition(p)).len();
    assert_eq!((copies(999), copies(1000)), (2, 1));
    let json = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), catalog);
}

#[test]
fn a_report_from_before_the_row_changed_is_refused_and_says_why() {
    let catalog = check(
        3,
        &[
            Join(4),
            Synced(4, 1, 4096),
            Synced(4, 0, 100),
            Leave(1),
            Synced(4, 1, 4096),
            Restarts(4),
            Synced(4, 1, 4096),
        ],
        expect![[r#"
            epoch 5 moving 0 | 1:4096 2:4096 3:4096
            4 joins: epoch 6 moving 3072 | 1:4096>3072 2:4096>3072 3:4096>3072 4:0>3072
            4 had all below 4096, 1 epochs ago: refused: node 04040404040404040404040404040404 speaks of epoch 5, the ring is in epoch 6: what it has fetched may lack writes, it has to compare again
            4 has all below 100: epoch 7 moving 3012 | 1:4061>3072 2:4096>3072 3:4071>3072 4:60>3072
            1 leaves: epoch 8 moving 4075 | 1:4061>0 2:4096 3:4071>4096 4:60>4096
            4 had all below 4096, 1 epochs ago: epoch 9 moving 3099 | 1:3085>0 2:4096 3:4071>4096 4:1036>4096
            4 starts again: epoch 10 moving 3099 | 1:3085>0 2:4096 3:4071>4096 4:1036>4096
            4 had all below 4096, 1 epochs ago: refused: node 04040404040404040404040404040404 speaks of epoch 9, the ring is in epoch 10: what it has fetched may lack writes, it has to compare again
        "#]],
    );
    assert!(catalog.is_moving());
}

#[test]
fn a_node_that_starts_again_takes_back_what_it_said() {
    let catalog = check(
        4,
        &[Leave(1), Synced(2, 0, 4096), Restarts(2), Synced(3, 0, 4096), Synced(4, 0, 4096)],
        expect![[r#"
            epoch 7 moving 0 | 1:3072 2:3072 3:3072 4:3072
            1 leaves: epoch 8 moving 3099 | 1:3072>0 2:3072>4096 3:3072>4096 4:3072>4096
            2 has all below 4096: epoch 9 moving 2870 | 1:2843>0 2:3301>4096 3:3072>4096 4:3072>4096
            2 starts again: epoch 10 moving 2870 | 1:2843>0 2:3301>4096 3:3072>4096 4:3072>4096
            3 has all below 4096: epoch 11 moving 2700 | 1:2673>0 2:3301>4096 3:3242>4096 4:3072>4096
            4 has all below 4096: epoch 12 moving 1619 | 1:1619>0 2:3301>4096 3:3640>4096 4:3728>4096
        "#]],
    );
    let waits_for_it = |p: Partition| catalog.gainers(p).contains(&node(2).id);
    assert!(catalog.moves.partitions().all(waits_for_it), "only what the one that restarted is to get");
}

#[test]
fn what_a_dead_node_held_is_copied_elsewhere_and_it_comes_back_to_what_was_not() {
    check(
        5,
        &[
            GiveUp(5),
            GiveUp(5),
            Synced(1, 0, 2048),
            Synced(2, 0, 2048),
            Synced(3, 0, 2048),
            Synced(4, 0, 2048),
            TakeBack(5),
            TakeBack(5),
        ],
        expect![[r#"
            epoch 9 moving 0 | 1:2458 2:2458 3:2458 4:2457 5:2457
            5 is given up: epoch 10 moving 2477 | 1:2458>3072 2:2458>3072 3:2458>3072 4:2457>3072 5:2457>0
            5 is given up: noted
            1 has all below 2048: epoch 11 moving 2440 | 1:2481>3072 2:2458>3072 3:2458>3072 4:2457>3072 5:2434>0
            2 has all below 2048: epoch 12 moving 2322 | 1:2593>3072 2:2458>3072 3:2458>3072 4:2457>3072 5:2322>0
            3 has all below 2048: epoch 13 moving 1713 | 1:2824>3072 2:2588>3072 3:2706>3072 4:2457>3072 5:1713>0
            4 has all below 2048: epoch 14 moving 1230 | 1:2884>3072 2:2644>3072 3:2711>3072 4:2819>3072 5:1230>0
            5 is back: epoch 15 moving 1227 | 1:2884>2458 2:2644>2458 3:2711>2458 4:2819>2457 5:1230>2457
            5 is back: noted
        "#]],
    );
    check(
        3,
        &[GiveUp(3)],
        expect![[r#"
        epoch 5 moving 0 | 1:4096 2:4096 3:4096
        3 is given up: refused: what node 03030303030303030303030303030303 holds can be copied nowhere else: that takes 4 active nodes
    "#]],
    );
}

#[test]
fn messages_from_nodes_that_were_removed_are_refused() {
    check(
        3,
        &[Leave(3), Remove(3), Synced(3, 0, 4096), Restarts(3), TakeBack(3)],
        expect![[r#"
        epoch 5 moving 0 | 1:4096 2:4096 3:4096
        3 leaves: epoch 6 moving 1365 | 1:4096 2:4096 3:1365>0
        3 is removed: noted
        3 has all below 4096: refused: there is no node 03030303030303030303030303030303
        3 starts again: refused: there is no node 03030303030303030303030303030303
        3 is back: refused: there is no node 03030303030303030303030303030303
    "#]],
    );
}

#[test]
fn a_mark_outlives_a_change_only_while_the_node_is_meant_all_the_time() {
    // 4 has everything where 5 has to come as well, and 6 joins: what 4 keeps, it need not say again.
    let mut catalog = cluster(3);
    join(&mut catalog, 4).unwrap();
    join(&mut catalog, 5).unwrap();
    let (four, epoch) = (node(4).id, catalog.epoch);
    catalog.note_synced(four, epoch, None).unwrap();
    let marked = |catalog: &Catalog| -> Vec<Partition> {
        catalog.moves.partitions().filter(|p| catalog.moves.has_synced(*p, four)).collect()
    };
    let before = marked(&catalog);
    join(&mut catalog, 6).unwrap();
    let after = marked(&catalog);
    assert!(!after.is_empty() && after.len() < before.len(), "{} of {}", after.len(), before.len());
    assert!(after.iter().all(|p| before.contains(p)));
    let place = |p: &Partition| catalog.layout.owners(*p).position(|node| node == four);
    assert!(after.iter().all(|p| place(p).is_some()));
}

#[test]
fn a_join_moves_the_ideal_even_when_it_comes_in_the_middle_of_another() {
    let mut catalog = cluster(5);
    let before = catalog.layout.clone();
    join(&mut catalog, 6).unwrap();
    let epoch = catalog.epoch;
    catalog.note_synced(node(6).id, epoch, Some(&(0..2000).map(Partition).collect())).unwrap();
    join(&mut catalog, 7).unwrap();
    let ideal = (ringway_ring::PARTITION_COUNT * 3 * 2) as f64 / 7.0;
    // What 6 was given and has to give to 7 again is on top: a seventh of its share.
    assert!((before.moves_to(&catalog.layout) as f64) <= 1.02 * ideal, "{}", before.moves_to(&catalog.layout));
}
