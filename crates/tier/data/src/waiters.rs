//! Driver: clients that wait for elements of a list or sorted set, at the node that executes its commands.
//!
//! Who waits is told that there may be something, and then asks for it like everybody else: an element never leaves the bucket for
//! a client that has gone meanwhile. Of those who wait for a key the one that has waited longest is told first, one for each
//! command that has added to it; all look again now and then, so that nobody depends on being told.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Waiters {
    count: AtomicUsize,
    next_id: AtomicU64,
    by_key: Mutex<Queues>,
}

type Queues = HashMap<Arc<str>, HashMap<Bytes, VecDeque<Waiter>>>;

#[derive(Clone)]
struct Waiter {
    id: u64,
    told: Arc<Notify>,
}

/// A place in the queues of some keys; given up when dropped.
pub(crate) struct Waiting<'a> {
    waiters: &'a Waiters,
    bucket: Arc<str>,
    keys: Vec<Bytes>,
    waiter: Waiter,
}

impl Waiters {
    pub(crate) fn is_any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Queues up for these keys: what is added to one of them from now on is told.
    pub(crate) fn queue_up(&self, bucket: &Arc<str>, keys: &[Bytes]) -> Waiting<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let waiter = Waiter { id: self.next_id.fetch_add(1, Ordering::Relaxed), told: Arc::new(Notify::new()) };
        let mut queues = self.queues();
        let of_bucket = queues.entry(bucket.clone()).or_default();
        for key in keys {
            of_bucket.entry(key.clone()).or_default().push_back(waiter.clone());
        }
        Waiting { waiters: self, bucket: bucket.clone(), keys: keys.to_vec(), waiter }
    }

    /// Something was added to these keys.
    pub(crate) fn wake(&self, bucket: &str, keys: &[Bytes]) {
        if keys.is_empty() {
            return;
        }
        let mut queues = self.queues();
        let Some(of_bucket) = queues.get_mut(bucket) else { return };
        for key in keys {
            let next = of_bucket.get_mut(key).and_then(VecDeque::pop_front);
            if let Some(waiter) = next {
                waiter.told.notify_one();
            }
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    /// Completes when something was added. Cancel-safe.
    pub(crate) async fn told(&self) {
        self.waiter.told.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queues = self.waiters.queues();
        if let Some(of_bucket) = queues.get_mut(&self.bucket) {
            for key in &self.keys {
                if let Some(queue) = of_bucket.get_mut(key) {
                    queue.retain(|waiter| waiter.id != self.waiter.id);
                    if queue.is_empty() {
                        of_bucket.remove(key);
                    }
                }
            }
            if of_bucket.is_empty() {
                queues.remove(&self.bucket);
            }
        }
        drop(queues);
        self.waiters.count.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn who_has_waited_longest_is_told_first_and_who_has_gone_is_passed_over() {
        let (waiters, bucket) = (Waiters::default(), Arc::<str>::from("b"));
        let keys = [Bytes::from("k")];
        let (first, second, third) =
            (waiters.queue_up(&bucket, &keys), waiters.queue_up(&bucket, &keys), waiters.queue_up(&bucket, &keys));
        drop(first);
        waiters.wake("b", &keys);
        assert!(second.told().now_or_never().is_some() && third.told().now_or_never().is_none());
        waiters.wake("b", &keys);
        assert!(third.told().now_or_never().is_some());
        drop((second, third));
        assert!(!waiters.is_any() && waiters.queues().is_empty());
    }
}
