//! Numbers for INFO and the metrics. Labels are few: a bucket's name at most.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Counter;

#[derive(Default)]
pub struct Stats {
    pub commands: AtomicU64,
    pub forwarded: AtomicU64,
    pub connections_total: AtomicU64,
    pub connections: AtomicU64,
    pub memcache_bytes_read: AtomicU64,
    pub memcache_bytes_written: AtomicU64,
    commands_total: OnceLock<Counter>,
}

impl Stats {
    pub(crate) fn note_commands(&self, count: usize) {
        self.commands.fetch_add(count as u64, Ordering::Relaxed);
        // Looked up once: this is on the way of every batch.
        let counter = self.commands_total.get_or_init(|| metrics::counter!("ringway_data_commands_total"));
        counter.increment(count as u64);
    }

    pub(crate) fn note_forwarded(&self, count: usize) {
        self.forwarded.fetch_add(count as u64, Ordering::Relaxed);
        metrics::counter!("ringway_data_forwarded_total").increment(count as u64);
    }

    /// Which connection it is, since the node started.
    pub(crate) fn note_opened(&self) -> u64 {
        metrics::gauge!("ringway_data_connections").increment(1.0);
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connections_total.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn note_closed(&self) {
        metrics::gauge!("ringway_data_connections").decrement(1.0);
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
