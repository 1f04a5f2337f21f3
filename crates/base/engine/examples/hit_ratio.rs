//! How often the memory store has what is asked for, beside an exact LRU with the same limit and the same account of bytes.
//!
//! `cargo run --release -p ringway-engine --example hit_ratio -- [--json] [--part 0.1]... [--trace FILE]...`
//!
//! A trace is a file of lines `key size`, the size in bytes of the value (without one: 64); `-` is standard input. Without a
//! trace: two million requests for a million keys, zipf 0.99. The limits are parts of what all keys of the trace take (without
//! any: 1 % and 10 %).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use ringway_causality::Version;
use ringway_engine::{BucketStore, RegisterRef, SHARED_LEN_MIN, Value};
use ringway_ring::{Partition, partition_of};

const SIZE: usize = 64;
const SIZE_MAX: usize = 512 << 20;

fn main() {
    let options = Options::read();
    let mut told = Vec::new();
    for name in &options.traces {
        let trace = Trace::named(name);
        let footprint = trace.footprint();
        if !options.json {
            println!("{name}: {} requests, {footprint} bytes", trace.requests.len());
        }
        for part in &options.parts {
            let limit = (footprint as f64 * part) as u64;
            let (lru, (ours, ns)) = (lru(&trace, limit), ours(&trace, limit));
            told.push(format!(
                r#"{{"trace":{name:?},"requests":{},"part":{part},"hit_percent":{ours:.3},"lru_percent":{lru:.3},"cpu_ns":{ns:.0}}}"#,
                trace.requests.len()
            ));
            if !options.json {
                let (percent, gain) = (part * 100.0, ours - lru);
                println!(
                    "{percent:>4} %: LRU {lru:.2} %, ringway {ours:.2} % ({gain:+.2}), {ns:.0} ns of CPU a request"
                );
            }
        }
    }
    if options.json {
        println!("[{}]", told.join(","));
    }
}

struct Options {
    json: bool,
    parts: Vec<f64>,
    traces: Vec<String>,
}

impl Options {
    fn read() -> Self {
        let mut options = Self { json: false, parts: Vec::new(), traces: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--json" => options.json = true,
                "--part" => options.parts.push(value().parse().expect("a part is a number such as 0.1")),
                "--trace" => options.traces.push(value()),
                _ => panic!("unknown option {word}"),
            }
        }
        if options.parts.is_empty() {
            options.parts = vec![0.01, 0.1];
        }
        if options.traces.is_empty() {
            options.traces.push("zipf".to_owned());
        }
        options
    }
}

struct Trace {
    items: Vec<Item>,
    requests: Vec<u32>,
}

struct Item {
    key: Vec<u8>,
    partition: Partition,
    size: usize,
    /// In the store's own account.
    cost: u64,
}

impl Trace {
    fn named(name: &str) -> Self {
        match name {
            "zipf" => Self::zipf(1_000_000, 2_000_000, 0.99),
            "-" => Self::read(std::io::stdin()),
            path => Self::read(std::fs::File::open(path).expect("the trace can be read")),
        }
    }

    /// Of all keys that are asked for.
    fn footprint(&self) -> u64 {
        let mut asked = self.requests.clone();
        asked.sort_unstable();
        asked.dedup();
        asked.iter().map(|id| self.items[*id as usize].cost).sum()
    }

    fn read(source: impl Read) -> Self {
        let (mut known, mut trace) = (HashMap::new(), Self { items: Vec::new(), requests: Vec::new() });
        for line in BufReader::new(source).lines() {
            let line = line.expect("the trace can be read");
            let mut words = line.split_ascii_whitespace();
            let Some(key) = words.next() else { continue };
            let size = words.next().map_or(SIZE, |size| size.parse().expect("a size in bytes"));
            let id = *known.entry(key.to_owned()).or_insert_with(|| trace.add(key.as_bytes(), size));
            trace.requests.push(id);
        }
        trace
    }

