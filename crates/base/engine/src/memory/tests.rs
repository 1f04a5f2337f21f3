use ringway_causality::Version;
use ringway_ring::partition_of;

use super::*;

fn put(store: &MemoryStore, key: &str, len: usize, wall_ms: u64) {
    let cell = Cell::new(Version { wall_ms, count: 0, node: 1 }, Bytes::from(vec![b'x'; len]), None);
    store.update(partition_of(key.as_bytes()), key.as_bytes(), |_| (Some(cell), ()));
}

fn has(store: &MemoryStore, key: &str) -> bool {
    store.get(partition_of(key.as_bytes()), key.as_bytes()).is_some()
}

#[test]
fn eviction_keeps_the_bucket_within_its_limit_and_what_is_used_stays_longer() {
    let store = MemoryStore::new(200_000);
    put(&store, "hot", 100, 1);
    for number in 0..5_000 {
        assert!(has(&store, "hot"), "evicted at {number}");
        put(&store, &format!("cold:{number}"), 100, 1);
        assert!(store.usage().bytes <= 200_000);
    }
    let usage = store.usage();
    assert!(usage.bytes > 190_000, "{usage:?}");
    assert_eq!(
        usage.keys,
        Partition::all()
            .map(|p| store.page(p, 0, PageLimit { cells_max: 9999, bytes_max: 1 << 20 }).cells.len() as u64)
            .sum()
    );
}

#[test]
fn a_value_larger_than_the_limit_is_refused() {
    let store = MemoryStore::new(1_000);
    assert!(store.admit(1_000).is_ok());
    assert!(matches!(store.admit(1_001), Err(Error::BucketFull { limit: 1_000 })));
}

#[test]
fn a_value_does_not_hold_on_to_the_buffer_it_came_in() {
    let store = MemoryStore::new(1 << 20);
    let buffer = Bytes::from(vec![b'x'; 1 << 16]);
    let cell = Cell::new(Version::default(), buffer.slice(10..12), None);
    store.update(Partition(0), b"k", |_| (Some(cell), ()));
    assert!(buffer.is_unique());
}
