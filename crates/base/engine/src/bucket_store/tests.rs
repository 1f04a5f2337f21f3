use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use ringway_causality::Version;
use ringway_values::{Register, State, digest_of, size_class};

use super::*;
use crate::entry::SHARED_LEN_MIN;
use crate::page::position_of;
use crate::{RegisterRef, Value};

const UNLIMITED: u64 = u64::MAX / 2;
const EVERYTHING: PageLimit = PageLimit { cells_max: usize::MAX, bytes_max: usize::MAX };

fn store(limit: u64) -> BucketStore {
    BucketStore::with_seed(limit, Seed::fixed(42))
}

fn version(wall_ms: u64) -> Version {
    Version { wall_ms, count: 3, node: 77 }
}

fn put(store: &BucketStore, partition: u16, key: &str, value: &[u8]) {
    store.lock(Partition(partition)).put(key.as_bytes(), |_| RegisterRef::new(version(1), value, None)).unwrap();
}

fn value_of(store: &BucketStore, partition: u16, key: &str) -> Option<Bytes> {
    match store.lock(Partition(partition)).state(key.as_bytes()).unwrap() {
        Some(State::Register(register)) => register.value,
        _ => None,
    }
}

/// What the allocator takes for an entry, and the share of the table.
fn cost(key: &[u8], register: &Register) -> u64 {
    let chunk = |len: usize| size_class(len) as u64;
    let head = 16 + key.len() + if register.expires_ms.is_some() { 8 } else { 0 };
    let len = register.value.as_ref().map_or(0, Bytes::len);
    16 + if len < SHARED_LEN_MIN { chunk(head + len) } else { chunk(head + size_of::<Bytes>()) + chunk(len) + 32 }
}

#[test]
fn what_is_put_is_there_until_it_is_overwritten() {
    let store = store(UNLIMITED);
    for len in [0, 1, 63, 64, 65, 1000, SHARED_LEN_MIN - 1, SHARED_LEN_MIN, 100_000, 5] {
        let value = vec![len as u8; len];
        put(&store, 5, "key", &value);
        assert_eq!(value_of(&store, 5, "key").unwrap(), value);
        assert_eq!(value_of(&store, 6, "key"), None);
        let register = Register::new(version(1), value.into(), None);
        assert_eq!(store.usage(), Usage { keys: 1, bytes: cost(b"key", &register) });
        assert_eq!(store.digest(Partition(5)), digest_of(b"key", &version(1)));
    }
}

#[test]
fn large_values_are_shared_and_not_copied() {
    let store = store(UNLIMITED);
    let value = Bytes::from(vec![1; SHARED_LEN_MIN]);
    let register = RegisterRef { version: version(1), value: Some(Value::Shared(value.clone())), expires_ms: None };
    store.lock(Partition(1)).put(b"key", |_| register).unwrap();
    assert_eq!(value_of(&store, 1, "key").unwrap().as_ptr(), value.as_ptr());
}

#[test]
fn a_limit_smaller_than_ten_values_still_keeps_most_of_them() {
    // Ten values fit, over 64 shards: most shards have none or one.
    let store = store(1_000_000);
    let value = vec![7; 95_000];
    for round in 0..200_u16 {
        put(&store, round * 61 % 4096, &format!("key{round}"), &value);
        assert!(store.usage().bytes <= store.limit(), "{:?} after {round}", store.usage());
        assert!(
            value_of(&store, round * 61 % 4096, &format!("key{round}")).is_some(),
            "what was just written is there"
        );
    }
    assert_eq!(store.usage().keys, 10);
}

#[test]
fn one_large_value_makes_many_small_ones_go_and_nothing_else_does() {
    let store = store(10_000_000);
    for number in 0..50_000_u32 {
        put(&store, (number * 61 % 4096) as u16, &format!("key{number}"), b"small");
    }
    let before = store.usage();
    assert_eq!(before.keys, 50_000);
    put(&store, 9, "large", &vec![0; 8_000_000]);
    assert!(store.usage().bytes <= store.limit());
    assert!(store.usage().bytes > store.limit() - 10_000);
    assert!(value_of(&store, 9, "large").is_some());
}

