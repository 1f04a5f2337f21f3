mod crash;
mod damage;
mod full_disk;
mod model;

use std::collections::BTreeSet;

use bytes::Bytes;
use ringway_causality::Version;
use ringway_ring::partition_of;
use ringway_values::{Kind, State, Update};

use super::*;
use crate::testing::TempDir;
use crate::{RegisterRef, Value};

const UNLIMITED: u64 = 1 << 40;
const NOW_MS: u64 = 1_000;
const MANY: PageLimit = PageLimit { cells_max: 1_000_000, bytes_max: 1 << 30 };

/// A node's disk with one bucket.
struct Node {
    dir: TempDir,
    disk: Arc<Disk>,
    store: BucketStore,
}

impl Node {
    fn new() -> Self {
        Self::at(TempDir::new())
    }

    fn at(dir: TempDir) -> Self {
        let disk = Arc::new(Disk::open(&dir.0).unwrap());
        let store = BucketStore::open(disk.clone(), "shop.cart@1", UNLIMITED).unwrap();
        Self { dir, disk, store }
    }

    fn restart(self) -> Self {
        let Self { dir, disk, store } = self;
        drop(store);
        drop(disk);
        Self::at(dir)
    }

    /// Nothing but the log knows what has happened since the last flush.
    fn crash(self) -> Self {
        self.disk.flusher().kill();
        self.restart()
    }

    /// So little memory that everything clean is on disk only.
    fn chill(&self) {
        self.disk.flush().unwrap();
        self.store.set_cache_limit(1);
        self.store.make_room(None);
        self.store.set_cache_limit(CACHE_BYTES);
    }
}

fn version(wall_ms: u64) -> Version {
    Version { wall_ms, count: 0, node: 1 }
}

fn place(key: &str) -> (Partition, &[u8]) {
    (partition_of(key.as_bytes()), key.as_bytes())
}

fn try_set(store: &BucketStore, key: &str, wall_ms: u64, value: &[u8]) -> Result<(), Error> {
    let (partition, key) = place(key);
    store.lock(partition).put(key, |_| RegisterRef::new(version(wall_ms), value, None))
}

fn set(store: &BucketStore, key: &str, wall_ms: u64, value: &[u8]) {
    try_set(store, key, wall_ms, value).unwrap();
}

fn remove(store: &BucketStore, key: &str, wall_ms: u64) {
    let (partition, key) = place(key);
    store.lock(partition).put(key, |_| RegisterRef::tombstone(version(wall_ms))).unwrap();
}

fn push(store: &BucketStore, key: &str, wall_ms: u64, value: &[u8]) {
    let (partition, key) = place(key);
    let push = |state: &mut State| {
        let mut edit = state.open(Kind::List, NOW_MS, version(wall_ms)).unwrap();
        edit.push_back(value);
        (edit.finish().map(Update::Delta), ())
    };
    store.lock(partition).edit(key, push).unwrap();
}

fn add(store: &BucketStore, key: &str, wall_ms: u64) {
    let (partition, key) = place(key);
    let add = |state: &mut State| {
        state.counter(NOW_MS).unwrap().unwrap().add(version(wall_ms), 1).unwrap();
        (Some(Update::State(state.clone())), ())
    };
    store.lock(partition).edit(key, add).unwrap();
}

fn get(store: &BucketStore, key: &str) -> Option<Bytes> {
    let (partition, key) = place(key);
    store.lock(partition).state(key).unwrap()?.string(NOW_MS).unwrap()
}

fn list(store: &BucketStore, key: &str) -> Vec<Vec<u8>> {
    let (partition, key) = place(key);
    let state = store.lock(partition).state(key).unwrap().unwrap_or_default();
    state.list(NOW_MS).unwrap().map_or_else(Vec::new, |list| list.iter().map(<[u8]>::to_vec).collect())
}

fn digests(store: &BucketStore) -> Vec<(u64, u64)> {
    Partition::all().map(|partition| (store.digest(partition), store.key_count(partition))).collect()
}

fn walk(store: &BucketStore, partition: Partition, limit: PageLimit) -> Vec<String> {
    let (mut keys, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = store.page(partition, at, limit).unwrap();
        assert!(page.states.len() <= limit.cells_max);
        keys.extend(page.states.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()));
        from = page.next;
    }
    keys
}

#[test]
fn a_bucket_is_the_same_after_it_was_closed_and_after_a_crash() {
    let mut node = Node::new();
    for round in 1..=3 {
        for number in 0..200 {
            set(&node.store, &format!("k{number}"), round, format!("value {round}").as_bytes());
            push(&node.store, &format!("l{}", number % 10), round * 1_000 + number, b"item");
            add(&node.store, &format!("c{}", number % 10), round * 1_000 + number);
        }
        remove(&node.store, "k7", round * 10);
        let (before, usage) = (digests(&node.store), node.store.usage());
        node = if round == 2 { node.crash() } else { node.restart() };
        assert_eq!(digests(&node.store), before, "round {round}");
        assert_eq!(node.store.usage().keys, usage.keys);
        assert_eq!(get(&node.store, "k8").unwrap(), format!("value {round}"));
        assert_eq!(get(&node.store, "k7"), None);
        assert_eq!(list(&node.store, "l3").len() as u64, round * 20);
        assert_eq!(get(&node.store, "c3").unwrap(), format!("{}", round * 20));
        assert_eq!(node.store.latest(), version(round * 1_000 + 199));
        assert_eq!(node.store.damaged(), vec![]);
    }
}

