//! Driver: brings what changed from memory into the database every few seconds, and cuts the log.
//!
//! A round: note where the log ends; every bucket writes what is dirty; sync the database; everything before that place of the
//! log is in the database now, so it is cut off. If anything fails the log stays as it is, and the next round tries again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fjall::PersistMode;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::Shared;
use crate::Error;
use crate::backing::FLUSH_PARTS;

/// How long something may be in the log only: what is written again and again within that time reaches the database once.
const ROUND_EVERY: Duration = Duration::from_secs(5);
/// Between two rounds, however much they are wanted.
const PAUSE: Duration = Duration::from_millis(20);
/// So much in the log begins a round at once. Less than what a bucket may have in memory: what is not in the database cannot be
/// evicted.
const LOG_BYTES_EAGER: u64 = 192 << 20;
/// With so much in the log, who writes had better wait until a round has succeeded.
const LOG_BYTES_BEHIND: u64 = 512 << 20;
/// With so much, writes are refused until then. More than the longest value beyond that.
const LOG_BYTES_MAX: u64 = 1200 << 20;

/// A bucket with things to write.
pub(crate) trait Flush: Send + Sync + std::fmt::Debug {
    /// Writes everything to the database that is dirty when it is called, if there is room; need not be synced. Blocks.
    fn flush(&self) -> Result<(), Error>;
}

#[derive(Debug)]
pub(crate) struct Flusher {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Desk {
    shared: Arc<Shared>,
    seats: Mutex<Vec<Seat>>,
    /// Held during a round.
    round: Mutex<()>,
    orders: Mutex<Orders>,
    bell: Condvar,
    /// What was appended to the log since the last round that succeeded began.
    unflushed: AtomicU64,
    /// The last round did.
    has_failed: AtomicBool,
    /// A round has ended.
    ended: Notify,
    /// Nothing reaches the database any more, as if the process had been killed.
    #[cfg(test)]
    is_killed: AtomicBool,
}

#[derive(Debug)]
struct Seat {
    bucket: u32,
    /// `None` while the bucket is being opened.
    flush: Option<Arc<dyn Flush>>,
}

#[derive(Debug, Default)]
struct Orders {
    now: bool,
    closing: bool,
}

impl Flusher {
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let desk = Arc::new(Desk {
            shared,
            seats: Mutex::default(),
            round: Mutex::default(),
            orders: Mutex::default(),
            bell: Condvar::new(),
            unflushed: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            ended: Notify::new(),
            #[cfg(test)]
            is_killed: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new().name("ringway-flush".to_owned());
        let thread = thread.spawn({
            let desk = desk.clone();
            move || desk.run()
        })?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// A bucket is being opened: nothing is cut off the log before [`Flusher::sit_down`]. Fails if it is open already.
    pub(crate) fn reserve(&self, bucket: u32) -> Result<(), Error> {
        self.finish(bucket)?;
        let mut seats = self.desk.seats();
        if seats.iter().any(|seat| seat.bucket == bucket) {
            return Err(Error::Failed("the bucket is open already".to_owned()));
        }
        seats.push(Seat { bucket, flush: None });
        Ok(())
    }

    pub(crate) fn sit_down(&self, bucket: u32, flush: Arc<dyn Flush>) {
        let mut seats = self.desk.seats();
        if let Some(seat) = seats.iter_mut().find(|seat| seat.bucket == bucket) {
            seat.flush = Some(flush);
        }
    }

    /// The bucket is closed: writes what is dirty, now or in a later round.
    pub(crate) fn stand_up(&self, bucket: u32) {
        if let Err(error) = self.finish(bucket) {
            warn!(%error, "closed bucket is not in the database yet");
        }
    }

    /// The bucket is not there any more, or could not be opened.
    pub(crate) fn forget(&self, bucket: u32) {
        let _round = self.desk.round();
        self.desk.seats().retain(|seat| seat.bucket != bucket);
    }

    /// Whether the bucket is open, or is being opened, or closed.
    pub(crate) fn is_open(&self, bucket: u32) -> bool {
        self.desk.seats().iter().any(|seat| seat.bucket == bucket)
    }

    /// Counts what is appended to the log.
    pub(crate) fn note(&self, len: usize) {
        let unflushed = self.desk.unflushed.fetch_add(len as u64, Ordering::Relaxed);
        if unflushed / LOG_BYTES_EAGER != (unflushed + len as u64) / LOG_BYTES_EAGER {
            self.hurry();
        }
    }

    /// How much is in the log only.
    pub(crate) fn unflushed(&self) -> u64 {
        self.desk.unflushed.load(Ordering::Relaxed)
    }

    /// Whether so much is in the log only that more will soon be refused.
    pub(crate) fn is_behind(&self) -> bool {
        self.unflushed() > LOG_BYTES_BEHIND
    }

    /// Returns when the round that it begins has ended, or that is not so any more.
    pub(crate) async fn caught_up(&self) {
        let mut ended = std::pin::pin!(self.desk.ended.notified());
        // From here on no end is missed.
        ended.as_mut().enable();
        if self.is_behind() {
            self.hurry();
            ended.await;
        }
    }

    /// Whether more may be appended to the log.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let unflushed = self.unflushed();
        match unflushed > LOG_BYTES_MAX {
            true => Err(Error::Overloaded { waiting: unflushed as usize }),
            false => Ok(()),
        }
    }

    /// Begins a round soon.
    pub(crate) fn hurry(&self) {
        self.desk.orders().now = true;
        self.desk.bell.notify_one();
    }

    /// A round, now. Blocks.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.desk.go_round()
    }

    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.desk.is_killed.store(true, Ordering::Relaxed);
    }