#[test]
fn more_than_the_limit_is_refused() {
    let store = store(1000);
    assert!(matches!(store.admit(1001), Err(Error::BucketFull { limit: 1000 })));
    let state = State::Register(Register::new(version(1), vec![0; 1000].into(), None));
    let merged = store.lock(Partition(1)).merge(b"key", state);
    assert!(matches!(merged, Err(Error::BucketFull { limit: 1000 })));
    let edited = store.lock(Partition(1)).edit(&[0; 70_000], |_| (None, ()));
    assert!(matches!(edited, Err(Error::KeyTooLong { len: 70_000 })));
    assert_eq!(store.usage(), Usage::default());
}

#[test]
fn what_is_used_outlives_what_is_not() {
    let store = store(1_000_000);
    let key = |number: u32| format!("key{number}");
    let partition = |number: u32| (number * 61 % 4096) as u16;
    for number in 0..100 {
        put(&store, partition(number), &key(number), &[0; 100]);
    }
    for number in 100..50_000_u32 {
        put(&store, partition(number), &key(number), &[0; 100]);
        for used in 0..4 {
            let used = (number * 4 + used) % 100;
            store.lock(Partition(partition(used))).get(key(used).as_bytes()).unwrap();
        }
    }
    let left = (0..100).filter(|number| value_of(&store, partition(*number), &key(*number)).is_some()).count();
    assert!(left > 95, "{left} of 100");
}

#[test]
fn shards_that_nobody_writes_to_give_their_room_to_those_that_are_written_to() {
    let store = store(1_000_000);
    for number in 0..10_000_u32 {
        put(&store, (number % 4096) as u16, &format!("old{number}"), &[0; 100]);
    }
    for number in 0..60_000_u32 {
        put(&store, 5, &format!("new{number}"), &[0; 100]);
    }
    let held = store.account.weight(5);
    assert!(held > 600_000, "{held} of 1000000 bytes in the shard that is written to");
}

#[test]
fn a_panic_while_editing_leaves_the_sums_right() {
    let store = store(UNLIMITED);
    put(&store, 5, "key", b"value");
    let before = (store.usage(), store.digest(Partition(5)));
    let edit = || store.lock(Partition(5)).edit(b"key", |_| -> (_, ()) { panic!("a command's bug") });
    catch_unwind(AssertUnwindSafe(edit)).unwrap_err();
    assert_eq!((store.usage(), store.digest(Partition(5))), before);
    store.shard(5).check();
}

#[test]
fn one_partition_with_very_many_keys_is_walked_in_order() {
    let store = store(UNLIMITED);
    for number in 0..60_000 {
        put(&store, 5, &format!("key{number}"), b"");
    }
    store.shard(5).check();
    let (mut walked, mut from) = (Vec::new(), 0);
    loop {
        let page = store.page(Partition(5), from, PageLimit { cells_max: 1000, bytes_max: usize::MAX }).unwrap();
        walked.extend(page.states.iter().map(|(key, _)| (position_of(key), key.clone())));
        let Some(next) = page.next else { break };
        from = next;
    }
    assert_eq!(walked.len(), 60_000);
    assert!(walked.is_sorted_by(|a, b| a < b));
    let table = store.shard(5).table(0).len();
    assert_eq!(table, 60_000);
}

