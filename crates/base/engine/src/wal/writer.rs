//! Driver: the one thread that writes the log and has it synced.
//!
//! Takes what has gathered as a group, writes it with one call and syncs it with another. Whoever comes meanwhile is in the next.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::segment::{Segment, is_spare};
use super::volume::{LogFile, Volume};
use super::{Closed, Desk, EAGER_BYTES, Inner, LEISURE, record};

/// A file grows by so much at a time: then a sync has only data to write and nothing to note about the file.
const GROWTH: usize = 256 << 10;
static ZEROS: [u8; GROWTH] = [0; GROWTH];
/// A segment is not ended for being cut before it is as long as this.
const LEAF_BYTES_MIN: u64 = 64 << 10;
/// How long after a write that failed comes the next.
const RETRY: Duration = Duration::from_millis(100);
/// What the buffer keeps when it is empty.
const BUFFER_KEPT_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(crate) struct Writer {
    inner: Arc<Inner>,
    volume: Arc<dyn Volume>,
    active: Option<Active>,
    group: Group,
    /// Position up to which the log is written.
    written: u64,
}

/// The segment that is being written.
#[derive(Debug)]
struct Active {
    segment: Segment,
    file: Box<dyn LogFile>,
    /// How much of the file has blocks.
    len: u64,
}

#[derive(Debug, Default)]
struct Group {
    bytes: Vec<u8>,
    records: u64,
    /// How much is written already.
    done: usize,
}

/// What is to be done with what has gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    syncs: bool,
    leaf: bool,
    closing: bool,
}

/// Why a turn was not finished.
#[derive(Debug)]
enum Trouble {
    /// Nothing is lost; it may go better next time.
    Write(io::Error),
    /// Nobody knows what is on the disk.
    Sync(io::Error),
}

impl Writer {
    pub(crate) fn new(inner: Arc<Inner>, volume: Arc<dyn Volume>, end: u64) -> Self {
        Self { inner, volume, active: None, group: Group::default(), written: end }
    }

    pub(crate) fn run(mut self) {
        loop {
            let turn = self.next_turn();
            if !self.carry_out(turn) || turn.closing {
                return;
            }
        }
    }

    /// Until it is done; `false` if it never will be.
    fn carry_out(&mut self, turn: Turn) -> bool {
        loop {
            match self.perform(turn) {
                Ok(()) => return true,
                Err(Trouble::Write(error)) if self.is_patient(&error) => {}
                Err(Trouble::Write(error) | Trouble::Sync(error)) => {
                    error!(%error, "log failed: nothing more is written until a restart");
                    self.stand_still(&error);
                    return false;
                }
            }
        }
    }

    /// Waits for the next try, unless the log is being closed.
    fn is_patient(&self, error: &io::Error) -> bool {
        if !self.inner.is_faulty.load(Ordering::Relaxed) {
            warn!(%error, "log cannot be written: writes are refused until it can");
        }
        self.stand_still(error);
        let desk = self.inner.desk();
        let wait = self.inner.bell.wait_timeout_while(desk, RETRY, |desk| !desk.is_closing);
        !wait.unwrap_or_else(PoisonError::into_inner).0.is_closing
    }

    fn stand_still(&self, error: &io::Error) {
        self.inner.set_fault(Some(self.volume.explain(error)));
        self.tell();
    }

    fn tell(&self) {
        self.inner.waiters.tell(|level, target| self.inner.may_go(level, target));
    }

    fn next_turn(&mut self) -> Turn {
        let inner = self.inner.clone();
        let mut desk = inner.desk();
        loop {
            let now = Instant::now();
            if let Some(turn) = self.turn_for(&desk, now) {
                self.take(&mut desk, turn);
                return turn;
            }
            desk.writer_sleeps = true;
            let until = desk.due.map_or(LEISURE, |due| due.saturating_duration_since(now).min(LEISURE));
            desk = inner.bell.wait_timeout(desk, until).unwrap_or_else(PoisonError::into_inner).0;
            desk.writer_sleeps = false;
        }
    }

    fn turn_for(&self, desk: &Desk, now: Instant) -> Option<Turn> {
        let synced = self.inner.synced.load(Ordering::Relaxed);
        let is_behind = synced < desk.end;
        let (closing, leaf) = (desk.is_closing, desk.turn_leaf);
        let is_due = is_behind && (closing || leaf || desk.due.is_some_and(|due| due <= now));
        let syncs = is_due || desk.wanted_synced > synced;
        let writes = syncs || desk.wanted_written > self.written || desk.buffer.len() >= EAGER_BYTES;
        (writes || closing || leaf).then_some(Turn { syncs, leaf, closing })
    }