    fn finish(&self, bucket: u32) -> Result<(), Error> {
        let _round = self.desk.round();
        #[cfg(test)]
        if self.desk.is_killed.load(Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        let flush = self.desk.seats().iter().find(|seat| seat.bucket == bucket).and_then(|seat| seat.flush.clone());
        let Some(flush) = flush else { return Ok(()) };
        flush.flush()?;
        self.desk.seats().retain(|seat| seat.bucket != bucket);
        Ok(())
    }
}

impl Desk {
    fn run(&self) {
        loop {
            let closing = self.wait();
            let began = Instant::now();
            let went_well = self.go_round();
            metrics::histogram!("ringway_data_flush_seconds").record(began.elapsed().as_secs_f64());
            self.tell(went_well);
            self.ended.notify_waiters();
            if closing {
                return;
            }
        }
    }

    /// Until the next round; whether it is the last.
    fn wait(&self) -> bool {
        let pause = self.bell.wait_timeout_while(self.orders(), PAUSE, |orders| !orders.closing);
        let orders = pause.unwrap_or_else(PoisonError::into_inner).0;
        let orders = self.bell.wait_timeout_while(orders, ROUND_EVERY, |orders| !orders.now && !orders.closing);
        let mut orders = orders.unwrap_or_else(PoisonError::into_inner).0;
        orders.now = false;
        orders.closing
    }

    fn tell(&self, went_well: Result<(), Error>) {
        let had_failed = self.has_failed.swap(went_well.is_err(), Ordering::Relaxed);
        match went_well {
            Ok(()) if had_failed => info!("the database has caught up with the log"),
            Ok(()) => {}
            Err(error @ Error::DiskFull { .. }) if !had_failed => {
                warn!(%error, "what changed stays in the log and in memory until there is room");
            }
            Err(error) if !had_failed => error!(%error, "what changed cannot be written to the database"),
            Err(_) => {}
        }
    }

    fn go_round(&self) -> Result<(), Error> {
        let _round = self.round();
        #[cfg(test)]
        if self.is_killed.load(Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        let unflushed = self.unflushed.load(Ordering::Relaxed);
        let end = self.shared.log.end();
        let mut flushed = BTreeSet::new();
        let seats: Vec<_> = self.seats().iter().map(|seat| (seat.bucket, seat.flush.clone())).collect();
        for (bucket, flush) in seats {
            if let Some(flush) = flush {
                flush.flush()?;
                flushed.insert(bucket);
            }
        }
        self.shared.room.check_reserve(FLUSH_PARTS)?;
        let is_stored = self.shared.store_recovered(|| self.seats().iter().all(|seat| seat.flush.is_some()))?;
        // What the log had for a bucket that was opened meanwhile is in its memory now.
        let all_there = is_stored && self.seats().iter().all(|seat| flushed.contains(&seat.bucket));
        while !self.shared.remove_dead()? {}
        self.shared.database.persist(PersistMode::SyncAll)?;
        if all_there {
            self.shared.log.cut_before(end)?;
            self.unflushed.fetch_sub(unflushed, Ordering::Relaxed);
        }
        Ok(())
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn round(&self) -> MutexGuard<'_, ()> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.desk.orders().closing = true;
        self.desk.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