    fn zipf(keys: usize, requests: usize, theta: f64) -> Self {
        let mut trace = Self { items: Vec::new(), requests: Vec::new() };
        let mut sum = 0.0;
        let mut sums = Vec::with_capacity(keys);
        for rank in 1..=keys {
            trace.add(format!("key:{rank:012}").as_bytes(), SIZE);
            sum += (rank as f64).powf(-theta);
            sums.push(sum);
        }
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut draw = |_| {
            let wanted = random.random::<f64>() * sum;
            sums.partition_point(|upto| *upto < wanted) as u32
        };
        trace.requests = (0..requests).map(&mut draw).collect();
        trace
    }

    fn add(&mut self, key: &[u8], size: usize) -> u32 {
        let (partition, size) = (partition_of(key), size.min(SIZE_MAX));
        let mut item = Item { key: key.to_vec(), partition, size, cost: 0 };
        item.cost = cost_of(&item);
        self.items.push(item);
        self.items.len() as u32 - 1
    }
}

/// Asks a store of its own, which is slow: only for sizes that have not been seen.
fn cost_of(item: &Item) -> u64 {
    thread_local! {
        static KNOWN: std::cell::RefCell<HashMap<(usize, usize), u64>> = std::cell::RefCell::default();
    }
    let measure = || {
        let store = BucketStore::new(u64::MAX / 2);
        put(&store, item, &Bytes::from(vec![0; item.size]));
        store.usage().bytes
    };
    KNOWN.with_borrow_mut(|known| *known.entry((item.key.len(), item.size)).or_insert_with(measure))
}

fn put(store: &BucketStore, item: &Item, zeros: &Bytes) {
    let version = Version { wall_ms: 1, count: 0, node: 1 };
    let value = match item.size {
        ..SHARED_LEN_MIN => Value::Slice(&zeros[..item.size]),
        _ => Value::Shared(zeros.slice(..item.size)),
    };
    let register = RegisterRef { value: Some(value), ..RegisterRef::new(version, &[], None) };
    store.lock(item.partition).put(&item.key, |_| register).expect("memory does not fail");
}

/// Per cent of the requests that hit, and the CPU time of one.
fn ours(trace: &Trace, limit: u64) -> (f64, f64) {
    let size_max = trace.items.iter().map(|item| item.size).max().unwrap_or(0);
    let (store, zeros) = (BucketStore::new(limit), Bytes::from(vec![0; size_max]));
    let start = cpu_ns();
    let mut hits = 0;
    for id in &trace.requests {
        let item = &trace.items[*id as usize];
        if store.lock(item.partition).get(&item.key).expect("memory does not fail").is_some() {
            hits += 1;
        } else if item.cost <= limit {
            put(&store, item, &zeros);
        }
    }
    let ns = (cpu_ns() - start) as f64;
    assert!(store.usage().bytes <= limit, "above the limit");
    (percent(hits, trace.requests.len()), ns / trace.requests.len() as f64)
}

/// A doubly linked list through an array, the latest at the front; number 0 is both ends.
fn lru(trace: &Trace, limit: u64) -> f64 {
    let mut links = vec![(0_u32, 0_u32); trace.items.len() + 1];
    let mut held = vec![false; trace.items.len() + 1];
    let (mut bytes, mut hits) = (0, 0);
    for id in &trace.requests {
        let (at, cost) = (id + 1, trace.items[*id as usize].cost);
        if held[at as usize] {
            hits += 1;
            unlink(&mut links, at);
        } else if cost > limit {
            continue;
        } else {
            (bytes, held[at as usize]) = (bytes + cost, true);
        }
        let first = links[0].1;
        links[at as usize] = (0, first);
        (links[first as usize].0, links[0].1) = (at, at);
        while bytes > limit {
            let last = links[0].0;
            unlink(&mut links, last);
            (bytes, held[last as usize]) = (bytes - trace.items[last as usize - 1].cost, false);
        }
    }
    percent(hits, trace.requests.len())
}

fn unlink(links: &mut [(u32, u32)], at: u32) {
    let (before, after) = links[at as usize];
    (links[before as usize].1, links[after as usize].0) = (after, before);
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel with schedstat");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}