#[test]
fn ranges_of_a_partition_have_digests_and_pages_of_their_own() {
    for count in [100, 20_000] {
        let store = store(UNLIMITED);
        (0..count).for_each(|number| put(&store, 5, &format!("key{number}"), b""));
        let (ranges, limit) = (64, PageLimit { cells_max: 30, bytes_max: usize::MAX });
        let digests = store.range_digests(Partition(5), ranges).unwrap();
        assert_eq!(digests.iter().fold(0, |all, one| all ^ one), store.digest(Partition(5)));
        let mut walked = 0;
        for (range, digest) in digests.into_iter().enumerate() {
            let bound = |range: usize| (range as u64) << (crate::page::POSITION_BITS - 6);
            let (mut from, mut seen) = (Some(bound(range)), 0);
            while let Some(start) = from {
                let page = store.page_within(Partition(5), start, Some(bound(range + 1)), limit).unwrap();
                seen = page.states.iter().fold(seen, |all, (key, state)| all ^ state.digest(key));
                (from, walked) = (page.next, walked + page.states.len());
            }
            assert_eq!(seen, digest, "range {range} of {count} keys");
        }
        assert_eq!(walked, count);
    }
}

#[test]
fn expired_values_go_without_being_asked_for_and_tombstones_when_they_are_old() {
    let store = store(UNLIMITED);
    store.set_retention(1000);
    let mut locked = store.lock(Partition(5));
    locked.put(b"a", |_| RegisterRef::new(version(1), b"1", Some(500))).unwrap();
    locked.put(b"b", |_| RegisterRef::new(version(1), b"2", Some(900))).unwrap();
    locked.put(b"c", |_| RegisterRef::new(version(1), b"3", None)).unwrap();
    // Overwritten: no longer, not at all, sooner.
    locked.put(b"b", |_| RegisterRef::new(version(2), b"2", Some(2000))).unwrap();
    locked.put(b"d", |_| RegisterRef::new(version(1), b"4", Some(100))).unwrap();
    locked.put(b"d", |_| RegisterRef::new(version(2), b"4", None)).unwrap();
    locked.put(b"e", |_| RegisterRef::new(version(1), b"5", Some(10_000))).unwrap();
    locked.put(b"e", |_| RegisterRef::new(version(1), b"5", Some(400))).unwrap();
    drop(locked);
    let digest = store.digest(Partition(5));
    let sweep = |now_ms, may_forget| {
        let swept = store.sweep(now_ms, |_| may_forget).unwrap();
        (swept.expired, swept.forgotten, store.key_count(Partition(5)))
    };
    assert_eq!(sweep(399, true), (0, 0, 5));
    assert_eq!(sweep(400, true), (1, 0, 4));
    assert_eq!(sweep(500, true), (1, 0, 3));
    assert_eq!(store.digest(Partition(5)), digest, "burying is no write");
    assert_eq!(sweep(1499, true), (0, 1, 3), "e is forgotten a retention after it expired");
    assert_eq!(sweep(1500, false), (0, 0, 3), "others may need a");
    assert_eq!(sweep(2000, false), (1, 0, 2));
    assert_eq!(sweep(1_000_000, true), (0, 2, 2));
    assert_eq!(store.usage().keys, 2);
    store.shard(5).check();
}

#[test]
fn an_expired_counter_is_buried_once_and_forgotten_later() {
    let store = store(UNLIMITED);
    store.set_retention(1000);
    let count = |state: &mut State| {
        let counter = state.counter(10).unwrap().unwrap();
        counter.add(version(10), 5);
        counter.set_expiry(version(10), Some(500));
        (None, ())
    };
    store.lock(Partition(5)).edit(b"hits", count).unwrap();
    let sweep = |now_ms, may_forget| {
        let swept = store.sweep(now_ms, |_| may_forget).unwrap();
        (swept.expired, swept.forgotten, store.usage().keys)
    };
    assert_eq!(sweep(499, true), (0, 0, 1));
    assert_eq!(sweep(500, false), (1, 0, 0));
    assert_eq!(sweep(501, false), (0, 0, 0));
    store.shard(5).check();
    assert_eq!(sweep(100_000, true), (0, 1, 0));
    assert!(store.is_empty(Partition(5)));
}