    fn take(&mut self, desk: &mut Desk, turn: Turn) {
        if !desk.buffer.is_empty() {
            let synced = self.inner.synced.load(Ordering::Relaxed).to_le_bytes();
            let before = desk.buffer.len();
            let sum = record::body_sum(&synced);
            record::encode(record::NOTE, &synced, sum, desk.end, self.inner.nonce, &mut desk.buffer);
            desk.end += (desk.buffer.len() - before) as u64;
        }
        std::mem::swap(&mut desk.buffer, &mut self.group.bytes);
        desk.longest = 0;
        self.group.records = std::mem::take(&mut desk.records);
        self.group.done = 0;
        desk.turn_leaf = false;
        if turn.syncs {
            (desk.due, desk.greatest) = (None, None);
        }
    }

    fn perform(&mut self, turn: Turn) -> Result<(), Trouble> {
        if !self.group.bytes.is_empty() {
            self.write_group()?;
            self.inner.written.store(self.written, Ordering::Release);
            self.group.bytes.clear();
            self.group.bytes.shrink_to(BUFFER_KEPT_BYTES);
        }
        if turn.syncs {
            self.sync()?;
            metrics::histogram!("ringway_data_sync_group_size").record(self.group.records as f64);
        }
        if self.inner.is_faulty.load(Ordering::Relaxed) {
            info!("log is written again");
            self.inner.set_fault(None);
        }
        self.tell();
        let is_long = |active: &Active| self.written - active.segment.base >= LEAF_BYTES_MIN;
        if turn.leaf && self.active.as_ref().is_some_and(is_long) {
            self.end_segment()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), Trouble> {
        let left = (self.group.bytes.len() - self.group.done) as u64;
        let is_full = |active: &Active| {
            let len = self.written - active.segment.base;
            len > 0 && self.group.done == 0 && len + left > self.inner.config.segment_bytes
        };
        if self.active.as_ref().is_some_and(is_full) {
            self.end_segment()?;
        }
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin_segment().map_err(Trouble::Write)?,
        };
        let written = self.write_to(&mut active);
        self.active = Some(active);
        written.map_err(Trouble::Write)
    }

    fn write_to(&mut self, active: &mut Active) -> io::Result<()> {
        while self.group.done < self.group.bytes.len() {
            let offset = self.written - active.segment.base;
            match active.file.write_at(&self.group.bytes[self.group.done..], offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    self.group.done += len;
                    self.written += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        active.grow(self.written - active.segment.base, self.inner.config.segment_bytes);
        Ok(())
    }

    fn begin_segment(&self) -> io::Result<Active> {
        let segment = Segment { base: self.written, nonce: self.inner.nonce };
        let spare = self.volume.names()?.into_iter().find(|name| is_spare(name));
        let file = match spare {
            Some(spare) => {
                self.volume.rename(&spare, &segment.name())?;
                self.volume.open(&segment.name())?
            }
            None => self.volume.create(&segment.name())?,
        };
        self.volume.sync_names()?;
        self.inner.active_base.store(segment.base, Ordering::Relaxed);
        Ok(Active { segment, len: file.len()?, file })
    }

    /// What is in a segment is on the disk before there is a later one: only the last may end in the middle of a record.
    fn end_segment(&mut self) -> Result<(), Trouble> {
        self.sync()?;
        if let Some(Active { segment, len, .. }) = self.active.take() {
            self.inner.closed().push_back(Closed { segment, end: self.written, len });
            self.inner.active_base.store(u64::MAX, Ordering::Relaxed);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Trouble> {
        if self.inner.synced.load(Ordering::Relaxed) == self.written {
            return Ok(());
        }
        if let Some(active) = &self.active {
            active.file.sync().map_err(Trouble::Sync)?;
            self.inner.syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.synced.store(self.written, Ordering::Release);
        Ok(())
    }
}

impl Active {
    /// Gives the file some blocks ahead. If it cannot be done the next write will say so.
    fn grow(&mut self, end: u64, len_max: u64) {
        if end <= self.len {
            return;
        }
        let target = end.next_multiple_of(GROWTH as u64).min(len_max).max(end);
        let grown = self.file.write_at(&ZEROS[..(target - end) as usize], end).unwrap_or(0);
        self.len = end + grown as u64;
    }
}
