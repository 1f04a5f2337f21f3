//! Core: what happens when, in virtual time. Events of one instant come in the order in which they were scheduled.
//!
//! A binary heap of small entries over a slab of events: events are large (messages with lists) and would be slow to sift.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct EventQueue<E> {
    heap: BinaryHeap<Reverse<(Duration, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    scheduled: u64,
}

impl<E> EventQueue<E> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), scheduled: 0 }
    }

    pub(super) fn schedule(&mut self, at: Duration, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.events[slot as usize] = Some(event);
                slot
            }
            None => {
                self.events.push(Some(event));
                (self.events.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((at, self.scheduled, slot)));
        self.scheduled += 1;
    }

    /// The next event that is due by `until`, and its time.
    pub(super) fn next(&mut self, until: Duration) -> Option<(Duration, E)> {
        let Reverse((at, _, slot)) = *self.heap.peek()?;
        if at > until {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        let event = self.events[slot as usize].take().expect("a slot in the heap holds an event");
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_scheduling() {
        let mut queue = EventQueue::new();
        let at = Duration::from_millis;
        for (time, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            queue.schedule(at(time), event);
        }
        let mut order = Vec::new();
        while let Some((_, event)) = queue.next(at(4)) {
            order.push(event);
        }
        queue.schedule(at(5), 'e');
        while let Some((_, event)) = queue.next(at(9)) {
            order.push(event);
        }
        assert_eq!(order, ['a', 'b', 'c', 'd', 'e']);
    }
}
