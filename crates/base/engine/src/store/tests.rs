use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ringway_ring::partition_of;

use super::*;
use crate::Disk;

const MANY: PageLimit = PageLimit { cells_max: 1_000_000, bytes_max: 1 << 30 };

struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("ringway-engine-{:016x}", ringway_rt::random::number())))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The same promises hold for both kinds.
fn with_both(test: impl Fn(&Store)) {
    test(&Store::Memory(MemoryStore::new(1 << 30)));
    let dir = TempDir::new();
    let disk = Arc::new(Disk::open(&dir.0).unwrap());
    test(&Store::Disk(DiskStore::open(disk, "b", 1 << 30).unwrap()));
}

fn version(wall_ms: u64) -> Version {
    Version { wall_ms, count: 0, node: 1 }
}

fn cell(wall_ms: u64, value: &str) -> Cell {
    Cell::new(version(wall_ms), Bytes::copy_from_slice(value.as_bytes()), None)
}

fn apply(store: &Store, key: &str, cell: Cell) -> bool {
    store.apply(partition_of(key.as_bytes()), key.as_bytes(), cell).unwrap()
}

fn get(store: &Store, key: &str) -> Option<Cell> {
    store.get(partition_of(key.as_bytes()), key.as_bytes()).unwrap()
}

#[test]
fn the_later_cell_wins_in_whatever_order_they_come() {
    with_both(|store| {
        assert!(apply(store, "k", cell(2, "new")));
        assert!(!apply(store, "k", cell(1, "old")));
        assert!(!apply(store, "k", cell(2, "new")));
        assert_eq!(get(store, "k"), Some(cell(2, "new")));
        assert!(apply(store, "k", Cell::tombstone(version(3))));
        assert_eq!(get(store, "k").unwrap().value, None);
        assert_eq!(store.usage().keys, 0);
    });
}

#[test]
fn digests_depend_on_what_is_there_and_not_on_how_it_came() {
    with_both(|store| {
        let partition = partition_of(b"{t}");
        let other = Store::Memory(MemoryStore::new(1 << 30));
        for (wall_ms, key) in [(1, "{t}a"), (2, "{t}b"), (3, "{t}a")] {
            apply(store, key, cell(wall_ms, "x"));
        }
        assert_ne!(store.digest(partition), 0);
        for (wall_ms, key) in [(3, "{t}a"), (2, "{t}b")] {
            assert_ne!(store.digest(partition), other.digest(partition));
            apply(&other, key, cell(wall_ms, "x"));
        }
        assert_eq!(store.digest(partition), other.digest(partition));
        store.drop_partition(partition).unwrap();
        assert_eq!((store.digest(partition), store.usage()), (0, Usage::default()));
        assert!(store.is_empty(partition));
    });
}

#[test]
fn pages_walk_every_key_once_in_the_same_order_everywhere() {
    with_both(|store| {
        let partition = partition_of(b"{t}");
        let keys: BTreeSet<String> = (0..100).map(|n| format!("{{t}}{n}")).collect();
        keys.iter().for_each(|key| assert!(apply(store, key, cell(1, "x"))));
        apply(store, "elsewhere", cell(1, "x"));
        let (mut walked, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            let page = store.page(partition, at, PageLimit { cells_max: 7, bytes_max: 1 << 20 }).unwrap();
            assert!(page.cells.len() <= 7);
            walked.extend(page.cells.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()));
            from = page.next;
        }
        assert!(walked.is_sorted_by_key(|key| crate::position_of(key.as_bytes())));
        assert_eq!(walked.len(), 100);
        assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), keys);
        let small = store.page(partition, 0, PageLimit { cells_max: 1_000, bytes_max: 1 }).unwrap();
        assert_eq!(small.cells.len(), 1);
    });
}

#[test]
fn a_sweep_buries_what_expired_without_changing_the_digest_and_forgets_it_later() {
    with_both(|store| {
        store.set_retention(1_000);
        let partition = partition_of(b"k");
        apply(store, "k", Cell { expires_ms: Some(5_000), ..cell(1, "x") });
        let digest = store.digest(partition);
        assert_eq!(store.sweep(partition, 4_999, true).unwrap(), Swept::default());
        assert_eq!(store.sweep(partition, 5_000, true).unwrap(), Swept { expired: 1, forgotten: 0 });
        assert_eq!((store.digest(partition), store.usage().keys), (digest, 0));
        assert_eq!(store.sweep(partition, 6_000, false).unwrap(), Swept::default());
        assert_eq!(store.sweep(partition, 6_000, true).unwrap(), Swept { expired: 0, forgotten: 1 });
        assert_eq!((store.digest(partition), store.usage()), (0, Usage::default()));
    });
}

#[tokio::test]
async fn a_disk_store_is_the_same_after_it_was_opened_again() {
    let dir = TempDir::new();
    let open = || Store::Disk(DiskStore::open(Arc::new(Disk::open(&dir.0).unwrap()), "shop.cart@1", 1 << 30).unwrap());
    let store = open();
    for number in 0..200 {
        apply(&store, &format!("k{number}"), cell(number, "v"));
    }
    store.synced().await.unwrap();
    let before: Vec<u64> = Partition::all().map(|p| store.digest(p)).collect();
    let usage = store.usage();
    drop(store);
    let store = open();
    assert_eq!(before, Partition::all().map(|p| store.digest(p)).collect::<Vec<_>>());
    assert_eq!((store.usage(), store.latest()), (usage, version(199)));
    assert_eq!(get(&store, "k7"), Some(cell(7, "v")));
    assert!(store.page(partition_of(b"k7"), 0, MANY).unwrap().cells.iter().any(|(key, _)| key == "k7"));
}

#[test]
fn a_disk_store_at_its_limit_refuses_and_forgets_nothing() {
    let dir = TempDir::new();
    let store = Store::Disk(DiskStore::open(Arc::new(Disk::open(&dir.0).unwrap()), "b", 1_000).unwrap());
    apply(&store, "k", cell(1, &"x".repeat(850)));
    assert!(store.is_nearly_full());
    assert!(matches!(store.admit(800), Err(Error::BucketFull { limit: 1_000 })));
    assert!(get(&store, "k").is_some());
}
