//! Core: the keys of a bucket that are used most, on this node, now.
//!
//! Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k elements in data streams",
//! ICDT 2005): a fixed number of counters; a key that has none takes over the smallest one together with its count, which is from then on
//! the error of the newcomer's. So a count is never too low, and too high by its error at most; whatever is used more often than
//! 1/[`COUNTERS`] of all uses is among them.
//!
//! *Now* is by decay (G. Cormode et al., "Forward decay", ICDE 2009): a use weighs more the later it is, twice as much every
//! [`HALF_LIFE_MS`], so that nothing has to be touched when time passes; when weights become large, all counts are scaled down at once.
//!
//! Only one use in [`ONE_IN`] is looked at ([`is_looked_at`]). Counters are few enough that a walk over their hashes (2 KiB, no
//! pointers) beats a hash table.
//!
//! It does not count exactly, and it forgets: a key that was hot an hour ago is not here.

use std::f64::consts::LN_2;

/// Keys that are counted at a time.
pub const COUNTERS: usize = 256;
/// Uses per use that is looked at.
pub const ONE_IN: u64 = 64;
/// What was used this long ago counts half.
pub const HALF_LIFE_MS: u64 = 10_000;
/// Of a longer key the beginning is kept.
pub const KEY_LEN_MAX: usize = 512;
/// Half-lives after which weights are scaled down: far from where a double loses small counts beside large ones.
const RESCALE_AFTER: f64 = 24.0;

/// Of one bucket.
#[derive(Debug, Default)]
pub struct HotKeys {
    /// Apart from the rest, because all of them are compared for every use.
    hashes: Vec<u64>,
    counters: Vec<Counter>,
    /// All uses, with their weights.
    total: f64,
    /// When a use weighs 1. Moves on when weights become large.
    landmark_ms: u64,
    /// The first use ever.
    since_ms: Option<u64>,
}

#[derive(Debug)]
struct Counter {
    key: Vec<u8>,
    count: f64,
    /// How much of it may be another key's.
    error: f64,
}

/// One key, in uses a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Hot {
    /// At most [`KEY_LEN_MAX`] bytes of it.
    pub key: Vec<u8>,
    pub hash: u64,
    pub per_second: f64,
    /// By how much that may be too high.
    pub error: f64,
}

/// Whether to look at use number `number`: one of each [`ONE_IN`] in a row, drawn by lot (SplitMix64, Steele et al. 2014), because a
/// program's loop may repeat with any period.
#[inline]
pub fn is_looked_at(number: u64) -> bool {
    let mut lot = (number / ONE_IN).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    lot = (lot ^ (lot >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    lot = (lot ^ (lot >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (lot ^ (lot >> 31)) % ONE_IN == number % ONE_IN
}

impl HotKeys {
    /// A use that is looked at. `hash` tells keys apart: of the whole key, the same on all threads.
    pub fn note(&mut self, hash: u64, key: &[u8], now_ms: u64) {
        self.since_ms.get_or_insert_with(|| {
            self.landmark_ms = now_ms;
            now_ms
        });
        let weight = self.weight_at(now_ms);
        self.total += weight;
        if let Some(found) = self.hashes.iter().position(|known| *known == hash) {
            self.counters[found].count += weight;
            return;
        }
        if self.counters.len() < COUNTERS {
            self.hashes.push(hash);
            self.counters.push(Counter { key: cut(key).to_vec(), count: weight, error: 0.0 });
            return;
        }
        let (least, counter) = self.least();
        counter.error = counter.count;
        counter.count += weight;
        counter.key.clear();
        counter.key.extend_from_slice(cut(key));
        self.hashes[least] = hash;
    }

    /// The `wanted` most used, most used first.
    pub fn top(&self, wanted: usize, now_ms: u64) -> Vec<Hot> {
        let per_second = self.per_second(now_ms);
        let all = self.counters.iter().zip(&self.hashes).map(|(counter, hash)| Hot {
            key: counter.key.clone(),
            hash: *hash,
            per_second: counter.count * per_second,
            error: counter.error * per_second,
        });
        sorted(all.collect(), wanted)
    }

    /// Uses of all keys in a second.
    pub fn total_per_second(&self, now_ms: u64) -> f64 {
        self.total * self.per_second(now_ms)
    }

    fn least(&mut self) -> (usize, &mut Counter) {
        let least = self.counters.iter().enumerate().min_by(|(_, a), (_, b)| a.count.total_cmp(&b.count));
        let least = least.map_or(0, |(at, _)| at);
        (least, &mut self.counters[least])
    }

    /// Of a use at that time; scales everything down first if it would be too large. A clock that goes back is taken to stand still.
    fn weight_at(&mut self, now_ms: u64) -> f64 {
        let half_lives = now_ms.saturating_sub(self.landmark_ms) as f64 / HALF_LIFE_MS as f64;
        if half_lives <= RESCALE_AFTER {
            return half_lives.exp2();
        }
        let scale = (-half_lives).exp2();
        self.total *= scale;
        for counter in &mut self.counters {
            counter.count *= scale;
            counter.error *= scale;
        }
        self.landmark_ms = now_ms;
        1.0
    }

    /// What a weight of 1 is in uses a second now. At a steady rate r the decayed sum comes to r times half-life / ln 2, and to less
    /// of it while this is young.
    fn per_second(&self, now_ms: u64) -> f64 {
        let Some(since_ms) = self.since_ms else { return 0.0 };
        let half_lives = |ms: u64| ms as f64 / HALF_LIFE_MS as f64;
        let age_ms = now_ms.saturating_sub(since_ms).max(1000);
        let window_s = HALF_LIFE_MS as f64 / 1000.0 / LN_2 * (1.0 - (-half_lives(age_ms)).exp2());
        let decayed = (-half_lives(now_ms.saturating_sub(self.landmark_ms))).exp2();
        ONE_IN as f64 * decayed / window_s
    }
}

/// Keys used alike stay in the order of their bytes, so that a live table does not flicker.
fn sorted(mut all: Vec<Hot>, wanted: usize) -> Vec<Hot> {
    all.sort_by(|a, b| b.per_second.total_cmp(&a.per_second).then_with(|| a.key.cmp(&b.key)));
    all.truncate(wanted);
    all
}

fn cut(key: &[u8]) -> &[u8] {
    &key[..key.len().min(KEY_LEN_MAX)]
}

#[cfg(test)]
mod tests;
