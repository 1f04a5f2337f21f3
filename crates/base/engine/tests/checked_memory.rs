//! The memory store under an allocator that looks at everything: sizes, double frees, leaks and writes after a free.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::ptr::{null_mut, read, write};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use ringway_causality::Version;
use ringway_engine::{BucketStore, PageLimit, RegisterRef, Value};
use ringway_ring::{PARTITION_COUNT, Partition, partition_of};
use ringway_values::{Applied, Delta, Kind, Register, State, Update, size_class};

/// Before each allocation: its size, its alignment and whether it is there.
const HEAD: usize = 128;
const ALIVE: usize = 0x600D_600D;
const DEAD: usize = 0xDEAD_DEAD;
const POISON: u8 = 0xDB;
/// What was freed lately is not given back yet.
const QUARANTINE: usize = 4096;

/// Of a table, the least that it can grow.
const LINE_BYTES: i64 = 64;

/// What the test's own threads may hold on to.
const NOISE_BYTES: i64 = 32 << 10;

struct Checking;

/// What jemalloc would take for all that is there.
static LIVE: AtomicI64 = AtomicI64::new(0);
static QUARANTINED: [AtomicUsize; QUARANTINE] = [const { AtomicUsize::new(0) }; QUARANTINE];
static NEXT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: memory comes from the system's allocator and goes back there with the same layout.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: not empty.
        let base = unsafe { System.alloc(outer(layout)) };
        if base.is_null() {
            return null_mut();
        }
        LIVE.fetch_add(chunk(layout.size()), Ordering::Relaxed);
        // SAFETY: the head is in front of what is given out.
        unsafe {
            write(base.cast::<[usize; 3]>(), [layout.size(), layout.align(), ALIVE]);
            base.add(HEAD)
        }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: `alloc` has written the head, if the caller is right; that is what is checked.
        unsafe {
            let base = address.sub(HEAD);
            let head = read(base.cast::<[usize; 3]>());
            if head != [layout.size(), layout.align(), ALIVE] {
                die(b"freed twice, or with another layout\n");
            }
            LIVE.fetch_sub(chunk(layout.size()), Ordering::Relaxed);
            write(base.cast::<[usize; 3]>(), [layout.size(), layout.align(), DEAD]);
            address.write_bytes(POISON, layout.size());
            let slot = NEXT.fetch_add(1, Ordering::Relaxed) % QUARANTINE;
            let oldest = QUARANTINED[slot].swap(base.expose_provenance(), Ordering::AcqRel);
            if oldest != 0 {
                give_back(std::ptr::with_exposed_provenance_mut(oldest));
            }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Checking = Checking;

unsafe fn give_back(base: *mut u8) {
    // SAFETY: of an allocation in quarantine, which nobody else has.
    unsafe {
        let [size, align, _] = read(base.cast::<[usize; 3]>());
        let inner = std::slice::from_raw_parts(base.add(HEAD), size);
        if inner.iter().any(|byte| *byte != POISON) {
            die(b"written to after it was freed\n");
        }
        System.dealloc(base, outer(Layout::from_size_align_unchecked(size, align)));
    }
}

fn outer(layout: Layout) -> Layout {
    let align = layout.align().max(HEAD);
    assert!(align == HEAD, "no such alignment in this test");
    Layout::from_size_align(layout.size() + HEAD, align).expect("a little more than a valid layout")
}

fn chunk(size: usize) -> i64 {
    size_class(size) as i64
}

/// Without allocating.
fn die(message: &[u8]) -> ! {
    use std::io::Write;
    let _ = std::io::stderr().write_all(message);
    std::process::abort();
}

/// The tests count all that is allocated in the process.
static ALONE: Mutex<()> = Mutex::new(());

fn version(time: u64) -> Version {
    Version { wall_ms: 1_000_000 + time, count: 0, node: 7 }
}

#[test]
fn the_account_is_what_the_allocator_takes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for len in [0, 8, 64, 100, 1000, 10_000, 100_000] {
        let before = LIVE.load(Ordering::Relaxed);
        let store = BucketStore::new(u64::MAX / 2);
        let empty = LIVE.load(Ordering::Relaxed);
        let (count, value) = (200_000_000 / (len + 1000) / 10, vec![1; len]);
        for number in 0..count {
            let key = format!("key:{number:012}");
            let register = RegisterRef::new(version(1), &value, None);
            store.lock(partition_of(key.as_bytes())).put(key.as_bytes(), |_| register).unwrap();
        }
        let (taken, accounted) = (LIVE.load(Ordering::Relaxed) - empty, store.usage().bytes as i64);
        // The account has a flat share of the tables for each entry; with a few entries in each they are emptier than that.
        let allowed = accounted * 3 / 100 + LINE_BYTES * PARTITION_COUNT as i64;
        let off = (taken - accounted).abs();
        assert!(off < allowed, "{count} values of {len}: {taken} bytes are taken and {accounted} accounted");
        drop((store, value));
        let left = LIVE.load(Ordering::Relaxed) - before;
        assert!(left < NOISE_BYTES, "{left} bytes are left of {taken}");
    }
}

