//! Core: when something is to be done about an entry, in bounded steps.
//!
//! A radix heap (Ahuja et al., "Faster algorithms for the shortest path problem", 1990): what is due later than [`Due::now`] lies
//! in the bucket of the highest bit in which the two times differ. Going on in time empties the buckets below that bit, and spreads
//! the one at it; everything is moved at most once for each bit, most things once or twice. It holds handles: an entry that was
//! overwritten, removed or is due later now is found out when its turn comes. So an entry has *at least* one handle here that is
//! not later than it is due.

use crate::handle::Handle;

const TIME_BITS: u32 = 48;
const TIME_MAX: u64 = (1 << TIME_BITS) - 1;

#[derive(Debug, Default)]
pub(crate) struct Due {
    now: u64,
    /// Bucket 0 is for what was due already when it came.
    buckets: Vec<Vec<Item>>,
    /// Buckets that may hold something that is due at `now`.
    passed: u64,
    /// Being looked at.
    draining: Vec<Item>,
    len: usize,
}

/// 12 bytes instead of 16.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(4))]
struct Item {
    due_ms: u64,
    handle: Handle,
}

impl Due {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, handle: Handle, due_ms: u64) {
        self.len += 1;
        self.place(Item { due_ms: due_ms.min(TIME_MAX), handle });
    }

    /// Goes on to `now_ms`. Time does not go back.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        let now = now_ms.clamp(self.now, TIME_MAX);
        // Everything up to the highest bit that changes; and bucket 0 always.
        self.passed |= (1 << bucket_of(self.now, now)) | ((1 << bucket_of(self.now, now)) - 1) | 1;
        self.now = now;
    }

    /// One that is due, if any; looks at no more than `budget`, and takes from it what it looked at. To be asked again if the
    /// budget is used up.
    pub(crate) fn pop(&mut self, budget: &mut usize) -> Option<Handle> {
        while *budget > 0 {
            let Some(item) = self.draining.pop() else {
                if !self.drain_next() {
                    return None;
                }
                continue;
            };
            *budget -= 1;
            if item.due_ms <= self.now {
                self.len -= 1;
                return Some(item.handle);
            }
            self.place(item);
        }
        None
    }

    /// Forgets everything but the time.
    pub(crate) fn clear(&mut self) {
        *self = Self { now: self.now, ..Self::default() };
    }

    fn place(&mut self, item: Item) {
        let bucket = if item.due_ms <= self.now { 0 } else { bucket_of(self.now, item.due_ms) };
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(item);
    }

    fn drain_next(&mut self) -> bool {
        while self.passed != 0 {
            let bucket = self.passed.trailing_zeros() as usize;
            self.passed &= self.passed - 1;
            if let Some(items) = self.buckets.get_mut(bucket).filter(|items| !items.is_empty()) {
                self.draining = std::mem::take(items);
                return true;
            }
        }
        self.draining = Vec::new();
        false
    }
}

fn bucket_of(now: u64, due: u64) -> usize {
    (u64::BITS - (now ^ due).leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    impl Due {
        pub(crate) fn now(&self) -> u64 {
            self.now
        }

        /// Of each handle, when it will be popped.
        pub(crate) fn earliest(&self) -> HashMap<u32, u64> {
            let mut earliest = HashMap::new();
            for item in self.buckets.iter().flatten().chain(&self.draining) {
                let (handle, due_ms) = (item.handle.bits(), item.due_ms);
                earliest.entry(handle).and_modify(|at: &mut u64| *at = due_ms.min(*at)).or_insert(due_ms);
            }
            earliest
        }
    }

    fn due_at(due: &mut Due, now_ms: u64, budget: usize) -> Vec<u32> {
        due.advance(now_ms);
        let mut popped = Vec::new();
        loop {
            let mut left = budget;
            while let Some(handle) = due.pop(&mut left) {
                popped.push(handle.bits());
            }
            if left > 0 {
                popped.sort_unstable();
                return popped;
            }
        }
    }

    #[test]
    fn everything_comes_when_it_is_due_and_not_before() {
        let mut seed = 12345_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let (mut due, mut model, mut now) = (Due::default(), Vec::new(), 1_790_000_000_000);
        due.advance(now);
        for step in 0..20_000_u32 {
            let span = 1 << random(40);
            let at = now + random(span) - random(20);
            due.push(Handle::from_bits(step), at);
            model.push((at, step));
            if random(4) == 0 {
                let span = 1 << random(20);
                now += random(span);
                let budget = 1 + random(50) as usize;
                let mut expected: Vec<u32> = model.iter().filter(|(at, _)| *at <= now).map(|(_, name)| *name).collect();
                expected.sort_unstable();
                model.retain(|(at, _)| *at > now);
                assert_eq!(due_at(&mut due, now, budget), expected, "step {step}");
                assert_eq!(due.len(), model.len());
            }
        }
        assert!(!model.is_empty());
    }

    #[test]
    fn what_was_due_before_it_came_comes_at_once_and_only_once() {
        let mut due = Due::default();
        due.advance(1000);
        due.push(Handle::from_bits(1), 5);
        assert_eq!(due_at(&mut due, 1000, 10), [1]);
        assert_eq!(due_at(&mut due, 1001, 10), [0; 0]);
        due.push(Handle::from_bits(2), u64::MAX);
        assert_eq!(due_at(&mut due, 1 << 40, 10), [0; 0]);
    }
}
