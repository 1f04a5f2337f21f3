use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::*;

fn answer(len: usize) -> HotAnswer {
    HotAnswer { head: Box::from(*b"head"), body: vec![7; len].into(), stored: None, meters: AppMeters::new("app") }
}

fn put(table: &mut HotTable, name: &str, len: usize) {
    table.insert(table.version, name.as_bytes().into(), answer(len));
}

fn has(table: &mut HotTable, name: &str) -> bool {
    let hash = table.hash(name.as_bytes());
    table.find(hash, name.as_bytes(), 0).is_some()
}

#[test]
fn an_answer_is_found_by_its_whole_key() {
    let mut table = HotTable::new(1 << 20);
    put(&mut table, "a", 1);
    assert!(has(&mut table, "a") && !has(&mut table, "b"));
    let hash = table.hash(b"a");
    assert!(table.find(hash, b"another with the same hash", 0).is_none());
}

#[test]
fn keys_that_differ_in_any_part_differ() {
    let parts = [
        (false, "a", "/b", None),
        (true, "a", "/b", None),
        (false, "a/", "b", None),
        (false, "a", "/b", Some("gzip")),
        (false, "a", "/bgzip", None),
        (false, "", "a/b", None),
    ];
    let mut keys = std::collections::HashSet::new();
    for (tls, host, target, encoding) in parts {
        let mut key = Vec::new();
        write_key(&mut key, tls, host.as_bytes(), target.as_bytes(), encoding.map(str::as_bytes));
        assert!(keys.insert(key));
    }
}

#[test]
fn other_routes_empty_it_and_what_belongs_to_the_old_ones_does_not_get_in() {
    let mut table = HotTable::new(1 << 20);
    put(&mut table, "a", 1);
    table.follow(1);
    assert!(!has(&mut table, "a"));
    table.insert(0, Box::from(*b"b"), answer(1));
    assert!(!has(&mut table, "b"));
    assert_eq!(table.bytes, 0);
}

#[test]
fn what_was_used_stays_when_room_is_needed() {
    let mut table = HotTable::new(4 * (100 + OVERHEAD + 5));
    for name in ["a", "b", "c", "d"] {
        put(&mut table, name, 100);
    }
    assert!(has(&mut table, "a") && has(&mut table, "c"));
    put(&mut table, "e", 100);
    put(&mut table, "f", 100);
    let left: Vec<&str> = ["a", "b", "c", "d", "e", "f"].into_iter().filter(|name| has(&mut table, name)).collect();
    assert_eq!(left, ["a", "c", "e", "f"]);
    assert!(table.bytes <= table.bytes_max);
}

#[test]
fn one_that_is_too_large_does_not_drive_the_others_out() {
    let mut table = HotTable::new(1000);
    put(&mut table, "a", 1);
    put(&mut table, "b", 1000);
    assert!(has(&mut table, "a") && !has(&mut table, "b"));
}

#[test]
fn twice_within_a_while_is_worth_keeping() {
    let mut table = HotTable::new(1000);
    let (one, other) = (7 << 40, 9 << 40);
    assert!(!table.was_seen(one) && table.was_seen(one) && !table.was_seen(other) && !table.was_seen(one));
}

#[test]
fn a_stored_response_is_asked_every_time() {
    let mut table = HotTable::new(1 << 20);
    let stored = Arc::new(StoredResponse {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: Bytes::new(),
        stored_ms: 0,
        age_at_store: Duration::ZERO,
        fresh_until_ms: 100,
        varies_by_encoding_at_most: true,
        took: Duration::ZERO,
        uses: AtomicU32::new(0),
        hits: AtomicU64::new(0),
        is_gone: AtomicBool::new(false),
    });
    for purged in [false, true] {
        table.insert(0, Box::from(*b"a"), HotAnswer { stored: Some(Arc::clone(&stored)), ..answer(0) });
        let hash = table.hash(b"a");
        assert!(table.find(hash, b"a", 99).is_some());
        stored.is_gone.store(purged, Ordering::Relaxed);
        let now_ms = if purged { 99 } else { 100 };
        table.sweep(now_ms);
        assert_eq!(table.index.len(), 0, "purged: {purged}");
    }
}