#[test]
fn a_shorter_retention_is_for_the_tombstones_that_are_there_too() {
    let store = store(UNLIMITED);
    store.set_retention(1_000_000);
    store.lock(Partition(5)).put(b"a", |_| RegisterRef::tombstone(version(10))).unwrap();
    assert_eq!(store.sweep(1000, |_| true).unwrap().forgotten, 0);
    store.set_retention(100);
    assert_eq!(store.sweep(1000, |_| true).unwrap().forgotten, 1);
    assert!(store.is_empty(Partition(5)));
    assert_eq!(store.usage(), Usage::default());
}

#[test]
fn writing_the_same_key_with_changing_expiry_does_not_pile_up_due_times() {
    let store = store(UNLIMITED);
    for round in 0..100_000_u64 {
        let expires_ms = (round % 2 == 0).then_some(1_000_000 + round);
        store.lock(Partition(5)).put(b"key", |_| RegisterRef::new(version(round), b"value", expires_ms)).unwrap();
    }
    let queued = store.shard(5).due_len();
    assert!(queued < 2000, "{queued} handles for one key");
}

/// Random commands on a store and on a map; everything is compared after each, sums and queues included.
#[test]
fn a_store_is_a_map_with_sums() {
    for seed in 0..8 {
        Run::new(seed, UNLIMITED).go(3000);
    }
}

#[test]
fn a_store_above_its_limit_is_a_map_that_forgets() {
    for seed in 100..104 {
        Run::new(seed, 60_000).go(3000);
    }
}

struct Run {
    store: BucketStore,
    model: BTreeMap<(Partition, Vec<u8>), State>,
    random: Pcg64Mcg,
    now_ms: u64,
    retention_ms: u64,
    seed: u64,
}

impl Run {
    fn new(seed: u64, limit: u64) -> Self {
        let store = BucketStore::with_seed(limit, Seed::fixed(seed));
        store.set_retention(500);
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self { store, model: BTreeMap::new(), random, now_ms: 1_000_000, retention_ms: 500, seed }
    }

    fn go(mut self, steps: usize) {
        for step in 0..steps {
            self.now_ms += self.random.random_range(0..20);
            let before = self.model.clone();
            self.step();
            self.compare(step, &before);
        }
    }

    fn step(&mut self) {
        let partition = Partition([0, 1, 64, 65, 4095][self.random.random_range(0..5)]);
        let key = self.key();
        let id = (partition, key.clone());
        match self.random.random_range(0..100) {
            0..40 => {
                let register = self.register();
                let value = register.value.as_deref().map(Value::Slice);
                let given = RegisterRef { version: register.version, value, expires_ms: register.expires_ms };
                let latest = self.model.get(&id).map(State::latest);
                let put = |seen| {
                    assert_eq!(seen, latest);
                    given
                };
                self.store.lock(partition).put(&key, put).unwrap();
                self.model.insert(id, State::Register(register));
            }
            40..55 => {
                let state = State::Register(self.register());
                let merged = self.store.lock(partition).merge(&key, state.clone()).unwrap();
                let model = self.model.entry(id).or_insert_with(|| State::Register(Register::default()));
                assert_eq!(merged, model.merge(state));
            }
            55..65 => {
                let state = State::Register(self.register());
                let swap = |own: &mut State| (None, std::mem::replace(own, state.clone()));
                let (_, seen) = self.store.lock(partition).edit(&key, swap).unwrap();
                let before = self.model.insert(id, state);
                assert_eq!(same(&seen), before.as_ref().map_or(same(&State::Register(Register::default())), same));
            }
            65..75 => {
                let seen = self.store.lock(partition).get(&key).unwrap().map(|seen| seen.to_state());
                assert_eq!(seen.as_ref().map(same), self.model.get(&id).map(same));
            }
            75..95 => self.sweep(),
            95..97 => {
                self.store.drop_partition(partition).unwrap();
                self.model.retain(|(other, _), _| *other != partition);
            }
            _ => {
                self.retention_ms = self.random.random_range(0..1000);
                self.store.set_retention(self.retention_ms);
            }
        }
    }

