//! Driver: all connections of a thread, and the one clock that they have together.
//!
//! A timer a connection is memory and work for something that almost never happens. So a connection notes until when it may wait, and
//! a sweep wakes those that are late. They are told late by one sweep at most, never early.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

/// Never.
const NONE: u64 = 0;

#[derive(Debug)]
pub struct Roll {
    began: Instant,
    tick: Duration,
    /// As of the last sweep.
    now_ms: AtomicU64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    alarms: Vec<Option<Arc<Alarm>>>,
    free: Vec<usize>,
}

/// One connection's.
#[derive(Debug, Default)]
pub struct Alarm {
    due_ms: AtomicU64,
    waker: AtomicWaker,
}

impl Roll {
    /// `shortest`: of the times that connections will wait.
    pub fn new(shortest: Duration) -> Self {
        let tick = (shortest / 8).clamp(Duration::from_millis(5), Duration::from_secs(1));
        Self { began: Instant::now(), tick, now_ms: AtomicU64::new(1), entries: Mutex::default() }
    }

    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// Milliseconds as of the last sweep.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// When it is certainly `wait` from now.
    pub fn after(&self, wait: Duration) -> u64 {
        self.now_ms() + (wait + self.tick).as_millis() as u64
    }

    pub fn enter(&self) -> (usize, Arc<Alarm>) {
        let alarm = Arc::new(Alarm::default());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let place = entries.free.pop().unwrap_or(entries.alarms.len());
        if place == entries.alarms.len() {
            entries.alarms.push(None);
        }
        entries.alarms[place] = Some(Arc::clone(&alarm));
        (place, alarm)
    }

    pub fn leave(&self, place: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.alarms[place] = None;
        entries.free.push(place);
    }

    /// Wakes those that are late.
    pub fn sweep(&self) {
        let now_ms = self.began.elapsed().as_millis() as u64 + 1;
        self.now_ms.store(now_ms, Ordering::Relaxed);
        self.wake(|alarm| alarm.is_due(now_ms));
    }

    /// Wakes all: there is news that concerns everybody.
    pub fn wake_all(&self) {
        self.wake(|_| true);
    }

    fn wake(&self, whom: impl Fn(&Alarm) -> bool) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.alarms.iter().flatten().filter(|alarm| whom(alarm)).for_each(|alarm| alarm.waker.wake());
    }
}

impl Alarm {
    /// `due_ms`: as [`Roll::after`] says it.
    pub fn set(&self, due_ms: u64) {
        self.due_ms.store(due_ms, Ordering::Relaxed);
    }

    pub fn clear(&self) {
        self.set(NONE);
    }

    pub fn is_due(&self, now_ms: u64) -> bool {
        let due_ms = self.due_ms.load(Ordering::Relaxed);
        due_ms != NONE && due_ms <= now_ms
    }

    pub fn listen(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_is_late_is_woken_and_nobody_else() {
        let roll = Roll::new(Duration::from_millis(40));
        let counts: Vec<Arc<Count>> = (0..3).map(|_| Arc::default()).collect();
        let alarms: Vec<(usize, Arc<Alarm>)> = counts.iter().map(|_| roll.enter()).collect();
        for (count, (_, alarm)) in counts.iter().zip(&alarms) {
            alarm.listen(&Waker::from(Arc::clone(count)));
        }
        alarms[0].1.set(1);
        alarms[1].1.set(roll.after(Duration::from_secs(3600)));
        roll.leave(alarms[2].0);
        roll.sweep();
        let woken: Vec<usize> = counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect();
        assert_eq!(woken, [1, 0, 0]);
        assert_eq!(roll.enter().0, alarms[2].0, "places are used again");
    }
}
