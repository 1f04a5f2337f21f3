//! Core: what to evict: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! What is new goes into a small queue; what was used there, or comes back soon after it left, into the main one; the rest, mostly
//! used once, is gone quickly. Queues of handles: nothing moves at a hit, an overwrite or a removal. The counts of uses and the
//! queue are in the entry's slot, and this file is about a shard's totals only.

use crate::fifo::Fifo;
use crate::ghost::Ghost;
use crate::handle::Handle;

/// The small queue's share is one in this many.
const SMALL_SHARE: u64 = 10;

#[derive(Debug)]
pub(crate) struct S3Fifo {
    small: Lane,
    main: Lane,
    ghost: Ghost,
    /// The queue whose next may not go: the other one's turn.
    stuck: Option<bool>,
}

#[derive(Debug)]
struct Lane {
    queue: Fifo,
    /// Of the entries whose slots say that they are in this queue. The queue may have more handles: of what is gone.
    bytes: u64,
    count: usize,
}

impl S3Fifo {
    pub(crate) fn new() -> Self {
        let lane = || Lane { queue: Fifo::new(), bytes: 0, count: 0 };
        Self { small: lane(), main: lane(), ghost: Ghost::default(), stuck: None }
    }

    /// Queues something new. Whether in the main queue.
    pub(crate) fn admit(&mut self, handle: Handle, bytes: u64) -> bool {
        let main = self.ghost.take(handle);
        self.enter(handle, bytes, main);
        main
    }

    /// What is next to be evicted, and whether from the main queue. `None`: both are empty.
    pub(crate) fn next(&mut self) -> Option<(Handle, bool)> {
        let main = self.small.bytes < self.bytes() / SMALL_SHARE;
        let main = self.stuck.take().map_or(main, |stuck| !stuck);
        for main in [main, !main] {
            if let Some(handle) = self.lane(main).queue.pop() {
                return Some((Handle::from_bits(handle), main));
            }
        }
        None
    }

    pub(crate) fn enter(&mut self, handle: Handle, bytes: u64, main: bool) {
        let lane = self.lane(main);
        lane.queue.push(handle.bits());
        (lane.bytes, lane.count) = (lane.bytes + bytes, lane.count + 1);
    }

    /// Back to the end of the queue from which it came.
    pub(crate) fn requeue(&mut self, handle: Handle, main: bool) {
        self.lane(main).queue.push(handle.bits());
    }

    /// The same for something that must not go.
    pub(crate) fn keep(&mut self, handle: Handle, main: bool) {
        self.requeue(handle, main);
        self.stuck = Some(main);
    }

    /// Something is not in a queue any more, wherever its handle may be.
    pub(crate) fn leave(&mut self, bytes: u64, main: bool) {
        let lane = self.lane(main);
        debug_assert!(lane.bytes >= bytes && lane.count > 0);
        (lane.bytes, lane.count) = (lane.bytes - bytes, lane.count - 1);
    }

    pub(crate) fn resize(&mut self, before: u64, after: u64, main: bool) {
        let lane = self.lane(main);
        lane.bytes = lane.bytes + after - before;
    }

    /// Something that was in the small queue was evicted from the cache.
    pub(crate) fn remember(&mut self, handle: Handle) {
        let count = self.count();
        self.ghost.remember(handle, count - count / SMALL_SHARE as usize);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.small.bytes + self.main.bytes
    }

    pub(crate) fn count(&self) -> usize {
        self.small.count + self.main.count
    }

    /// Whether the queues hold so many handles of what is gone that it pays to sort them out.
    pub(crate) fn is_stale(&self) -> bool {
        self.small.queue.len() + self.main.queue.len() > self.count() * 2 + 1024
    }

    /// Keeps those of the handles that `keep`, in their order.
    pub(crate) fn sort_out(&mut self, mut keep: impl FnMut(Handle, bool) -> bool) {
        for main in [false, true] {
            let lane = self.lane(main);
            for _ in 0..lane.queue.len() {
                let Some(handle) = lane.queue.pop() else { break };
                if keep(Handle::from_bits(handle), main) {
                    lane.queue.push(handle);
                }
            }
        }
    }

    fn lane(&mut self, main: bool) -> &mut Lane {
        if main { &mut self.main } else { &mut self.small }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl S3Fifo {
        pub(crate) fn handles(&self) -> impl Iterator<Item = (Handle, bool)> {
            let of = |lane: &'_ Lane| (0..lane.queue.len()).filter_map(|at| lane.queue.peek(at)).collect::<Vec<_>>();
            let (small, main) = (of(&self.small), of(&self.main));
            let small = small.into_iter().map(|bits| (Handle::from_bits(bits), false));
            small.chain(main.into_iter().map(|bits| (Handle::from_bits(bits), true)))
        }

        /// Bytes and entries of both queues.
        pub(crate) fn totals(&self) -> [(u64, usize); 2] {
            [&self.small, &self.main].map(|lane| (lane.bytes, lane.count))
        }
    }
}