    fn sweep(&mut self) {
        let may_forget = self.random.random_range(0..4) > 0;
        self.store.sweep(self.now_ms, |_| may_forget).unwrap();
        // What was due when nothing might be forgotten is looked at later; here all at once.
        if may_forget {
            self.now_ms += 30_000;
            self.store.sweep(self.now_ms, |_| true).unwrap();
        }
        let (now_ms, retention_ms) = (self.now_ms, self.retention_ms);
        self.model.retain(|_, state| {
            let forgettable = state.is_forgettable(now_ms, retention_ms);
            if !state.is_live(now_ms) {
                state.bury();
            }
            !(may_forget && forgettable)
        });
    }

    fn compare(&mut self, step: usize, before: &BTreeMap<(Partition, Vec<u8>), State>) {
        let (seed, limit) = (self.seed, self.store.limit());
        let mut held = BTreeMap::new();
        for partition in [0, 1, 64, 65, 4095].map(Partition) {
            for (key, state) in self.store.page(partition, 0, EVERYTHING).unwrap().states {
                held.insert((partition, key.to_vec()), state);
            }
        }
        if limit != UNLIMITED {
            assert!(self.store.usage().bytes <= limit, "seed {seed}, step {step}");
            let full: u64 = self.model.iter().map(|((_, key), state)| cost(key, register(state))).sum();
            let lost = self.model.len() - held.len();
            assert!(lost == 0 || full > limit, "seed {seed}, step {step}: {lost} are lost although there is room");
            self.model.retain(|id, _| held.contains_key(id));
        }
        assert_eq!(
            held.iter().map(|(id, state)| (id, same(state))).collect::<Vec<_>>(),
            self.model.iter().map(|(id, state)| (id, same(state))).collect::<Vec<_>>(),
            "seed {seed}, step {step}, before {} keys",
            before.len()
        );
        let (mut keys, mut bytes) = (0, 0);
        for partition in [0, 1, 64, 65, 4095].map(Partition) {
            let (mut digest, mut partition_keys) = (0, 0);
            for ((_, key), state) in self.model.range((partition, vec![])..).take_while(|((p, _), _)| *p == partition) {
                digest ^= state.digest(key);
                partition_keys += u64::from(state.kind().is_some());
                bytes += cost(key, register(state));
            }
            keys += partition_keys;
            assert_eq!(self.store.digest(partition), digest, "seed {seed}, step {step}");
            assert_eq!(self.store.key_count(partition), partition_keys, "seed {seed}, step {step}");
        }
        assert_eq!(self.store.usage(), Usage { keys, bytes }, "seed {seed}, step {step}");
        (0..SHARD_COUNT).for_each(|shard| self.store.shard(shard).check());
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.random.random_range(0..200_u32);
        let len = [3, 8, 16, 200][number as usize % 4];
        number.to_le_bytes().repeat(len)[..len].to_vec()
    }

    fn register(&mut self) -> Register {
        let len = [0, 5, 64, 100, 3000, 40_000][self.random.random_range(0..6)];
        let mut value = vec![0; len];
        self.random.fill_bytes(&mut value);
        let wall_ms = self.now_ms - self.random.random_range(0..100);
        Register {
            version: Version { wall_ms, count: self.random.random(), node: self.random.random_range(0..5) },
            value: (self.random.random_range(0..5) > 0).then(|| value.into()),
            expires_ms: (self.random.random_range(0..3) == 0).then(|| self.now_ms + self.random.random_range(0..2000)),
            marks: 0,
        }
    }
}

fn register(state: &State) -> &Register {
    match state {
        State::Register(register) => register,
        _ => unreachable!("only registers in this test"),
    }
}

fn same(state: &State) -> Register {
    register(state).clone()
}
