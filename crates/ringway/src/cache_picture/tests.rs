use expect_test::expect;
use ringway_control::api::NodeRef;
use ringway_ring::NodeId;

use super::*;

fn figures() -> CacheFigures {
    CacheFigures {
        responses: 1200,
        bytes: 64_000_000,
        bytes_limit: 256_000_000,
        hits: 9_000,
        stale_hits: 10,
        misses: 500,
        bypassed: 77,
        collapsed: 490,
        revalidations: 3,
        evicted: 2,
        purged: 1,
        saved_bytes: 3_000_000_000,
        saved_ms: 560_000,
    }
}

#[test]
fn the_share_of_hits_is_a_bar_for_all_and_for_each_node() {
    let node = NodeRef { id: NodeId::from_bytes([1; 16]), name: "n1".into() };
    let idle = NodeRef { id: NodeId::from_bytes([2; 16]), name: "n2".into() };
    let view = CacheView {
        total: figures(),
        nodes: vec![
            CacheOnNode { node, figures: figures() },
            CacheOnNode { node: idle, figures: CacheFigures { bytes_limit: 1_000_000, ..CacheFigures::default() } },
        ],
        missing: vec![("n3".into(), "not reachable".into())],
    };
    expect![[r#"
        cache       ██████████████████████████████████████░░ 95.0 % answered without asking an app
          saved     9 min of apps' time, 3.0 GB of bodies
          holds     1200 responses, 64.0 MB of 256.0 MB

        NODE  HITS OF ALL        HITS  STALE  WAITED  MISSES  BYPASSED  MEMORY                          EVICTED  PURGED
        n1    ██████████ 95.0 %  9000  10     490     500     77        ███░░░░░░░ 64.0 MB of 256.0 MB  2        1
        n2    -                  0     0      0       0       0         ░░░░░░░░░░ 0 B of 1.0 MB        0        0
        without n3: not reachable"#]]
    .assert_eq(&draw_stats(&view));
}

#[test]
fn a_cache_that_nobody_has_used_says_so() {
    assert!(
        draw_stats(&CacheView::default()).starts_with("cache       no request could have been answered from it yet\n")
    );
}

#[test]
fn what_is_stored_is_listed_with_what_is_strange_in_it_made_harmless() {
    let entry = CacheEntryView {
        node: "n1".into(),
        url: format!("http://shop.test/\x1b{}", "x".repeat(100)),
        app: "shop".into(),
        status: 404,
        bytes: 1_500,
        age_ms: 61_000,
        fresh_for_seconds: -3,
        uses: 12_345,
        tags: vec!["red".into(), "blue".into()],
        vary: vec![("accept".into(), "text/html".into())],
        owner: None,
    };
    let list = CacheEntries { entries: vec![entry], missing: vec![] };
    expect![[r#"
        URL                                                            STATUS  BYTES   AGE   FRESH FOR  USES    NODE  OWNER  VARIES BY          TAGS
        http://shop.test/�xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  404     1.5 kB  1m1s  stale 3s   12.3 k  n1    ?      accept: text/html  red blue"#]].assert_eq(&draw_entries(&list));
}
