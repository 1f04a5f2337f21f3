use expect_test::{Expect, expect};
use ringway_ports::KvStats;
use ringway_ring::NodeId;

use super::*;
use crate::api::{NodeRef, ShareView};

fn node(number: u8, reach: Reach, stats: KvStats) -> BucketOnNode {
    BucketOnNode {
        node: NodeRef { id: NodeId::from_bytes([number; 16]), name: format!("n{number}") },
        reach,
        share: ShareView { primary: 1365, held: 4096 },
        stats: (reach == Reach::Up).then_some(stats),
    }
}

fn three() -> Vec<BucketOnNode> {
    (1..=3).map(|number| node(number, Reach::Up, KvStats::default())).collect()
}

const WHOLE: Copies = Copies { nodes: 3, partitions: 4096, short: 0, lost: 0 };

fn check(spec: &Spec, copies: Copies, nodes: &[BucketOnNode], expected: Expect) {
    let words = words(spec, copies, nodes);
    let list = |title: &str, said: &[String]| -> String {
        let lines: String = said.iter().map(|line| format!("  {line}\n")).collect();
        format!("{title}\n{lines}")
    };
    let text = list("promises", &words.promises) + &list("may lose", &words.may_lose) + &list("now", &words.now);
    expected.assert_eq(&format!("{text}{}\n", if words.is_well { "well" } else { "not well" }));
}

fn disk(durability: Durability) -> Spec {
    Spec { storage: Storage::Disk, durability: Some(durability), ..Spec::default() }
}

#[test]
fn a_cache_on_three_nodes() {
    check(
        &Spec::default(),
        WHOLE,
        &three(),
        expect![[r#"
        promises
          eventual: every node takes reads and writes; copies that came apart become equal again
          3 copies of each key on as many nodes; a write is answered when all of them that are reachable have it
          in memory: it lasts as long as one of the nodes with a copy runs
          transactions and scripts within one hash slot; MGET, MSET, DEL and their like on any keys
        may lose
          everything of a key, when all 3 nodes with a key stop at once
          what was used least, when a node's share of the limit is full
          of two writes to one string on both sides of a network partition, the earlier one; sets, hashes, lists, sorted sets and counters keep both
        now
          all is as it should be: 3 copies of each key reachable, nobody behind
        well
    "#]],
    );
}

#[test]
fn a_queue_on_disk_that_waits_for_it() {
    let spec = Spec { together: true, ..disk(Durability::Sync) };
    check(
        &spec,
        Copies { partitions: 1, ..WHOLE },
        &three(),
        expect![[r#"
            promises
              eventual: every node takes reads and writes; copies that came apart become equal again
              3 copies of each key on as many nodes; a write is answered when all of them that are reachable have it
              on disk before it is answered (fsync), on every reachable copy
              all keys in one partition: transactions, scripts and commands on several keys take any of them
            may lose
              a key, when the disks of all 3 nodes with a key are lost; nothing to a crash or a power cut
              of two writes to one string on both sides of a network partition, the earlier one; sets, hashes, lists, sorted sets and counters keep both
            now
              all is as it should be: 3 copies of each key reachable, nobody behind
            well
        "#]],
    );
}

#[test]
fn a_disk_bucket_on_one_node_only() {
    let nodes = [node(1, Reach::Up, KvStats::default())];
    check(
        &disk(Durability::Batch),
        Copies { nodes: 1, ..WHOLE },
        &nodes,
        expect![[r#"
        promises
          eventual: every node takes reads and writes; copies that came apart become equal again
          one copy of each key, on one node
          with the operating system before it is answered, on disk within 5ms
          transactions and scripts within one hash slot; MGET, MSET, DEL and their like on any keys
        may lose
          the last 5ms, when the power of the node fails; nothing, when processes are killed
        now
          1 node for 3 copies of each key: 1 copy until others join (`ringway token`)
        not well
    "#]],
    );
}

#[test]
fn a_node_that_is_down_and_one_that_lags_are_named() {
    let mut nodes = three();
    nodes[2] = node(3, Reach::Down, KvStats::default());
    nodes[0].stats = Some(KvStats {
        behind: vec![(nodes[1].node.id, 14), (nodes[2].node.id, 1)],
        lag_ms: Some(61_500),
        staleness_ms: Some(40),
        staleness_max_ms: Some(2_500),
        damaged: 3,
        repaired: 3,
        bytes: 10,
        limit: 10,
        ..KvStats::default()
    });
    check(
        &disk(Durability::Memory),
        Copies { short: 4096, lost: 12, ..WHOLE },
        &nodes,
        expect![[r#"
        promises
          eventual: every node takes reads and writes; copies that came apart become equal again
          3 copies of each key on as many nodes; a write is answered when all of them that are reachable have it
          answered from memory, on disk a little later
          transactions and scripts within one hash slot; MGET, MSET, DEL and their like on any keys
        may lose
          the last few seconds, when the processes of all 3 nodes with a key are killed at once or their power fails
          of two writes to one string on both sides of a network partition, the earlier one; sets, hashes, lists, sorted sets and counters keep both
        now
          the keys of 12 of 4096 partitions cannot be read or written: no node with a copy is reachable (n3 is down)
          the keys of 4084 of 4096 partitions have fewer copies than they should (n3 is down)
          n1 is full: writes are refused until keys go, or `ringway bucket set --limit` gives it more
          n2 lacks writes in 14 partitions, the oldest for 1m1s; they are brought to it
          n3 lacks writes in 1 partition, the oldest for 1m1s; they are brought to it
          n1 found 3 damaged entries on its disk and has them again from a copy: look at that disk
          copies were at most 40ms old in the last minute, 2s500ms at worst since they started
        not well
    "#]],
    );
}

#[test]
fn no_bucket_is_promised_what_its_weakest_part_cannot_keep() {
    for durability in Durability::ALL {
        let words = words(&disk(durability), WHOLE, &three());
        let text = format!("{:?}", words);
        assert_eq!(text.contains("fsync"), durability == Durability::Sync, "{text}");
        assert_eq!(text.contains("5ms"), durability == Durability::Batch, "{text}");
    }
    let memory = format!("{:?}", words(&Spec::default(), WHOLE, &three()));
    assert!(!memory.contains("on disk"), "{memory}");
}
