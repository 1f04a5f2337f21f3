//! What the memory store costs: bytes for an item, nanoseconds of CPU for a GET and a SET, one by one and in batches.
//!
//! `cargo run --release -p ringway-engine --example store_bench -- [items] [value bytes]`

use std::hint::black_box;

use ringway_causality::Version;
use ringway_engine::{BucketStore, RegisterRef, Seen};
use ringway_ring::{Partition, partition_of};

const NODE: u64 = 0x1234_5678_9ABC_DEF0;
const ROUNDS: usize = 3;
const OPS: usize = 2_000_000;
const BATCH_MAX: usize = 32;

fn main() {
    let number = |at: usize, or: usize| std::env::args().nth(at).map_or(or, |arg| arg.parse().expect("a number"));
    let (items, len) = (number(1, 1_000_000), number(2, 64));
    let partitions = (0..items as u64).map(|number| partition_of(&key_of(number)).0).collect();
    let before = resident();
    let bench = Bench { items: items as u64, partitions, store: BucketStore::new(1 << 40), value: vec![b'v'; len] };
    let each = || (resident() - before) as f64 / items as f64;

    let filled = bench.time(items, |bench, number| bench.set(number, None));
    let usage = bench.store.usage();
    let accounted = usage.bytes as f64 / items as f64;
    println!("{items} items of 16 + {len} bytes: {:.1} bytes each by RSS, {accounted:.1} by account", each());
    println!("SET of new keys: {filled:.0} ns");
    (0..ROUNDS).for_each(|_| bench.round());
    let expiring = bench.time(items, |bench, number| bench.set(number, Some(1_900_000_000_000 + number * 1000)));
    println!("SET with expiry over it: {expiring:.0} ns, then {:.1} bytes each by RSS", each());
    bench.store.set_limit(usage.bytes);
    for round in 1..4 {
        let evicting = bench.time(items, |bench, number| bench.set(number + round * bench.items, None));
        println!("SET of new keys at the limit: {evicting:.0} ns, then {:.1} bytes each by RSS", each());
    }
}

struct Bench {
    items: u64,
    partitions: Vec<u16>,
    store: BucketStore,
    value: Vec<u8>,
}

impl Bench {
    fn round(&self) {
        let idle = self.time(OPS, |bench, number| {
            black_box((key_of(number), bench.partition(number)));
        });
        let get = self.time(OPS, Self::get) - idle;
        let set = self.time(OPS, |bench, number| bench.set(number, None)) - idle;
        let miss = self.time(OPS, Self::miss) - idle;
        println!(
            "one by one (less {idle:.0} for the loop): GET {get:.0} ns, SET {set:.0} ns, GET of nothing {miss:.0} ns"
        );
        for batch in [8, 16, BATCH_MAX] {
            let get = self.time_batches(batch, Self::get) - idle;
            let set = self.time_batches(batch, |bench, number| bench.set(number, None)) - idle;
            println!("  in batches of {batch}: GET {get:.0} ns, SET {set:.0} ns");
        }
    }

    fn partition(&self, number: u64) -> Partition {
        Partition(self.partitions[(number % self.items) as usize])
    }

    fn get(&self, number: u64) {
        let mut locked = self.store.lock(self.partition(number));
        match locked.get(&key_of(number)).expect("memory does not fail") {
            Some(Seen::Register { value: Some(value), .. }) => {
                // As for a reply.
                let mut reply = [0; 64];
                let value = value.as_slice();
                let copied = value.len().min(reply.len());
                reply[..copied].copy_from_slice(&value[..copied]);
                black_box(reply);
            }
            _ => panic!("key {number} is gone"),
        }
    }

    fn miss(&self, number: u64) {
        let mut locked = self.store.lock(self.partition(number));
        assert!(locked.get(&key_of(number + self.items)).expect("memory does not fail").is_none());
    }

    fn set(&self, number: u64, expires_ms: Option<u64>) {
        let version = Version { wall_ms: 1_700_000_000_000 + number, count: 0, node: NODE };
        let register = RegisterRef::new(version, &self.value, expires_ms);
        let mut locked = self.store.lock(self.partition(number));
        locked.put(&key_of(number), |_| register).expect("memory does not fail");
    }

    /// CPU nanoseconds for one.
    fn time(&self, ops: usize, op: impl Fn(&Self, u64)) -> f64 {
        let mut walk = Walk::new(self.items);
        let start = cpu_ns();
        (0..ops).for_each(|_| op(self, walk.next()));
        (cpu_ns() - start) as f64 / ops as f64
    }

    fn time_batches(&self, batch: usize, op: impl Fn(&Self, u64)) -> f64 {
        let mut walk = Walk::new(self.items);
        let start = cpu_ns();
        for _ in 0..OPS / batch {
            let mut numbers = [0; BATCH_MAX];
            let mut keys = [[0; 16]; BATCH_MAX];
            for (number, key) in numbers.iter_mut().zip(&mut keys).take(batch) {
                *number = walk.next();
                *key = key_of(*number);
            }
            let mut wanted: [(Partition, &[u8]); BATCH_MAX] = [(Partition(0), &[]); BATCH_MAX];
            for ((wanted, number), key) in wanted.iter_mut().zip(&numbers).zip(&keys).take(batch) {
                *wanted = (self.partition(*number), key);
            }
            self.store.prefetch(&wanted[..batch]);
            numbers[..batch].iter().for_each(|number| op(self, *number));
        }
        (cpu_ns() - start) as f64 / OPS as f64
    }
}

/// All items, in an order that no cache foresees.
struct Walk {
    at: u64,
    items: u64,
}

impl Walk {
    fn new(items: u64) -> Self {
        Self { at: 0, items }
    }

    /// Steps by a prime: a walk of length `items` visits each once, unless the prime divides their number.
    fn next(&mut self) -> u64 {
        self.at = (self.at + 618_033_989) % self.items;
        self.at
    }
}

fn key_of(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest % 16) as usize];
        rest /= 16;
    }
    key
}

fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("a Linux kernel");
    let pages: i64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel with schedstat");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}
