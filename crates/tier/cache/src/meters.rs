//! Core: what the cache has done since the node started: for `ringway cache stats`, and as metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, gauge};
use ringway_ports::{CacheStats, StoredResponse};

#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) hits: AtomicU64,
    pub(crate) stale_hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) bypassed: AtomicU64,
    pub(crate) collapsed: AtomicU64,
    pub(crate) revalidations: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) purged: AtomicU64,
    /// Invalidations that other nodes were not told of, for there were too many.
    pub(crate) untold: AtomicU64,
    saved_bytes: AtomicU64,
    saved_us: AtomicU64,
}

impl Meters {
    pub(crate) fn add(&self, meter: &AtomicU64, count: u64) {
        meter.fetch_add(count, Ordering::Relaxed);
    }

    /// `response` was used so often.
    pub(crate) fn used(&self, response: &StoredResponse, count: u32) {
        response.uses.fetch_add(count, Ordering::Relaxed);
        response.hits.fetch_add(u64::from(count), Ordering::Relaxed);
        self.add(&self.saved_bytes, response.body.len() as u64 * u64::from(count));
        self.add(&self.saved_us, response.took.as_micros() as u64 * u64::from(count));
    }

    pub(crate) fn stats(&self, responses: u64, bytes: u64, bytes_limit: u64) -> CacheStats {
        let get = |meter: &AtomicU64| meter.load(Ordering::Relaxed);
        CacheStats {
            responses,
            bytes,
            bytes_limit,
            hits: get(&self.hits),
            stale_hits: get(&self.stale_hits),
            misses: get(&self.misses),
            bypassed: get(&self.bypassed),
            collapsed: get(&self.collapsed),
            revalidations: get(&self.revalidations),
            evicted: get(&self.evicted),
            purged: get(&self.purged),
            saved_bytes: get(&self.saved_bytes),
            saved: Duration::from_micros(get(&self.saved_us)),
        }
    }

    pub(crate) fn publish(&self, stats: &CacheStats) {
        let results = [
            ("hit", stats.hits),
            ("stale", stats.stale_hits),
            ("miss", stats.misses),
            ("bypass", stats.bypassed),
            ("collapsed", stats.collapsed),
        ];
        for (result, count) in results {
            counter!("ringway_cache_requests_total", "result" => result).absolute(count);
        }
        counter!("ringway_cache_revalidations_total").absolute(stats.revalidations);
        counter!("ringway_cache_evicted_responses_total").absolute(stats.evicted);
        counter!("ringway_cache_purged_responses_total").absolute(stats.purged);
        counter!("ringway_cache_untold_invalidations_total").absolute(self.untold.load(Ordering::Relaxed));
        counter!("ringway_cache_saved_bytes_total").absolute(stats.saved_bytes);
        counter!("ringway_cache_saved_seconds_total").absolute(stats.saved.as_secs());
        gauge!("ringway_cache_responses").set(stats.responses as f64);
        gauge!("ringway_cache_bytes").set(stats.bytes as f64);
        gauge!("ringway_cache_limit_bytes").set(stats.bytes_limit as f64);
    }
}
