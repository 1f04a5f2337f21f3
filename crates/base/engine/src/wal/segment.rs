//! Core: the files of a log by name, and finding the intact records in the bytes of one.
//!
//! A segment is named after the position of its first byte and a nonce, in hexadecimal: all that its records are checked with.
//! Nothing is written at its beginning that could be lost. Files whose records are not needed any more wait as spares: writing
//! over blocks that a file has already is 1.6 times as fast as making it longer, for the file system has nothing to note.

use std::ops::Range;

use super::record::{self, ALIGN, Record};

const SUFFIX: &str = ".log";
const SPARE: &str = "spare-";

/// Which bytes of the log a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// Position of the first byte.
    pub base: u64,
    pub nonce: u64,
}

impl Segment {
    pub(crate) fn name(&self) -> String {
        format!("{:016x}-{:016x}{SUFFIX}", self.base, self.nonce)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (base, nonce) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
        Some(Self { base: number(base)?, nonce: number(nonce)? })
    }

    /// The intact records of the segment in order, and the ranges between two where nothing is.
    pub(crate) fn scan<'a>(&self, bytes: &'a [u8]) -> Scan<'a> {
        Scan { segment: *self, bytes, at: 0 }
    }
}

/// A name for a file that is kept for later.
pub(crate) fn spare_name(nonce: u64) -> String {
    format!("{SPARE}{nonce:016x}")
}

pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with(SPARE)
}

#[derive(Debug)]
pub(crate) struct Scan<'a> {
    segment: Segment,
    bytes: &'a [u8],
    at: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Record(Record<'a>),
    /// Positions of bytes that are no record although an intact one follows.
    Hole(Range<u64>),
}

impl Scan<'_> {
    /// Position behind the last record that was found.
    pub(crate) fn end(&self) -> u64 {
        self.segment.base + self.at as u64
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let record_at = |at: usize| {
            let position = self.segment.base + at as u64;
            record::decode(self.bytes.get(at..)?, position, self.segment.nonce)
        };
        if let Some(record) = record_at(self.at) {
            self.at += record.len;
            return Some(Found::Record(record));
        }
        let next = (self.at + ALIGN..self.bytes.len()).step_by(ALIGN).find(|at| record_at(*at).is_some())?;
        let hole = self.end()..self.segment.base + next as u64;
        self.at = next;
        Some(Found::Hole(hole))
    }
}
