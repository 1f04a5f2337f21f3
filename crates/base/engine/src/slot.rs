//! Core: one word of a table: 16 bits of an entry's hash, where it is, and what the cache knows of it.
//!
//! Most lookups of a wrong entry end at the tag, without touching the entry's own cache line. Entries are aligned to 16 bytes, so
//! the low 4 bits of their addresses are free: two for how often it was used, one for the queue it is in, one for "not on disk yet".

use crate::entry::Entry;
use crate::line::{Line, prefetch};

const TAG_SHIFT: u32 = 48;
const ADDRESS_MASK: u64 = (1 << TAG_SHIFT) - 16;
const USES_MASK: u64 = 0b0011;
const MAIN_BIT: u64 = 0b0100;
const DIRTY_BIT: u64 = 0b1000;

/// How many uses are remembered.
pub(crate) const USES_MAX: u64 = USES_MASK;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Slot(u64);

impl Slot {
    pub(crate) fn new(entry: Entry, spread: u32) -> Self {
        let address = entry.address();
        debug_assert_eq!(address & !ADDRESS_MASK, 0, "an allocator that gives such addresses cannot be used");
        Self(u64::from(tag_of(spread)) << TAG_SHIFT | address)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn tag(self) -> u16 {
        (self.0 >> TAG_SHIFT) as u16
    }

    /// What it points at. Not for empty slots.
    pub(crate) fn entry(self) -> Entry {
        debug_assert!(!self.is_empty());
        Entry::at(self.0 & ADDRESS_MASK)
    }

    pub(crate) fn address(self) -> *const u8 {
        (self.0 & ADDRESS_MASK) as *const u8
    }

    /// Brings so many cache lines of the entry into the cache.
    #[inline]
    pub(crate) fn prefetch(self, lines: usize) {
        (0..lines).for_each(|line| prefetch(self.address().wrapping_add(line * size_of::<Line>())));
    }

    pub(crate) fn set_entry(&mut self, entry: Entry) {
        self.0 = self.0 & !ADDRESS_MASK | entry.address();
    }

    pub(crate) fn uses(self) -> u64 {
        self.0 & USES_MASK
    }

    pub(crate) fn set_uses(&mut self, uses: u64) {
        self.0 = self.0 & !USES_MASK | uses.min(USES_MAX);
    }

    /// Whether that changed anything; the line stays clean in the cache if not.
    #[inline]
    pub(crate) fn note_use(&mut self) -> bool {
        let counts = self.uses() < USES_MAX;
        self.0 += u64::from(counts);
        counts
    }

    pub(crate) fn is_main(self) -> bool {
        self.0 & MAIN_BIT != 0
    }

    pub(crate) fn set_main(&mut self, main: bool) {
        self.0 = self.0 & !MAIN_BIT | if main { MAIN_BIT } else { 0 };
    }

    pub(crate) fn is_dirty(self) -> bool {
        self.0 & DIRTY_BIT != 0
    }

    pub(crate) fn set_dirty(&mut self, dirty: bool) {
        self.0 = self.0 & !DIRTY_BIT | if dirty { DIRTY_BIT } else { 0 };
    }
}

/// Not 0, so that an empty slot has no tag.
#[inline]
pub(crate) fn tag_of(spread: u32) -> u16 {
    (spread as u16).max(1)
}
