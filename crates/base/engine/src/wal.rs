//! Driver: the node's write-ahead log, one for all buckets on disk.
//!
//! A ship's log: what happens is noted in the order in which it happens, before anybody is told that it has, and after a wreck
//! the notes are read again. [`Log::append`] puts a record into a buffer in memory and is cheap enough to be called with a shard
//! locked. One thread writes what has gathered and syncs it once for all who wait (group commit; Gawlick & Kinkade, "Varieties of
//! concurrency control in IMS/VS Fast Path", 1985); the next group gathers meanwhile. [`Log::synced`] and [`Log::written`] wait.
//!
//! On disk the log is a row of segment files, see `segment`, of records that prove their place, see `record`. What has reached
//! the database is cut off at the front ([`Log::cut_before`]), and the files are written over again.
//!
//! A write that fails (no room) is tried again until it succeeds, from where it stopped, and meanwhile nothing more is taken: what
//! was acknowledged stays, and the log goes on when there is room. A failed sync is final, for nobody can know what is on the
//! disk then: no more writes until a restart.
//!
//! It does not know what the records mean, and does not read them again before the next start.

mod record;
mod replay;
mod segment;
mod volume;
mod waiters;
mod writer;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

pub use self::replay::Recovery;
pub use self::waiters::Wait;

use self::replay::Replay;
use self::segment::{Segment, is_spare, spare_name};
use self::volume::{Directory, Volume};
use self::waiters::{Level, Waiters};
use self::writer::Writer;
use crate::Error;

/// The last bucket number there may be.
pub const BUCKET_MAX: u32 = record::NOTE - 1;
/// What waits for nothing is synced this often.
const LEISURE: Duration = Duration::from_secs(1);
/// As much as this is written without anybody asking.
const EAGER_BYTES: usize = 1 << 20;
/// Kept to be written over, while there is room for a hundred times as much: as many as a busy log has between two cuts.
const SPARES_MAX: usize = 6;
const SPARE_SHARE: u64 = 100;

/// A place in the log: how many bytes were appended before it. Grows over restarts, until nothing is left of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What a write in the log waits for before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// For nothing; it is synced within a second or two.
    Memory,
    /// For the operating system to have it; it is synced within [`LogConfig::batch_within`].
    Batch,
    /// For the disk to have it.
    Sync,
}

#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// A file of the log is about this long; a greater group makes a greater one.
    pub segment_bytes: u64,
    /// More is not taken while the disk does not follow; one record may be above it.
    pub buffer_bytes_max: usize,
    /// How long after a write of a batched bucket a sync begins.
    pub batch_within: Duration,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { segment_bytes: 32 << 20, buffer_bytes_max: 32 << 20, batch_within: Duration::from_millis(5) }
    }
}

/// A record of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed<'a> {
    pub bucket: u32,
    pub body: &'a [u8],
    /// Behind it.
    pub position: Position,
}

/// The open log. When it is dropped what was appended is written and synced.
#[derive(Debug)]
pub struct Log {
    inner: Arc<Inner>,
    volume: Arc<dyn Volume>,
    thread: Option<JoinHandle<()>>,
}

/// What those who append, those who wait and the writer share.
#[derive(Debug)]
pub(crate) struct Inner {
    config: LogConfig,
    nonce: u64,
    desk: Mutex<Desk>,
    /// Rings for the writer.
    bell: Condvar,
    written: AtomicU64,
    synced: AtomicU64,
    syncs: AtomicU64,
    /// Where the segment that is being written begins; the greatest number if there is none.
    active_base: AtomicU64,
    /// Why it stands still.
    fault: Mutex<Option<Error>>,
    is_faulty: AtomicBool,
    waiters: Waiters,
    /// Segments that are written to the end, oldest first.
    closed: Mutex<VecDeque<Closed>>,
}

