use expect_test::{Expect, expect};
use ringway_control::api::{Moving, NodeRef, RingSummary, Status};

use super::*;

fn named(number: u8) -> NodeRef {
    let id = format!("{number:02x}").repeat(16).parse().expect("32 digits are an id");
    NodeRef { id, name: format!("n{number}") }
}

fn node(number: u8, reach: Reach) -> NodeView {
    let address = std::net::SocketAddr::from(([127, 0, 0, number], 1));
    NodeView {
        id: named(number).id,
        name: named(number).name,
        zone: String::new(),
        capacity: 1,
        state: ringway_catalog::NodeState::Active,
        reach,
        is_self: number == 1,
        is_leader: number == 1,
        addresses: ringway_catalog::Addresses { peer: address, http: None, https: None, redis: None, admin: address },
        joined_ms: 1,
        share: Default::default(),
        share_next: None,
        version: None,
        started_ms: None,
        memory_bytes: None,
        requests_per_second: None,
        held: None,
    }
}

fn frame(epoch: u64, nodes: Vec<NodeView>) -> RingFrame {
    let status = Status {
        cluster_id: "c".into(),
        version: "v".into(),
        node: named(1),
        started_ms: 1,
        now_ms: 2,
        leader: None,
        revision: 1,
        ring: RingSummary { epoch, partitions: 4096, replicas: 3, moving: None },
        nodes,
    };
    RingFrame { status, ring: None, transfers: Vec::new() }
}

fn moving(mut frame: RingFrame, done: u64) -> RingFrame {
    frame.status.ring.moving = Some(Moving {
        from_epoch: 2,
        to_epoch: 3,
        synced: vec!["n1".into()],
        waiting_for: vec!["n2".into()],
        copies_done: done,
        copies_total: 4096,
    });
    frame.transfers = vec![TransferView {
        from: named(1),
        to: named(2),
        partitions_done: done,
        partitions_total: 4096,
        bytes_done: done * 1000,
        bytes_total: None,
        bytes_per_second: 0,
        eta_ms: None,
        state: "moving".into(),
    }];
    frame
}

fn check(frames: &[RingFrame], expected: Expect) {
    let mut lines = changes(None, &frames[0]);
    for pair in frames.windows(2) {
        lines.extend(changes(Some(&pair[0]), &pair[1]));
    }
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_join_is_told_from_its_beginning_to_its_end() {
    let both = || vec![node(1, Reach::Up), node(2, Reach::Up)];
    let frames = [
        frame(2, vec![node(1, Reach::Up)]),
        moving(frame(3, both()), 0),
        moving(frame(3, both()), 10),
        moving(frame(3, both()), 1100),
        moving(frame(3, both()), 4096),
        frame(3, both()),
        frame(3, both()),
    ];
    check(
        &frames,
        expect![[r#"
            epoch 2, settled: n1 up
            n2 joins
            the ring moves to epoch 3: 4096 copies of partitions, waiting for n2
            n1 -> n2: 0 of 4096 copies, 0 B
            n1 -> n2: 1100 of 4096 copies, 1.1 MB
            n1 -> n2: 4096 of 4096 copies, 4.1 MB
            the ring is settled in epoch 3
            n1 -> n2: ended"#]],
    );
}

#[test]
fn a_node_that_dies_comes_back_and_leaves_is_told_each_time() {
    let mut away = node(2, Reach::Up);
    away.state = ringway_catalog::NodeState::Away;
    let mut leaving = node(2, Reach::Up);
    leaving.state = ringway_catalog::NodeState::Leaving;
    let frames = [
        frame(3, vec![node(1, Reach::Up), node(2, Reach::Up)]),
        frame(3, vec![node(1, Reach::Up), node(2, Reach::Suspect)]),
        frame(3, vec![node(1, Reach::Up), node(2, Reach::Down)]),
        frame(3, vec![node(1, Reach::Up), node(2, Reach::Up)]),
        frame(3, vec![node(1, Reach::Up), away]),
        frame(3, vec![node(1, Reach::Up), leaving]),
        frame(5, vec![node(1, Reach::Up)]),
    ];
    check(
        &frames,
        expect![[r#"
            epoch 3, settled: n1 up, n2 up
            n2 is suspect
            n2 is down
            n2 is up
            n2 is given up until it comes back: others get copies of what it held
            n2 is leaving
            n2 is out of the cluster
            the ring is settled in epoch 5"#]],
    );
}

#[test]
fn a_newcomer_that_is_not_heard_of_yet_is_up_once_not_again() {
    let frames = [
        frame(2, vec![node(1, Reach::Up)]),
        frame(2, vec![node(1, Reach::Up), node(2, Reach::Suspect)]),
        frame(2, vec![node(1, Reach::Up), node(2, Reach::Up)]),
    ];
    check(
        &frames,
        expect![[r#"
            epoch 2, settled: n1 up
            n2 joins
            n2 is up"#]],
    );
}
