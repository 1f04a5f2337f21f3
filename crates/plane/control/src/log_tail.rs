//! Core and a thin driver: the last log lines of this node with numbers, so that a follower can ask for what came since.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ringway_ports::{Instances, LogLine};
use ringway_rt::Tasks;
use tokio::sync::broadcast::error::RecvError;

use crate::peer_messages::{Cursor, LINES_BYTES_MAX, LINES_MAX, TailPart};

/// Of all apps together.
const KEPT_LINES_MAX: usize = 4096;
const KEPT_BYTES_MAX: usize = 8 << 20;

#[derive(Debug)]
pub(crate) struct LogTail {
    tail: Mutex<Tail>,
}

impl LogTail {
    /// Collects this node's lines until the group stops.
    pub(crate) fn start(instances: &dyn Instances, tasks: &Tasks) -> Arc<Self> {
        let tail = Arc::new(Self { tail: Mutex::new(Tail::new(ringway_rt::random::number())) });
        let (kept, mut lines, stopping) = (tail.clone(), instances.follow_logs(), tasks.stopping());
        tasks.spawn("log tail", async move {
            tokio::pin!(stopping);
            loop {
                let line = tokio::select! {
                    biased;
                    () = &mut stopping => return,
                    line = lines.recv() => line,
                };
                match line {
                    Ok(line) => kept.locked().push(line),
                    Err(RecvError::Lagged(missed)) => kept.locked().skip(missed),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        tail
    }

    pub(crate) fn read(&self, app: &str, after: Option<Cursor>, lines: usize) -> TailPart {
        self.locked().read(app, after, lines.min(LINES_MAX))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Tail {
    run: u64,
    next: u64,
    lines: VecDeque<(u64, LogLine)>,
    bytes: usize,
}

impl Tail {
    fn new(run: u64) -> Self {
        Self { run, next: 0, lines: VecDeque::new(), bytes: 0 }
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push_back((self.next, line));
        self.next += 1;
        while self.lines.len() > KEPT_LINES_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some((_, gone)) = self.lines.pop_front() else { return };
            self.bytes -= gone.text.len();
        }
    }

    /// Lines that were never seen still have numbers, so that a follower learns how many are missing.
    fn skip(&mut self, missed: u64) {
        self.next += missed;
    }

    fn read(&self, app: &str, after: Option<Cursor>, lines: usize) -> TailPart {
        let here = Cursor { run: self.run, next: self.next };
        let Some(after) = after else {
            let mut last: Vec<LogLine> = self.of(app, 0).rev().take(lines).map(|(_, line)| line.clone()).collect();
            last.reverse();
            return TailPart { cursor: here, lines: last, lost: 0 };
        };
        // Another run has other numbers: everything it has is new.
        let from = if after.run == self.run { after.next } else { 0 };
        let mut part = TailPart { cursor: here, lines: Vec::new(), lost: 0 };
        let mut bytes = 0;
        for (number, line) in self.of(app, from) {
            bytes += line.text.len();
            if part.lines.len() >= LINES_MAX || (bytes > LINES_BYTES_MAX && !part.lines.is_empty()) {
                part.cursor.next = *number;
                break;
            }
            part.lines.push(line.clone());
        }
        part.lost = self.lost(from, part.cursor.next);
        part
    }

    /// How many of the numbers have no line: dropped for want of room, or never seen.
    fn lost(&self, from: u64, until: u64) -> u64 {
        let place = |number: u64| self.lines.partition_point(|(other, _)| *other < number) as u64;
        until.saturating_sub(from).saturating_sub(place(until) - place(from))
    }

    fn of<'a>(&'a self, app: &'a str, from: u64) -> impl DoubleEndedIterator<Item = &'a (u64, LogLine)> {
        self.lines.iter().filter(move |(number, line)| *number >= from && line.app == app)
    }
}

#[cfg(test)]
mod tests;