#[test]
fn nothing_is_leaked_lost_or_used_after_it_was_freed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (seed, limit) in [(1, u64::MAX / 2), (2, 300_000), (3, 60_000), (4, 1_000_000)] {
        let before = LIVE.load(Ordering::Relaxed);
        let mut run = Run {
            store: BucketStore::new(limit),
            model: HashMap::new(),
            random: Pcg64Mcg::seed_from_u64(seed),
            time: 0,
            is_limited: limit < u64::MAX / 2,
        };
        run.store.set_retention(300);
        (0..30_000).for_each(|_| run.step());
        drop(run);
        let left = LIVE.load(Ordering::Relaxed) - before;
        assert!(left < NOISE_BYTES, "seed {seed}: {left} bytes are left");
    }
}

#[test]
fn threads_that_write_read_prefetch_and_evict_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = LIVE.load(Ordering::Relaxed);
    let store = BucketStore::new(400_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || hammer(store, thread));
        }
    });
    assert!(store.usage().bytes <= 400_000, "{:?}", store.usage());
    drop(store);
    let left = LIVE.load(Ordering::Relaxed) - before;
    assert!(left < NOISE_BYTES, "{left} bytes are left");
}

fn hammer(store: &BucketStore, thread: u64) {
    let mut random = Pcg64Mcg::seed_from_u64(thread);
    let value = vec![thread as u8; 60_000];
    for round in 0..3000_u64 {
        let keys: Vec<String> = (0..16).map(|_| format!("key{}", random.random_range(0..20_000))).collect();
        let wanted: Vec<(Partition, &[u8])> =
            keys.iter().map(|key| (partition_of(key.as_bytes()), key.as_bytes())).collect();
        store.prefetch(&wanted);
        for (partition, key) in wanted {
            let mut locked = store.lock(partition);
            if locked.get(key).unwrap().is_none() {
                let len = if random.random_range(0..200) == 0 { value.len() } else { random.random_range(0..200) };
                locked.put(key, |_| RegisterRef::new(version(round), &value[..len], None)).unwrap();
            }
        }
        if round % 100 == 0 {
            store.drop_partition(Partition(random.random_range(0..4096))).unwrap();
            store.sweep(1_000_000 + round, |_| true).unwrap();
        }
    }
}

/// A store and what should be in it: all sorts of states.
struct Run {
    store: BucketStore,
    model: HashMap<(Partition, Vec<u8>), State>,
    random: Pcg64Mcg,
    time: u64,
    is_limited: bool,
}

