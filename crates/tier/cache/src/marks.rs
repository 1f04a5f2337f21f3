//! Core: addresses whose answers turned out not to be storable, for a while: nobody waits for anybody there.
//!
//! Varnish calls it hit-for-miss. Without it, requests for a page that cannot be shared would stand in line, each hoping for the answer
//! of the one before. While the mark holds, requests pass by the cache; one now and then looks whether that is still so. A table of
//! fixed size in which a newcomer takes the place of another: a mark that is lost costs one wait, one too many costs nothing but
//! a few seconds without the cache.

use std::sync::atomic::{AtomicU64, Ordering};

const COUNT: usize = 1 << 15;
/// How often one request looks whether the mark still fits.
pub(crate) const PROBE_EVERY_MS: u64 = 2_000;
/// A mark for what failed: the next one may be better.
pub(crate) const FAILED_FOR_MS: u64 = 500;
/// A mark for what an app has changed, until the other nodes have heard of it.
pub(crate) const CHANGED_FOR_MS: u64 = 250;
/// Unless a request has renewed it, a mark means nothing so long after it was to be looked at.
const FORGOTTEN_AFTER_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It may not be stored, or not be shared.
    Uncacheable,
    /// It would not fit: parts of it are better had from the app.
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Not,
    /// Pass by the cache.
    Pass(Why),
    /// Fetch it, apart from others, and see whether it is still so.
    Probe,
}

/// A slot is 31 bits of the hash, 1 bit of why, and 32 bits of when to look again, in sixteenths of a second.
#[derive(Debug)]
pub(crate) struct Marks {
    slots: Box<[AtomicU64]>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { slots: (0..COUNT).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Marks {
    /// `now_ms` since some beginning, not since 1970.
    pub(crate) fn set(&self, hash: u64, why: Why, now_ms: u64, for_ms: u64) {
        self.slot(hash).store(packed(hash, why, now_ms + for_ms), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self, hash: u64) {
        let slot = self.slot(hash);
        let seen = slot.load(Ordering::Relaxed);
        if is_of(seen, hash) {
            // Another address may have taken the slot just now: then it stays.
            let _kept = slot.compare_exchange(seen, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(crate) fn look(&self, hash: u64, now_ms: u64) -> Marked {
        let slot = self.slot(hash);
        let seen = slot.load(Ordering::Relaxed);
        if seen == 0 || !is_of(seen, hash) {
            return Marked::Not;
        }
        let (why, probe_ms) = (why(seen), probe_ms(seen));
        if now_ms < probe_ms {
            return Marked::Pass(why);
        }
        if now_ms > probe_ms + FORGOTTEN_AFTER_MS {
            return Marked::Not;
        }
        let renewed = packed(hash, why, now_ms + PROBE_EVERY_MS);
        match slot.compare_exchange(seen, renewed, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Marked::Probe,
            Err(_) => Marked::Pass(why),
        }
    }

    /// Why it is marked, for people.
    pub(crate) fn peek(&self, hash: u64, now_ms: u64) -> Option<Why> {
        let seen = self.slot(hash).load(Ordering::Relaxed);
        let is_marked = seen != 0 && is_of(seen, hash) && now_ms < probe_ms(seen);
        is_marked.then(|| why(seen))
    }

    fn slot(&self, hash: u64) -> &AtomicU64 {
        &self.slots[hash as usize % COUNT]
    }
}

fn packed(hash: u64, why: Why, probe_ms: u64) -> u64 {
    (hash >> 33 << 33) | u64::from(why == Why::TooLarge) << 32 | (probe_ms * 16 / 1000).clamp(1, 0xffff_ffff)
}

fn probe_ms(slot: u64) -> u64 {
    (slot & 0xffff_ffff) * 1000 / 16
}

fn why(slot: u64) -> Why {
    if slot >> 32 & 1 == 1 { Why::TooLarge } else { Why::Uncacheable }
}

fn is_of(slot: u64, hash: u64) -> bool {
    slot >> 33 == hash >> 33
}

#[cfg(test)]
mod tests;
