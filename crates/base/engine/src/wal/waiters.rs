//! Driver: who waits for the log, woken with one system call per thread.
//!
//! Waking a task of another thread's runtime costs a system call each time; waking one's own costs nothing. So the writer wakes one
//! waiter of each thread, and that one wakes its neighbours, like the first of a coach party who is told that the coach is there.
//! And who begins to wait lets everybody else on its thread have a turn before it rings for the writer: what they append goes
//! into the same group.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::{Inner, Position};
use crate::Error;

/// Threads beyond that share a place.
const PLACES: usize = 16;

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// With the operating system: survives SIGKILL.
    Written,
    /// On the disk: survives a loss of power.
    Synced,
}

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    places: [Mutex<Place>; PLACES],
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    waiting: Vec<Waiting>,
    /// Who is going to ring for the writer.
    ringer: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    level: Level,
    target: u64,
    waker: Waker,
}

impl Waiters {
    /// Something has changed: wakes one in each place who can go on now.
    pub(crate) fn tell(&self, may_go: impl Fn(Level, u64) -> bool) {
        for place in &self.places {
            let mut place = lock(place);
            let first = place.waiting.iter().position(|waiting| may_go(waiting.level, waiting.target));
            let waker = first.map(|at| place.waiting.swap_remove(at).waker);
            drop(place);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    fn place(&self, number: usize) -> MutexGuard<'_, Place> {
        lock(&self.places[number])
    }
}

impl Place {
    /// The greatest target of each level.
    fn wanted(&self) -> (u64, u64) {
        let greatest = |level: Level| {
            self.waiting
                .iter()
                .filter(|waiting| waiting.level == level)
                .map(|waiting| waiting.target)
                .max()
                .unwrap_or(0)
        };
        (greatest(Level::Written), greatest(Level::Synced))
    }
}

/// Ready as soon as the log is written or synced up to a position, or cannot be.
#[must_use = "nothing is waited for unless it is polled"]
#[derive(Debug)]
pub struct Wait {
    log: Arc<Inner>,
    level: Level,
    target: u64,
    place: usize,
    /// 0 before the first poll and after the last.
    id: u64,
}

impl Wait {
    pub(crate) fn new(log: Arc<Inner>, level: Level, position: Position) -> Self {
        Self { log, level, target: position.0, place: 0, id: 0 }
    }

    /// Blocks the thread.
    pub fn block(self) -> Result<(), Error> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let (mut wait, mut context) = (std::pin::pin!(self), Context::from_waker(&waker));
        loop {
            match wait.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    fn register(&self, place: &mut Place, waker: &Waker) {
        place.waiting.push(Waiting { id: self.id, level: self.level, target: self.target, waker: waker.clone() });
        if place.ringer.is_none() {
            place.ringer = Some(self.id);
            waker.wake_by_ref();
        }
    }

    fn ring(&self, mut place: MutexGuard<'_, Place>) {
        place.ringer = None;
        let (written, synced) = place.wanted();
        drop(place);
        self.log.want(written, synced);
    }

    /// Does what others on this thread rely on it for: rings, and wakes those who can go on.
    fn leave(&mut self) {
        let mut place = self.log.waiters.place(self.place);
        place.waiting.retain(|waiting| waiting.id != self.id);
        let ready = |waiting: &mut Waiting| self.log.may_go(waiting.level, waiting.target);
        let wakers: Vec<Waker> = place.waiting.extract_if(.., ready).map(|waiting| waiting.waker).collect();
        match place.ringer == Some(self.id) {
            true => self.ring(place),
            false => drop(place),
        }
        wakers.into_iter().for_each(Waker::wake);
        self.id = 0;
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Future for Wait {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.id == 0 {
            if this.log.is_reached(this.level, this.target) {
                return Poll::Ready(Ok(()));
            }
            this.place = place_of_this_thread();
            this.id = this.log.waiters.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        }
        let mut place = this.log.waiters.place(this.place);
        if let Some(outcome) = this.log.outcome(this.level, this.target) {
            drop(place);
            this.leave();
            return Poll::Ready(outcome);
        }
        match place.waiting.iter_mut().find(|waiting| waiting.id == this.id) {
            Some(waiting) => {
                waiting.waker.clone_from(context.waker());
                if place.ringer == Some(this.id) {
                    this.ring(place);
                }
            }
            None => this.register(&mut place, context.waker()),
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.id != 0 {
            self.leave();
        }
    }
}

fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place_of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PLACES;
    }
    PLACE.with(|place| *place)
}
