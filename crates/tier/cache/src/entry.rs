//! Core: one stored response with all that is known of it, and how many bytes it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use ringway_ports::{CacheKey, Hit, HitKind, StoredResponse};
use xxhash_rust::xxh3::Xxh3;

use crate::policy::freshness::Times;
use crate::policy::vary::Selecting;
use crate::tags::Tags;

/// What a header takes beside its characters: its place in the map, and those of its name and value.
const HEADER_OVERHEAD: u64 = 112;
const STRING_OVERHEAD: u64 = 32;
/// Places in the index, the queue, the list of deadlines and the list of what was evicted lately; the allocator's part.
const ENTRY_OVERHEAD: u64 = 320;

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) key: CacheKey,
    pub(crate) response: Arc<StoredResponse>,
    pub(crate) times: Times,
    pub(crate) selecting: Selecting,
    pub(crate) tags: Tags,
    /// Its `Date`, by the wall clock: of two that fit, the later one counts (RFC 9111, 4.1).
    pub(crate) made_ms: u64,
    pub(crate) weight: u64,
    /// Which queue it is in.
    pub(crate) is_main: AtomicBool,
}

impl Entry {
    pub(crate) fn new(
        id: u64,
        key: CacheKey,
        response: StoredResponse,
        (times, selecting, tags): (Times, Selecting, Tags),
        made_ms: u64,
    ) -> Self {
        let weight = weight(&key, &response, &selecting, &tags);
        let (response, is_main) = (Arc::new(response), AtomicBool::new(false));
        Self { id, key, response, times, selecting, tags, made_ms, weight, is_main }
    }

    pub(crate) fn hit(&self, kind: HitKind) -> Hit {
        Hit { response: Arc::clone(&self.response), kind }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.response.is_gone.load(Ordering::Relaxed)
    }

    /// What it is remembered by when it has been evicted.
    pub(crate) fn name(&self) -> u64 {
        let mut hash = Xxh3::new();
        let (host, target) = (self.key.host.as_bytes(), self.key.target.as_bytes());
        for part in [host, target, self.key.app.as_bytes(), &[u8::from(self.key.tls)]] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        for (name, value) in &self.selecting {
            hash.update(name.as_str().as_bytes());
            hash.update(value.as_deref().unwrap_or("\0").as_bytes());
        }
        hash.digest()
    }
}

fn weight(key: &CacheKey, response: &StoredResponse, selecting: &Selecting, tags: &Tags) -> u64 {
    let fixed = (size_of::<Entry>() + size_of::<StoredResponse>()) as u64 + ENTRY_OVERHEAD;
    let string = |text: &str| text.len() as u64 + STRING_OVERHEAD;
    let key = string(&key.host) + string(&key.target) + STRING_OVERHEAD;
    let selecting: u64 =
        selecting.iter().map(|(name, value)| string(name.as_str()) + string(value.as_deref().unwrap_or(""))).sum();
    let tags: u64 = tags.iter().map(|tag| string(tag)).sum();
    fixed + key + selecting + tags + headers_weight(&response.headers) + response.body.len() as u64
}

fn headers_weight(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64 + HEADER_OVERHEAD).sum()
}