#[test]
fn what_is_not_in_memory_any_more_counts_and_comes_back() {
    let node = Node::new();
    let keys: BTreeSet<String> = (0..100).map(|number| format!("{{t}}{number}")).collect();
    keys.iter().for_each(|key| set(&node.store, key, 1, b"value"));
    let partition = partition_of(b"{t}");
    let (before, usage) = (digests(&node.store), node.store.usage());
    assert!(node.store.is_at_hand(partition, b"{t}1") && node.store.is_at_hand(partition, b"{t}nothing"));
    node.chill();
    assert!(!node.store.is_at_hand(partition, b"{t}1"));
    assert_eq!((digests(&node.store), node.store.usage()), (before.clone(), usage));
    assert!(!node.store.is_empty(partition));
    assert_eq!(get(&node.store, "{t}5").unwrap(), "value");
    assert_eq!((digests(&node.store), node.store.usage()), (before, usage));
    set(&node.store, "{t}6", 2, b"other");
    remove(&node.store, "{t}7", 2);
    set(&node.store, "{t}new", 2, b"new");
    assert_eq!(node.store.usage().keys, 100);
    for limit in [7, 50, 1_000] {
        let walked = walk(&node.store, partition, PageLimit { cells_max: limit, bytes_max: 1 << 20 });
        assert!(walked.is_sorted_by_key(|key| crate::position_of(key.as_bytes())), "{limit} at once");
        assert_eq!(walked.len(), 101, "{limit} at once");
        assert!(walked.into_iter().collect::<BTreeSet<_>>().is_superset(&keys));
    }
    let node = node.crash();
    assert_eq!(get(&node.store, "{t}6").unwrap(), "other");
    assert_eq!(node.store.usage().keys, 100);
}

#[test]
fn a_dropped_partition_stays_dropped_and_can_be_written_again() {
    let mut node = Node::new();
    let partition = partition_of(b"{t}");
    for crashes in [false, true, false, true] {
        for number in 0..100 {
            set(&node.store, &format!("{{t}}{number}"), 1, b"old");
        }
        set(&node.store, "elsewhere", 1, b"stays");
        node.chill();
        assert_eq!(get(&node.store, "{t}3").unwrap(), "old");
        node.store.drop_partition(partition).unwrap();
        assert!(node.store.is_empty(partition) && node.store.digest(partition) == 0);
        assert_eq!(get(&node.store, "{t}4"), None);
        set(&node.store, "{t}5", 2, b"new");
        if !crashes {
            node.disk.flush().unwrap();
        }
        node = if crashes { node.crash() } else { node.restart() };
        assert_eq!(walk(&node.store, partition, MANY), ["{t}5"]);
        assert_eq!((get(&node.store, "{t}5").unwrap(), get(&node.store, "{t}4")), ("new".into(), None));
        assert_eq!(get(&node.store, "elsewhere").unwrap(), "stays");
        assert_eq!(node.store.usage().keys, 2);
        node.store.drop_partition(partition).unwrap();
    }
}

#[test]
fn what_expires_on_disk_is_swept_there() {
    let node = Node::new();
    node.store.set_retention(1_000);
    let (partition, key) = place("k");
    let value = Some(Value::Slice(b"value"));
    let register = || RegisterRef { version: version(1), value: value.clone(), expires_ms: Some(5_000) };
    node.store.lock(partition).put(key, |_| register()).unwrap();
    set(&node.store, "stays", 1, b"value");
    let digest = node.store.digest(partition);
    node.chill();
    assert_eq!(node.store.sweep(4_999, |_| true).unwrap().expired, 0);
    assert_eq!(node.store.sweep(5_000, |_| true).unwrap().expired, 1);
    assert_eq!((node.store.digest(partition), node.store.usage().keys), (digest, 1));
    node.chill();
    let much_later = 6_000 + 2 * WALK_AGAIN_MS;
    assert_eq!(node.store.sweep(much_later, |_| false).unwrap().forgotten, 0);
    assert_eq!(node.store.sweep(much_later + 2 * WALK_AGAIN_MS, |_| true).unwrap().forgotten, 1);
    assert!(node.store.is_empty(partition));
    let node = node.restart();
    assert!(node.store.is_empty(partition));
    assert_eq!(get(&node.store, "stays").unwrap(), "value");
}

#[test]
fn what_was_forgotten_and_written_again_is_not_removed_later() {
    let mut node = Node::new();
    for round in 1..4 {
        node.store.set_retention(1);
        remove(&node.store, "k", round * 100);
        node.disk.flush().unwrap();
        assert_eq!(node.store.sweep(round * 100 + 50, |_| true).unwrap().forgotten, 1);
        set(&node.store, "k", round * 100 + 60, b"again");
        node.disk.flush().unwrap();
        node = node.restart();
        assert_eq!(get(&node.store, "k").unwrap(), "again");
    }
}

