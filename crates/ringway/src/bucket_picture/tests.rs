use expect_test::{Expect, expect};
use ringway_control::api::{BucketWords, NodeRef, ShareView};
use ringway_manifest::Consistency;
use ringway_ring::NodeId;

use super::*;

fn node(number: u8, reach: Reach, stats: Option<KvStats>) -> BucketOnNode {
    BucketOnNode {
        node: NodeRef { id: NodeId::from_bytes([number; 16]), name: format!("n{number}") },
        reach,
        share: ShareView { primary: 1365, held: 4096 },
        stats,
    }
}

fn info(nodes: Vec<BucketOnNode>) -> BucketInfo {
    BucketInfo {
        bucket: BucketView {
            name: "shop.cart".into(),
            app: Some("shop".into()),
            consistency: Consistency::Eventual,
            replicas: 3,
            storage: Storage::Disk,
            durability: Durability::Batch,
            together: true,
            limit_bytes: 64_000_000,
            ttl_ms: Some(7 * 86_400_000),
            ops_per_second: Some(5000),
            connections: Some(20),
            created_ms: 0,
            keys_held: 300,
            bytes_held: 36_000_000,
            nodes_missing: 1,
            url: Some("redis://shop.cart:token@127.0.0.1:7379".into()),
        },
        words: BucketWords {
            promises: vec!["one thing".into(), "another".into()],
            may_lose: vec!["something".into()],
            now: vec!["n3 is down".into()],
            is_well: false,
        },
        keys: Some(100),
        hit_ratio: Some(0.9),
        nodes,
    }
}

fn check(info: &BucketInfo, expected: Expect) {
    expected.assert_eq(&format!("{}\n", BucketPicture { info, colour: false }.draw()));
}

#[test]
fn a_bucket_is_shown_with_its_nodes_the_one_that_is_down_too() {
    let stats = KvStats {
        keys: 150,
        bytes: 32_000_000,
        limit: 64_000_000,
        hits: 900,
        misses: 100,
        evicted: 12,
        expired: 45_678,
        ops: 123_456,
        ops_refused: 7,
        connections: 3,
        behind: vec![(NodeId::from_bytes([3; 16]), 12)],
        staleness_ms: Some(3),
        ..KvStats::default()
    };
    let nodes =
        vec![node(1, Reach::Up, Some(stats)), node(2, Reach::Up, Some(KvStats::default())), node(3, Reach::Down, None)];
    check(
        &info(nodes),
        expect![[r#"
        bucket shop.cart  eventual, 3 copies, disk (batch), together, limit 64.0 MB, ttl 7d
          of app    shop
          url       redis://shop.cart:token@127.0.0.1:7379
          holds     100 keys, 36.0 MB with all copies, 90.0 % of reads find their key  (without 1 node that does not answer)
          takes     5000 commands a second and 20 connections on each node
        promises
          - one thing
          - another
        may lose
          - something
        now
          - n3 is down

        NODE  STATE  FIRST  COPIES  KEYS  MEMORY OF ITS SHARE OF THE LIMIT  HITS
        n1    up     1365   2731    150   █████░░░░░ 32.0 MB of 64.0 MB     █████████░ 90.0 %
        n2    up     1365   2731    0     0 B                               -
        n3    down   1365   2731    ?     ?                                 ?

        NODE  COMMANDS  REFUSED  CLIENTS  EVICTED  EXPIRED  OWES WRITES  STALE
        n1    123.5 k   7        3        12       45.7 k   n3           3ms
        n2    0         0        0        0        0        -            -
        n3    ?         ?        ?        ?        ?        ?            ?
    "#]],
    );
}

#[test]
fn no_line_with_figures_is_wider_than_a_hundred_columns() {
    let stats = KvStats {
        keys: u64::MAX,
        bytes: 999_949_999_999,
        limit: 999_949_999_999,
        hits: 1,
        ops: u64::MAX / 2,
        evicted: u64::MAX / 2,
        expired: u64::MAX / 2,
        ..KvStats::default()
    };
    let info = info(vec![node(1, Reach::Suspect, Some(stats))]);
    let picture = BucketPicture { info: &info, colour: false };
    for text in [picture.memory(), picture.events()] {
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
