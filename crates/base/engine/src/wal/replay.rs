//! Core of opening a log: every intact record in order, and what is missing between them.
//!
//! What a crash leaves is told from what a bad disk does: a log is synced before it goes on in a new segment, so only behind the
//! last segment's last note of a sync may bytes be missing. Everything else that is missing was acknowledged once and is damage.
//! Damage never stops anything: what follows proves itself, and whoever holds the log decides where to get the rest.

use std::ops::Range;

use super::record::NOTE;
use super::segment::{Found, Segment};
use super::{Position, Replayed};

/// What was found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    pub records: u64,
    pub bytes: u64,
    /// Positions of what is missing, in order.
    pub damage: Vec<Range<Position>>,
    /// Unfinished at the end and never acknowledged as synced; ordinary after a crash.
    pub torn: Vec<Range<Position>>,
}

#[derive(Debug, Default)]
pub(crate) struct Replay {
    recovery: Recovery,
    end: Option<u64>,
    synced: u64,
    holes: Vec<Range<u64>>,
}

impl Replay {
    /// The next segment with its file's bytes; answers the position behind its last intact record.
    pub(crate) fn read(&mut self, segment: Segment, bytes: &[u8], mut each: impl FnMut(Replayed<'_>)) -> u64 {
        if let Some(end) = self.end.filter(|end| *end < segment.base) {
            self.holes.push(end..segment.base);
        }
        // Its being there says that what is before it was synced.
        self.synced = self.synced.max(segment.base);
        let mut scan = segment.scan(bytes);
        while let Some(found) = scan.next() {
            match found {
                Found::Hole(hole) => self.holes.push(hole),
                Found::Record(record) if record.bucket == NOTE => {
                    let synced = record.body.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                    self.synced = self.synced.max(synced);
                }
                Found::Record(record) => {
                    self.recovery.records += 1;
                    self.recovery.bytes += record.len as u64;
                    each(Replayed { bucket: record.bucket, body: record.body, position: Position(scan.end()) });
                }
            }
        }
        let end = scan.end();
        self.end = Some(end.max(self.end.unwrap_or(0)));
        end
    }

    /// What was found, and where the log goes on.
    pub(crate) fn finish(mut self) -> (Recovery, u64) {
        for hole in self.holes {
            let is_damage = hole.start < self.synced;
            let list = if is_damage { &mut self.recovery.damage } else { &mut self.recovery.torn };
            list.push(Position(hole.start)..Position(hole.end));
        }
        (self.recovery, self.end.unwrap_or(0))
    }
}