/// Where records gather.
#[derive(Debug, Default)]
struct Desk {
    buffer: Vec<u8>,
    /// The longest record in it.
    longest: usize,
    records: u64,
    /// Position behind the buffer.
    end: u64,
    /// Position behind the last record that is not the log's own.
    records_end: u64,
    /// Everything before it is not needed any more.
    cut: u64,
    wanted_written: u64,
    wanted_synced: u64,
    /// When what was appended has to be synced although nobody waits for it.
    due: Option<Instant>,
    /// The greatest durability appended since the last sync began.
    greatest: Option<Durability>,
    /// Go on in a new segment.
    turn_leaf: bool,
    is_closing: bool,
    /// Whether the writer has to be rung for.
    writer_sleeps: bool,
}

impl Desk {
    /// Whether no record of `len` bytes is taken. A long one is not taken beside others, but others are beside one.
    fn is_full(&self, len: usize, max: usize) -> bool {
        let waiting = self.buffer.len();
        if len < max { waiting - self.longest >= max } else { waiting >= max }
    }
}

#[derive(Debug)]
struct Closed {
    segment: Segment,
    end: u64,
    len: u64,
}

impl Log {
    /// Opens or makes the log in `dir`, and hands over every intact record of earlier runs in order. Blocks.
    pub fn open(dir: &Path, config: LogConfig, each: impl FnMut(Replayed<'_>)) -> Result<(Self, Recovery), Error> {
        let failed = |error: std::io::Error| Error::Failed(format!("{}: {error}", dir.display()));
        let volume = Arc::new(Directory::open(dir.to_owned()).map_err(failed)?);
        Self::open_on(volume, config, each).map_err(failed)
    }

    pub(crate) fn open_on(
        volume: Arc<dyn Volume>,
        config: LogConfig,
        each: impl FnMut(Replayed<'_>),
    ) -> std::io::Result<(Self, Recovery)> {
        let (recovery, end, closed) = recover(&*volume, each)?;
        let inner = Arc::new(Inner {
            config,
            nonce: ringway_rt::random::number(),
            desk: Mutex::new(Desk { end, records_end: end, ..Desk::default() }),
            bell: Condvar::new(),
            written: AtomicU64::new(end),
            synced: AtomicU64::new(end),
            syncs: AtomicU64::new(0),
            active_base: AtomicU64::new(u64::MAX),
            fault: Mutex::new(None),
            is_faulty: AtomicBool::new(false),
            waiters: Waiters::default(),
            closed: Mutex::new(closed),
        });
        let writer = Writer::new(inner.clone(), volume.clone(), end);
        let thread = std::thread::Builder::new().name("ringway-log".to_owned()).spawn(move || writer.run())?;
        Ok((Self { inner, volume, thread: Some(thread) }, recovery))
    }

    /// Appends a record and answers the position behind it. Waits for nothing but other appends. Nothing is appended if the disk
    /// does not follow or the log stands still. `bucket` is [`BUCKET_MAX`] at most.
    pub fn append(&self, bucket: u32, durability: Durability, body: &[u8]) -> Result<Position, Error> {
        debug_assert!(bucket <= BUCKET_MAX);
        let len = record::encoded_len(body.len()).ok_or(Error::BucketFull { limit: u64::from(u32::MAX) })?;
        let body_sum = record::body_sum(body);
        self.inner.check()?;
        let mut desk = self.inner.desk();
        if desk.is_full(len, self.inner.config.buffer_bytes_max) {
            metrics::counter!("ringway_data_log_refusals_total").increment(1);
            return Err(Error::Overloaded { waiting: desk.buffer.len() });
        }
        let position = desk.end;
        record::encode(bucket, body, body_sum, position, self.inner.nonce, &mut desk.buffer);
        desk.end += len as u64;
        desk.longest = desk.longest.max(len);
        desk.records_end = desk.end;
        desk.records += 1;
        let end = Position(desk.end);
        self.inner.note_append(desk, durability);
        Ok(end)
    }

    /// Waits until everything before `position` is what `durability` says it must be.
    pub fn acknowledged(&self, position: Position, durability: Durability) -> Wait {
        match durability {
            Durability::Memory => self.written(Position(0)),
            Durability::Batch => self.written(position),
            Durability::Sync => self.synced(position),
        }
    }

    /// Waits until everything before `position` is with the operating system.
    pub fn written(&self, position: Position) -> Wait {
        Wait::new(self.inner.clone(), Level::Written, position)
    }

    /// Waits until everything before `position` is on the disk.
    pub fn synced(&self, position: Position) -> Wait {
        Wait::new(self.inner.clone(), Level::Synced, position)
    }

    /// Behind everything appended so far.
    pub fn end(&self) -> Position {
        Position(self.inner.desk().end)
    }

    /// Whether an append would be taken now, but for its own failing.
    pub fn check(&self) -> Result<(), Error> {
        self.inner.check()
    }

    /// Whether so much waits to be written that appends will soon be refused. [`Log::written`] up to the end is when it has been.
    pub fn is_behind(&self) -> bool {
        self.inner.desk().buffer.len() >= self.inner.config.buffer_bytes_max / 2
    }

    /// Bytes from the first segment's beginning to the end.
    pub fn len(&self) -> u64 {
        let active = self.inner.active_base.load(Ordering::Relaxed);
        let first = self.inner.closed().front().map_or(active, |closed| closed.segment.base);
        let end = self.inner.desk().end;
        end - first.min(end)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often the disk was asked to keep what it was given.
    pub fn sync_count(&self) -> u64 {
        self.inner.syncs.load(Ordering::Relaxed)
    }

    /// Lets go of all segments that end at or before `position`: they are not needed any more. Blocks.
    pub fn cut_before(&self, position: Position) -> Result<(), Error> {
        self.inner.turn_leaf(position);
        let mut cut = Vec::new();
        {
            let mut closed = self.inner.closed();
            while closed.front().is_some_and(|closed| closed.end <= position.0) {
                cut.extend(closed.pop_front());
            }
        }
        if cut.is_empty() {
            return Ok(());
        }
        self.let_go(cut).map_err(|error| self.volume.explain(&error))
    }

    /// If all of the log has been cut nothing is left to be read at the next start.
    fn leave_nothing(&self) -> std::io::Result<()> {
        let desk = self.inner.desk();
        let is_cut = desk.cut >= desk.records_end && !self.inner.is_faulty.load(Ordering::Relaxed);
        drop(desk);
        let base = self.inner.active_base.load(Ordering::Relaxed);
        if !is_cut || base == u64::MAX {
            return Ok(());
        }
        let mut cut: Vec<Closed> = self.inner.closed().drain(..).collect();
        cut.push(Closed { segment: Segment { base, nonce: self.inner.nonce }, end: base, len: 0 });
        self.let_go(cut)
    }

    fn let_go(&self, cut: Vec<Closed>) -> std::io::Result<()> {
        let fit = self.volume.free() / SPARE_SHARE / self.inner.config.segment_bytes.max(1);
        let spares_max = SPARES_MAX.min(fit as usize);
        let mut spares = self.volume.names()?.iter().filter(|name| is_spare(name)).count();
        for closed in cut {
            let name = closed.segment.name();
            // What is shorter was not worth keeping, what is longer held something huge.
            let is_handy =
                (self.inner.config.segment_bytes / 4..=self.inner.config.segment_bytes).contains(&closed.len);
            if is_handy && spares < spares_max {
                self.volume.rename(&name, &spare_name(closed.segment.base))?;
                spares += 1;
            } else {
                self.volume.remove(&name)?;
            }
        }
        self.volume.sync_names()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.inner.desk().is_closing = true;
        self.inner.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Err(error) = self.leave_nothing() {
            warn!(%error, "log cannot be removed: it will be read again");
        }
    }
}

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self) -> MutexGuard<'_, VecDeque<Closed>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), Error> {
        match self.is_faulty.load(Ordering::Acquire) {
            true => self.fault().map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    fn fault(&self) -> Option<Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_fault(&self, fault: Option<Error>) {
        self.is_faulty.store(fault.is_some(), Ordering::Release);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Sees to it that what was appended will be synced some time.
    fn note_append(&self, mut desk: MutexGuard<'_, Desk>, durability: Durability) {
        let mut rings = desk.buffer.len() >= EAGER_BYTES;
        if desk.greatest.is_none_or(|greatest| greatest < durability) {
            desk.greatest = Some(durability);
            let within = if durability == Durability::Batch { self.config.batch_within } else { LEISURE };
            let due = Instant::now() + within;
            desk.due = Some(desk.due.map_or(due, |earlier| earlier.min(due)));
            rings |= durability == Durability::Batch;
        }
        self.ring_if(rings, desk);
    }

    /// Somebody waits for these.
    fn want(&self, written: u64, synced: u64) {
        let mut desk = self.desk();
        desk.wanted_written = desk.wanted_written.max(written);
        desk.wanted_synced = desk.wanted_synced.max(synced);
        self.ring_if(true, desk);
    }

    /// If all of the log has been cut the next group goes into a new segment, so that the last one can go, too.
    fn turn_leaf(&self, cut: Position) {
        let mut desk = self.desk();
        desk.cut = desk.cut.max(cut.0);
        desk.turn_leaf |= desk.cut >= desk.records_end;
        let turns = desk.turn_leaf;
        self.ring_if(turns, desk);
    }

    fn ring_if(&self, rings: bool, mut desk: MutexGuard<'_, Desk>) {
        let rings = rings && std::mem::take(&mut desk.writer_sleeps);
        drop(desk);
        if rings {
            self.bell.notify_one();
        }
    }

    fn is_reached(&self, level: Level, target: u64) -> bool {
        let reached = match level {
            Level::Written => &self.written,
            Level::Synced => &self.synced,
        };
        reached.load(Ordering::Acquire) >= target
    }

    fn may_go(&self, level: Level, target: u64) -> bool {
        self.is_reached(level, target) || self.is_faulty.load(Ordering::Acquire)
    }

    fn outcome(&self, level: Level, target: u64) -> Option<Result<(), Error>> {
        match self.is_reached(level, target) {
            true => Some(Ok(())),
            false => self.check().err().map(Err),
        }
    }
}

/// Reads what is there, cuts off an unfinished end and removes files without a record.
fn recover(
    volume: &dyn Volume,
    mut each: impl FnMut(Replayed<'_>),
) -> std::io::Result<(Recovery, u64, VecDeque<Closed>)> {
    let mut segments: Vec<Segment> = volume.names()?.iter().filter_map(|name| Segment::parse(name)).collect();
    segments.sort_unstable();
    let mut replay = Replay::default();
    let mut closed = VecDeque::new();
    for segment in segments {
        let bytes = volume.read(&segment.name())?;
        let end = replay.read(segment, &bytes, &mut each);
        let len = end - segment.base;
        if len == 0 {
            volume.remove(&segment.name())?;
            continue;
        }
        if len < bytes.len() as u64 {
            let file = volume.open(&segment.name())?;
            file.truncate(len)?;
            file.sync()?;
        }
        closed.push_back(Closed { segment, end, len });
    }
    volume.sync_names()?;
    let (recovery, end) = replay.finish();
    tell(&recovery);
    Ok((recovery, end, closed))
}

fn tell(recovery: &Recovery) {
    let Recovery { records, bytes, damage, torn } = recovery;
    if *records > 0 || !torn.is_empty() {
        info!(records, bytes, ?torn, "log was read");
    }
    if !damage.is_empty() {
        error!(?damage, "log is damaged: what was written there is lost on this node unless it is in the database");
    }
}

#[cfg(test)]
mod tests;
