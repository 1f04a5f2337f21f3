//! Core: when memory that was read without a lock may be freed.
//!
//! Who reads is counted in one of a few counters, each in a cache line of its own. What is taken out of use is retired first and
//! freed when every counter has been seen at zero since: whoever could still read it has left by then. (Read-copy-update in the
//! small; McKenney & Slingwine, 1998.) A reader comes before it reads where things are, and a writer looks at the counters after it
//! has written where they are now, both in the one order of sequentially consistent operations: so a reader that the writer does
//! not see yet will see what the writer wrote.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::line::Line;

const COUNTERS: usize = 16;
const ALL: u32 = (1 << COUNTERS) - 1;
/// More than this may not be retired in one shard: its writer waits for the readers then, which never wait for anything.
const RETIRED_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Readers([Counter; COUNTERS]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Counter(AtomicU32);

/// Counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Reading<'a>(&'a AtomicU32);

impl Readers {
    #[inline]
    pub(crate) fn enter(&self) -> Reading<'_> {
        let counter = &self.0[own_counter()].0;
        counter.fetch_add(1, Ordering::SeqCst);
        Reading(counter)
    }

    /// Those of the counters in `mask` that are not at zero.
    fn busy(&self, mask: u32) -> u32 {
        let is_busy = |at: &usize| mask & 1 << at != 0 && self.0[*at].0.load(Ordering::SeqCst) != 0;
        (0..COUNTERS).filter(is_busy).fold(0, |busy, at| busy | 1 << at)
    }
}

impl Drop for Reading<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// A shard's lines that are not in use any more, but may still be read.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    fresh: Vec<Box<[Line]>>,
    waiting: Vec<Box<[Line]>>,
    /// The counters that `waiting` waits for.
    busy: u32,
}

impl Retired {
    pub(crate) fn push(&mut self, lines: Box<[Line]>) {
        if !lines.is_empty() {
            self.fresh.push(lines);
        }
    }

    /// Frees what nobody can be reading any more. Not before readers can see where the lines are now.
    #[inline]
    pub(crate) fn free(&mut self, readers: &Readers) {
        if !self.fresh.is_empty() {
            self.free_unread(readers);
        }
    }

    fn free_unread(&mut self, readers: &Readers) {
        loop {
            self.busy = readers.busy(self.busy);
            if self.busy == 0 {
                self.waiting = std::mem::take(&mut self.fresh);
                self.busy = readers.busy(ALL);
                if self.busy == 0 {
                    self.waiting.clear();
                }
            }
            if self.fresh.len() < RETIRED_MAX {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Threads are dealt out over the counters.
fn own_counter() -> usize {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) as usize % COUNTERS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Box<[Line]> {
        std::iter::repeat_with(Line::default).take(count).collect()
    }

    #[test]
    fn what_a_reader_may_see_is_freed_when_it_has_left() {
        let (readers, mut retired) = (Readers::default(), Retired::default());
        let early = readers.enter();
        retired.push(lines(1));
        retired.free(&readers);
        assert_eq!(retired.waiting.len(), 1);
        drop(early);
        let late = readers.enter();
        drop(late);
        retired.push(lines(2));
        retired.free(&readers);
        assert_eq!((retired.waiting.len(), retired.fresh.len()), (0, 0));
    }

    #[test]
    fn a_reader_that_came_later_does_not_count_for_what_was_seen_unread() {
        let (readers, mut retired) = (Readers::default(), Retired::default());
        retired.push(lines(1));
        retired.free(&readers);
        assert!(retired.waiting.is_empty());
        let reading = readers.enter();
        retired.push(lines(1));
        retired.free(&readers);
        retired.push(lines(1));
        retired.free(&readers);
        assert_eq!((retired.waiting.len(), retired.fresh.len()), (1, 1));
        drop(reading);
    }
}
