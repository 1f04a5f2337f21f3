//! Core: what memcached counts, of a bucket's keys on the node that runs the commands. Reads are counted with the bucket's own.

use std::sync::atomic::{AtomicU64, Ordering};

use super::arithmetic::Summed;
use super::store::Stored;

/// Since the node has opened the bucket.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pub(crate) cmd_set: AtomicU64,
    pub(crate) cmd_flush: AtomicU64,
    /// Of `mg` that may write: the others are among the bucket's reads.
    pub(crate) get_hits: AtomicU64,
    pub(crate) get_misses: AtomicU64,
    pub(crate) touch_hits: AtomicU64,
    pub(crate) touch_misses: AtomicU64,
    pub(crate) delete_hits: AtomicU64,
    pub(crate) delete_misses: AtomicU64,
    pub(crate) incr_hits: AtomicU64,
    pub(crate) incr_misses: AtomicU64,
    pub(crate) decr_hits: AtomicU64,
    pub(crate) decr_misses: AtomicU64,
    pub(crate) cas_hits: AtomicU64,
    pub(crate) cas_misses: AtomicU64,
    pub(crate) cas_badval: AtomicU64,
    pub(crate) total_items: AtomicU64,
}

impl Uses {
    /// Of `get`, `touch` or `delete`, say.
    pub(super) fn note_found(found: bool, hits: &AtomicU64, misses: &AtomicU64) {
        note(if found { hits } else { misses });
    }

    pub(super) fn note_stored(&self, stored: Stored, with_cas: bool) {
        note(&self.cmd_set);
        match stored {
            Stored::Yes(_) => note(&self.total_items),
            Stored::No | Stored::Exists | Stored::NotFound => {}
        }
        if with_cas {
            match stored {
                Stored::Yes(_) => note(&self.cas_hits),
                Stored::Exists => note(&self.cas_badval),
                Stored::No | Stored::NotFound => note(&self.cas_misses),
            }
        }
    }

    pub(super) fn note_summed(&self, summed: Summed, is_decrement: bool) {
        match (summed, is_decrement) {
            (Summed::To(_), false) => note(&self.incr_hits),
            (Summed::To(_), true) => note(&self.decr_hits),
            (Summed::NotFound, false) => note(&self.incr_misses),
            (Summed::NotFound, true) => note(&self.decr_misses),
            (Summed::Exists | Summed::NotANumber, _) => {}
        }
    }
}

pub(crate) fn note(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
