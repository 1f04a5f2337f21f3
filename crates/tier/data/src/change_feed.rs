//! Core: what clients have changed in a bucket, for those who watch it. The clock is handed in.
//!
//! Nothing is noted while nobody watches: who does has asked within the last [`WATCHED_MS`]. What is noted is a bounded number of changes
//! with numbers, so that who comes late knows how many are missing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::{ChangesFrom, KvChange, KvChanges, KvPattern};
use tokio::sync::Notify;

/// How long a bucket stays watched after somebody has asked.
const WATCHED_MS: u64 = 60_000;
/// Changes that are kept, and the bytes of their keys.
const KEPT_MAX: usize = 4096;
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Changes in one answer.
const TOLD_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct ChangeFeed {
    watched_until_ms: AtomicU64,
    kept: Mutex<Kept>,
    /// There is something new.
    noted: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    run: u64,
    /// Number of the next change.
    next: u64,
    changes: VecDeque<KvChange>,
    bytes: usize,
}

impl ChangeFeed {
    #[inline]
    pub(crate) fn is_watched(&self, now_ms: u64) -> bool {
        now_ms < self.watched_until_ms.load(Ordering::Relaxed)
    }

    /// Keys with the command that changed each, in order.
    pub(crate) fn note(&self, changes: impl Iterator<Item = (Bytes, &'static str)>, at_ms: u64) {
        let mut kept = self.lock();
        for (key, event) in changes {
            kept.push(KvChange { at_ms, key, event: event.to_ascii_lowercase() });
        }
        drop(kept);
        self.noted.notify_waiters();
    }

    /// Somebody watches from now on. `run` is for a feed that begins: any number that was not used before.
    fn watch(&self, now_ms: u64, run: u64) {
        let until_ms = self.watched_until_ms.swap(now_ms + WATCHED_MS, Ordering::Relaxed);
        if until_ms <= now_ms {
            *self.lock() = Kept { run, ..Kept::default() };
        }
    }

    /// What has changed since `from`, as soon as there is something; without `from`, where the feed is.
    pub(crate) async fn changes(
        &self,
        pattern: &KvPattern,
        from: Option<ChangesFrom>,
        within: Duration,
        now_ms: u64,
    ) -> KvChanges {
        self.watch(now_ms, ringway_rt::random::number());
        let deadline = tokio::time::sleep(within);
        tokio::pin!(deadline);
        let mut from = from;
        loop {
            let noted = self.noted.notified();
            tokio::pin!(noted);
            // From here on nothing is missed.
            noted.as_mut().enable();
            let told = self.lock().since(pattern, from);
            if !told.changes.is_empty() || told.lost > 0 {
                return told;
            }
            from = Some(told.next);
            tokio::select! {
                () = noted => {}
                () = &mut deadline => return told,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, change: KvChange) {
        self.next += 1;
        self.bytes += change.key.len();
        self.changes.push_back(change);
        while self.changes.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some(old) = self.changes.pop_front() else { return };
            self.bytes -= old.key.len();
        }
    }

    fn since(&self, pattern: &KvPattern, from: Option<ChangesFrom>) -> KvChanges {
        let first = self.next - self.changes.len() as u64;
        let begin = match from {
            None => self.next,
            // It has begun anew: all of it is news.
            Some(from) if from.run != self.run => first,
            Some(from) => from.next.min(self.next),
        };
        let (lost, begin) = (first.saturating_sub(begin), begin.max(first));
        let (mut changes, mut next) = (Vec::new(), begin);
        for change in self.changes.iter().skip((begin - first) as usize) {
            if changes.len() >= TOLD_MAX {
                break;
            }
            next += 1;
            changes.extend(pattern.matches(&change.key).then(|| change.clone()));
        }
        KvChanges { changes, next: ChangesFrom { run: self.run, next }, lost }
    }
}

#[cfg(test)]
mod tests;
