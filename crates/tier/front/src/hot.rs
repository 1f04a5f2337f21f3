//! Core: answers at hand, one table a thread: what a plain request for a hot file or a fresh stored response gets, head and body ready
//! to be copied out.
//!
//! The table is only ever a short cut. An answer gets in when the usual way has given it twice within a while, belongs to one state of
//! the routes, and goes when these change, when what it was made of is gone, or when room is needed (CLOCK: who was used since the
//! hand last came by stays).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use ringway_ports::http_cache::StoredResponse;
use ringway_rt::random;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::meters::AppMeters;

const ANSWERS_MAX: usize = 4096;
/// Of one answer, in bytes.
const ANSWER_LEN_MAX: usize = 512 << 10;
/// What an answer takes besides head, body and key.
const OVERHEAD: usize = 256;
const SEEN: usize = 4096;

/// Travels with a response that may be kept here. Its head is the response's own.
#[derive(Clone)]
pub struct Keepable {
    pub body: Bytes,
    pub app: Arc<str>,
    /// Of a stored response: it is asked every time whether it is still good, and it is told of its use.
    pub stored: Option<Arc<StoredResponse>>,
}

pub struct HotAnswer {
    /// Status line and fields, without what differs from one answer to the next.
    pub head: Box<[u8]>,
    pub body: Bytes,
    pub stored: Option<Arc<StoredResponse>>,
    pub meters: Arc<AppMeters>,
}

pub struct HotTable {
    index: HashMap<u64, u32, BuildHasherDefault<Same>>,
    slots: Vec<Option<Slot>>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
    /// Of the routes.
    version: u64,
    /// Nobody may know which keys collide.
    seed: u64,
    /// Parts of the hashes that were asked for lately, at the place that the other part gives.
    seen: Box<[u32]>,
}

struct Slot {
    hash: u64,
    key: Box<[u8]>,
    answer: HotAnswer,
    was_used: bool,
}

/// What makes one plain request the same as another.
pub fn write_key(key: &mut Vec<u8>, tls: bool, host: &[u8], target: &[u8], accept_encoding: Option<&[u8]>) {
    key.clear();
    key.push(u8::from(tls));
    // No byte of the parts is 0.
    for part in [host, b"\0", target, b"\0", accept_encoding.unwrap_or_default()] {
        key.extend_from_slice(part);
    }
}

impl HotTable {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            index: HashMap::default(),
            slots: Vec::new(),
            hand: 0,
            bytes: 0,
            bytes_max,
            version: 0,
            seed: random::number(),
            seen: vec![0; SEEN].into_boxed_slice(),
        }
    }

    pub fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    /// Forgets all if the routes have changed. To be called before anything is looked up.
    pub fn follow(&mut self, version: u64) {
        if self.version != version {
            self.version = version;
            self.clear();
        }
    }

    pub fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        (self.bytes, self.hand) = (0, 0);
    }

    pub fn find(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<&HotAnswer> {
        let place = *self.index.get(&hash)?;
        let slot = self.slots[place as usize].as_mut().filter(|slot| *slot.key == *key)?;
        if slot.answer.stored.as_ref().is_some_and(|stored| !stored.is_usable(now_ms)) {
            self.remove(place as usize);
            return None;
        }
        let slot = self.slots[place as usize].as_mut()?;
        slot.was_used = true;
        Some(&slot.answer)
    }

    /// Whether this was asked for before, not long ago. Now it was.
    pub fn was_seen(&mut self, hash: u64) -> bool {
        // 0 is nobody.
        let (place, mark) = (hash as usize % SEEN, (hash >> 32) as u32 | 1);
        std::mem::replace(&mut self.seen[place], mark) == mark
    }

    /// `version`: of the routes when the request came.
    pub fn insert(&mut self, version: u64, key: Box<[u8]>, answer: HotAnswer) {
        let len = len_of(&key, &answer);
        if version != self.version || len > ANSWER_LEN_MAX.min(self.bytes_max) {
            return;
        }
        let hash = self.hash(&key);
        if let Some(place) = self.index.get(&hash) {
            self.remove(*place as usize);
        }
        while self.bytes + len > self.bytes_max || self.index.len() >= ANSWERS_MAX {
            self.evict();
        }
        let place = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if place == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[place] = Some(Slot { hash, key, answer, was_used: false });
        self.index.insert(hash, place as u32);
        self.bytes += len;
    }

    /// Lets go of what was purged, replaced or has become stale. Otherwise its memory would stay until somebody asks.
    pub fn sweep(&mut self, now_ms: u64) {
        for place in 0..self.slots.len() {
            let stored = self.slots[place].as_ref().and_then(|slot| slot.answer.stored.as_ref());
            if stored.is_some_and(|stored| !stored.is_usable(now_ms)) {
                self.remove(place);
            }
        }
    }

    /// There is one at least, when this is called.
    fn evict(&mut self) {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            match self.slots.get_mut(place) {
                Some(Some(slot)) if slot.was_used => slot.was_used = false,
                Some(Some(_)) => return self.remove(place),
                Some(None) => {}
                None => return,
            }
        }
    }

    fn remove(&mut self, place: usize) {
        if let Some(slot) = self.slots[place].take() {
            self.index.remove(&slot.hash);
            self.bytes -= len_of(&slot.key, &slot.answer);
        }
    }
}

/// A stored response's body is counted where it is stored.
fn len_of(key: &[u8], answer: &HotAnswer) -> usize {
    let body = if answer.stored.is_some() { 0 } else { answer.body.len() };
    key.len() + answer.head.len() + body + OVERHEAD
}

/// The keys are hashes already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