impl Run {
    fn step(&mut self) {
        self.time += 1;
        let partition = Partition(self.random.random_range(0..4) * 63);
        let key = format!("key{}", self.random.random_range(0..300)).into_bytes();
        let (id, at, now_ms) = ((partition, key.clone()), version(self.time), 1_000_000 + self.time);
        if self.is_limited && self.store.lock(partition).peek(&key).unwrap().is_none() {
            // Evicted: neither knows anything of it.
            self.model.remove(&id);
        }
        let bytes: Vec<u8> = vec![self.time as u8; [3, 70, 500, 40_000][self.random.random_range(0..4)]];
        let item = self.random.random_range(0..50_u32).to_le_bytes();
        match self.random.random_range(0..100) {
            0..20 => {
                let expires_ms = (self.random.random_range(0..3) == 0).then_some(now_ms + 200);
                let value = match self.random.random_range(0..3) {
                    0 => None,
                    1 => Some(Value::Shared(Bytes::from(bytes.clone()))),
                    _ => Some(Value::Slice(&bytes)),
                };
                let register = Register {
                    value: value.as_ref().map(|value| Bytes::copy_from_slice(value.as_slice())),
                    expires_ms,
                    ..Register::tombstone(at)
                };
                let given = RegisterRef { value, expires_ms, ..RegisterRef::tombstone(at) };
                self.store.lock(partition).put(&key, |_| given).unwrap();
                self.model.insert(id, State::Register(register));
            }
            20..35 => self.edit(id, |state| match state.counter(now_ms) {
                Ok(Some(counter)) => {
                    counter.add(at, 5);
                    true
                }
                _ => false,
            }),
            35..50 => self.edit(id, |state| edit_delta(state, Kind::Hash, now_ms, at, &item, &bytes).is_some()),
            50..60 => self.edit(id, |state| edit_delta(state, Kind::List, now_ms, at, &item, &bytes).is_some()),
            60..65 => self.edit(id, |state| state.remove(now_ms, at).is_some()),
            65..70 => self.edit(id, |state| state.set_expiry(now_ms, at, Some(now_ms + 100)).is_some()),
            70..75 => {
                let mut other = self.model.get(&id).cloned().unwrap_or_default();
                let Some(delta) = edit_delta(&mut other, Kind::Set, now_ms, at, &item, &bytes) else { return };
                let applied = self.store.lock(partition).apply(&key, &delta).unwrap();
                let model = self.model.entry(id).or_default();
                assert_eq!(applied, model.apply(&delta));
                assert_ne!(applied, Applied::Known);
            }
            75..80 => {
                let state = self.model.values().next().cloned().unwrap_or_default();
                let merged = self.store.lock(partition).merge(&key, state.clone()).unwrap();
                assert_eq!(merged, self.model.entry(id).or_default().merge(state));
            }
            80..97 => self.compare(&id),
            97 => {
                self.store.sweep(now_ms, |_| true).unwrap();
                self.compare_all(now_ms);
            }
            98 => {
                self.store.drop_partition(partition).unwrap();
                self.model.retain(|(other, _), _| *other != partition);
            }
            _ => {
                let limit = PageLimit { cells_max: 50, bytes_max: 100_000 };
                self.store.page(partition, self.random.random_range(0..1 << 48), limit).unwrap();
            }
        }
    }

    fn edit(&mut self, id: (Partition, Vec<u8>), change: impl Fn(&mut State) -> bool) {
        let run = |state: &mut State| {
            let changed = change(state);
            state.settle();
            changed
        };
        let (_, changed) = self.store.lock(id.0).edit(&id.1, |state| (None::<Update>, run(state))).unwrap();
        let model = self.model.entry(id.clone()).or_default();
        assert_eq!(changed, run(model));
        self.compare(&id);
    }

    fn compare(&mut self, id: &(Partition, Vec<u8>)) {
        let model = self.model.get(id).filter(|state| !state.is_unknown());
        match (self.store.lock(id.0).state(&id.1).unwrap(), model) {
            (None, None) => {}
            (Some(state), Some(model)) => {
                assert_eq!(state.digest(&id.1), model.digest(&id.1));
                assert_eq!((state.kind(), state.expires_ms()), (model.kind(), model.expires_ms()));
            }
            (None, Some(_)) if self.is_limited => {}
            (state, model) => panic!("{state:?} instead of {model:?}"),
        }
    }

    /// Everything, after a sweep. What was due but not forgettable then is looked at again much later.
    fn compare_all(&mut self, now_ms: u64) {
        for state in self.model.values_mut().filter(|state| !state.is_live(now_ms)) {
            state.bury();
        }
        self.model.retain(|_, state| !state.is_forgettable(now_ms, 300));
        let ids: Vec<_> = self.model.keys().cloned().collect();
        ids.iter().for_each(|id| self.compare(id));
        if !self.is_limited {
            let digest = |wanted: Partition| {
                let own =
                    self.model.iter().filter(|((partition, _), state)| *partition == wanted && !state.is_unknown());
                own.fold(0, |all, ((_, key), state)| all ^ state.digest(key))
            };
            for partition in (0..4).map(|number| Partition(number * 63)) {
                assert_eq!(self.store.digest(partition), digest(partition), "{partition:?}");
            }
        }
    }
}

fn edit_delta(state: &mut State, kind: Kind, now_ms: u64, at: Version, item: &[u8], bytes: &[u8]) -> Option<Delta> {
    let mut edit = state.open(kind, now_ms, at).ok()?;
    match kind {
        Kind::Hash if item[0].is_multiple_of(4) => {
            edit.hash_remove(item);
        }
        Kind::Hash => {
            edit.hash_set(item, bytes);
        }
        Kind::List if item[0].is_multiple_of(3) => {
            edit.pop_front();
        }
        Kind::List => edit.push_back(bytes),
        _ => {
            edit.set_add(item);
        }
    }
    let delta = edit.finish();
    state.settle();
    delta
}
