//! What the admin API does with a bucket: keys out and in, figures, changes as they happen.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{Existing, Kv, KvPattern, KvRecord, KvValue};

use crate::world::{World, key, write_keys};

fn string(key: &str, value: &str) -> KvRecord {
    let value = KvValue::String(Bytes::copy_from_slice(value.as_bytes()));
    KvRecord { value, ..KvRecord::empty(Bytes::copy_from_slice(key.as_bytes())) }
}

/// Every key with its record, and how many pages that took.
async fn all(kv: &dyn Kv, bucket: &str, bytes_max: usize) -> (BTreeMap<Bytes, KvRecord>, usize) {
    let (mut records, mut cursor, mut pages) = (BTreeMap::new(), 0, 0);
    loop {
        let page = kv.export(bucket, cursor, bytes_max).await.unwrap();
        pages += 1;
        for record in page.records {
            assert!(records.insert(record.key.clone(), record).is_none(), "each key comes once");
        }
        cursor = page.cursor;
        if cursor == 0 {
            return (records, pages);
        }
    }
}

#[tokio::test]
async fn an_export_through_any_node_has_every_key_of_all_nodes_once() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    write_keys(&world, "b", &[1, 2, 3], 300).await;
    for number in 1..=3 {
        let (records, pages) = all(&*world.kv(number), "b", 500).await;
        assert_eq!(records.len(), 300);
        assert!(pages > 5 && records.contains_key(&key(7)), "{pages} pages");
    }
    let (_, pages) = all(&*world.kv(1), "b", 10 << 20).await;
    assert_eq!(pages, 1);
}

#[tokio::test]
async fn what_was_exported_is_imported_as_it_was_and_a_second_time_changes_nothing() {
    let world = World::new(2).await;
    world.bucket("from", |_| {});
    // All in one partition: a page ends within it.
    world.bucket("to", |spec| spec.together = true);
    let kv = world.kv(1);
    let b = |text: &'static str| Bytes::from_static(text.as_bytes());
    let expires_ms = Some(ringway_rt::clock::wall_ms() + 3_600_000);
    let of = |key: &'static str, value| KvRecord { value, expires_ms: None, ..KvRecord::empty(b(key)) };
    let mut records = vec![
        KvRecord { expires_ms, ..string("text", "v") },
        of("list", KvValue::List(vec![b("a"), b("b"), b("a")])),
        of("hash", KvValue::Hash(vec![(b("f"), b("v"))])),
        of("set", KvValue::Set(vec![b("m")])),
        of("zset", KvValue::SortedSet(vec![(b("low"), -0.5), (b("high"), f64::INFINITY)])),
        KvRecord { expires_ms: Some(1), ..string("gone", "v") },
    ];
    records.extend((0..100).map(|number| string(&format!("many:{number}"), "x")));
    assert_eq!(kv.import("from", records, Existing::Replace).await.unwrap(), 105, "what has expired is left out");
    let (out, _) = all(&*world.kv(2), "from", 1 << 20).await;
    for _ in 0..2 {
        let records = out.values().cloned().collect();
        assert_eq!(world.kv(2).import("to", records, Existing::Replace).await.unwrap(), 105);
        let (back, pages) = all(&*kv, "to", 100).await;
        assert_eq!(back, out);
        assert!(pages > 5, "{pages} pages");
    }
    assert_eq!(kv.read("to", b("text")).await.unwrap(), Some(out[&b("text")].clone()));
    assert_eq!(kv.read("to", b("none")).await.unwrap(), None);
    let kept = vec![string("text", "other"), string("new", "v")];
    assert_eq!(kv.import("to", kept, Existing::Keep).await.unwrap(), 1);
    let more = KvRecord { continues: true, ..string("text", " and more") };
    kv.import("to", vec![more], Existing::Replace).await.unwrap();
    assert_eq!(kv.get("to", b("text")).await.unwrap(), Some(b("v and more")));
    let wrong = KvRecord { continues: true, ..string("list", "more") };
    let error = kv.import("to", vec![wrong], Existing::Replace).await.unwrap_err().to_string();
    assert!(error.contains("WRONGTYPE"), "{error}");
}

#[tokio::test]
async fn figures_of_all_nodes_add_up() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    write_keys(&world, "b", &[1, 2, 3], 60).await;
    for number in 0..90 {
        world.kv(1 + (number % 3) as u8).get("b", key(number)).await.unwrap();
    }
    let stats: Vec<_> = (1..=3).map(|number| world.kv(number).stats("b").unwrap()).collect();
    let sum = |get: fn(&ringway_ports::KvStats) -> u64| stats.iter().map(get).sum::<u64>();
    assert_eq!((sum(|stats| stats.keys), sum(|stats| stats.keys_primary.unwrap())), (120, 60));
    assert_eq!((sum(|stats| stats.hits), sum(|stats| stats.misses)), (60, 30));
    assert_eq!(sum(|stats| stats.ops), 150, "each command counts at the node that ran it");
    assert!(stats.iter().all(|stats| stats.limit > 0), "{stats:?}");
    assert!(stats.iter().any(|stats| stats.staleness_max_ms.is_some()), "{stats:?}");
    let top = world.kv(2).top("b", 5).await.unwrap();
    assert_eq!((top.walked, top.keys, top.big.len()), (stats[1].keys, stats[1].keys, 5));
}

#[tokio::test]
async fn a_change_is_told_by_the_node_that_executed_it_and_only_to_those_who_asked() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    let all = || KvPattern::Glob(Bytes::from_static(b"*"));
    world.kv(1).set("b", key(0), Bytes::from_static(b"unseen"), None).await.unwrap();
    let mut from = Vec::new();
    for number in 1..=3 {
        from.push(world.kv(number).changes("b", all(), None, Duration::ZERO).await.unwrap().next);
    }
    write_keys(&world, "b", &[1, 2, 3], 30).await;
    world.kv(3).del("b", key(7)).await.unwrap();
    let mut told = Vec::new();
    for (number, from) in (1..=3).zip(from) {
        let changes = world.kv(number).changes("b", all(), Some(from), Duration::ZERO).await.unwrap();
        assert!(changes.changes.len() < 31, "no node executes all");
        told.extend(changes.changes.into_iter().map(|change| (change.key, change.event)));
    }
    told.sort();
    let mut expected: Vec<(Bytes, String)> = (0..30).map(|number| (key(number), "set".to_owned())).collect();
    expected.push((key(7), "del".to_owned()));
    expected.sort();
    assert_eq!(told, expected);
}