#[test]
fn a_deleted_bucket_leaves_nothing_to_the_next_of_its_name() {
    let mut node = Node::new();
    for crashes in [true, false, true] {
        set(&node.store, "k", 1, b"old");
        node.store.delete().unwrap();
        assert!(matches!(try_set(&node.store, "k", 2, b"late"), Err(Error::Closed)));
        node = if crashes { node.crash() } else { node.restart() };
        assert_eq!(get(&node.store, "k"), None);
        set(&node.store, "j", 1, b"new");
        node = node.crash();
        node.disk.flush().unwrap();
        let cells = &node.disk.shared().cells;
        assert_eq!(cells.len().unwrap(), 1, "entries of deleted buckets are removed");
        assert_eq!((get(&node.store, "k"), get(&node.store, "j").unwrap()), (None, "new".into()));
    }
}

/// A second bucket beside the node's own, which was in the list of buckets of `revision`; closed again.
fn make_other(node: &Node, revision: u64) {
    node.disk.note_revision(revision);
    let other = BucketStore::open(node.disk.clone(), "shop.other@2", UNLIMITED).unwrap();
    set(&other, "k", 1, b"other");
}

#[test]
fn a_bucket_that_was_deleted_while_the_node_was_down_is_taken_off_the_disk() {
    for crashes in [true, false] {
        let mut node = Node::new();
        set(&node.store, "k", 1, b"own");
        make_other(&node, 7);
        node = if crashes { node.crash() } else { node.restart() };
        assert_eq!(node.disk.keep_only(9, |name| name == "shop.cart@1").unwrap(), 1);
        assert_eq!(node.disk.keep_only(9, |name| name == "shop.cart@1").unwrap(), 0, "it has gone already");
        node.disk.flush().unwrap();
        assert_eq!(node.disk.shared().cells.len().unwrap(), 1, "its entries are removed");
        let node = node.crash();
        assert_eq!(get(&node.store, "k").unwrap(), "own");
        let other = BucketStore::open(node.disk.clone(), "shop.other@2", UNLIMITED).unwrap();
        assert_eq!(get(&other, "k"), None);
    }
}

#[test]
fn by_a_list_of_buckets_that_is_older_than_the_last_new_one_nothing_is_taken_off_the_disk() {
    let node = Node::new();
    make_other(&node, 7);
    let node = node.restart();
    assert_eq!(node.disk.keep_only(6, |_| false).unwrap(), 0);
    let other = BucketStore::open(node.disk.clone(), "shop.other@2", UNLIMITED).unwrap();
    assert_eq!(get(&other, "k").unwrap(), "other");
}

#[test]
fn a_bucket_that_is_open_is_not_taken_off_the_disk_behind_its_back() {
    let node = Node::new();
    assert_eq!(node.disk.keep_only(1, |_| false).unwrap(), 0);
    set(&node.store, "k", 1, b"value");
    assert_eq!(get(&node.crash().store, "k").unwrap(), "value");
}

#[test]
fn a_bucket_that_is_not_opened_keeps_what_only_the_log_knew() {
    let node = Node::new();
    set(&node.store, "k", 1, b"value");
    node.store.drop_partition(partition_of(b"other")).unwrap();
    let Node { dir, disk, store } = node;
    disk.flusher().kill();
    drop((store, disk));
    let disk = Disk::open(&dir.0).unwrap();
    disk.flush().unwrap();
    drop(disk);
    let node = Node::at(dir);
    assert_eq!(get(&node.store, "k").unwrap(), "value");
}

#[test]
fn a_bucket_at_its_limit_refuses_and_forgets_nothing() {
    let node = Node::new();
    set(&node.store, "k", 1, &[7; 900]);
    node.store.set_limit(1_000);
    assert!(node.store.is_nearly_full());
    assert!(matches!(node.store.admit(800), Err(Error::BucketFull { limit: 1_000 })));
    node.store.make_room(None);
    assert!(get(&node.store, "k").is_some());
}

#[tokio::test]
async fn each_durability_is_acknowledged() {
    let node = Node::new();
    for durability in [Durability::Memory, Durability::Batch, Durability::Sync] {
        node.store.set_durability(durability);
        set(&node.store, "k", 1, b"value");
        let syncs = node.disk.shared().log.sync_count();
        node.store.synced().await.unwrap();
        if durability == Durability::Sync {
            assert!(node.disk.shared().log.sync_count() > syncs);
        }
    }
}

#[test]
fn the_log_does_not_grow_without_end_and_is_short_after_a_flush() {
    let node = Node::new();
    for number in 0..4_000 {
        set(&node.store, &format!("k{}", number % 100), number, &[7; 2_000]);
    }
    assert!(node.disk.shared().log.end().0 > 4 << 20);
    // The second round finds the segment ended that the first one asked to end.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while node.disk.shared().log.len() > 1 << 20 {
        assert!(std::time::Instant::now() < deadline, "{} bytes are left", node.disk.shared().log.len());
        node.disk.flush().unwrap();
    }
}
