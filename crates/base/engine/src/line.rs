//! Core: eight slots in one cache line, and the two lines in which a key may be. Unsafe inside.
//!
//! Who prefetches reads lines without the shard's lock, so slots are atomic. All writing is done with the lock held; there, plain
//! reads are enough.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::handle::SPREAD_BITS;
use crate::slot::{Slot, tag_of};

pub(crate) const LINE_SLOTS: usize = 8;

#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Line([AtomicU64; LINE_SLOTS]);

const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Slot {
        Slot::from_bits(self.0[at].load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set(&self, at: usize, slot: Slot) {
        self.0[at].store(slot.bits(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().map(|slot| Slot::from_bits(slot.load(Ordering::Relaxed)))
    }

    /// A bit for each slot with this tag. Only with the shard's lock.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn tagged(&self, tag: u16) -> u32 {
        use std::arch::x86_64::{
            __m128i, _mm_castsi128_pd, _mm_cmpeq_epi16, _mm_load_si128, _mm_movemask_pd, _mm_set1_epi16,
        };
        let pairs = self.0.as_ptr().cast::<__m128i>();
        (0..LINE_SLOTS / 2).fold(0, |tagged, pair| {
            // SAFETY: four aligned pairs of slots; nobody writes them, since the lock is held. SSE2 is part of x86-64. The tag is
            // the upper quarter of a slot, so the sign of each half tells whether it is equal.
            let equal = unsafe {
                let equal = _mm_cmpeq_epi16(_mm_load_si128(pairs.add(pair)), _mm_set1_epi16(tag as i16));
                _mm_movemask_pd(_mm_castsi128_pd(equal))
            };
            tagged | (equal as u32) << (pair * 2)
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    pub(crate) fn tagged(&self, tag: u16) -> u32 {
        self.slots().enumerate().fold(0, |tagged, (at, slot)| tagged | u32::from(slot.tag() == tag) << at)
    }
}

/// Where the lines of a table are and how many, in one word that may be read without the lock. They may be read, too, as long as
/// one has been counted among the readers (`readers.rs`) since before that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines(pub(crate) u64);

impl Lines {
    /// More than one segment: it is not so easy.
    pub(crate) const SEVERAL: Lines = Lines(u64::MAX);
    const COUNT_SHIFT: u32 = 48;

    pub(crate) fn of(lines: &[Line]) -> Self {
        match u64::try_from(lines.len()) {
            Ok(0) | Err(_) => Self::default(),
            Ok(count) if count < 1 << 15 => {
                Self(count << Self::COUNT_SHIFT | lines.as_ptr().expose_provenance() as u64)
            }
            Ok(_) => Self::SEVERAL,
        }
    }

    #[inline]
    pub(crate) fn prefetch(self, spread: u32) {
        for line in self.lines_of(spread).into_iter().flatten() {
            prefetch(line.cast());
        }
    }

    /// Brings into the cache what has the tag of a key: so many lines of the entry.
    ///
    /// # Safety
    /// One has been counted among the readers since before this was read.
    #[inline]
    pub(crate) unsafe fn prefetch_entry(self, spread: u32, entry_lines: usize) {
        for line in self.lines_of(spread).into_iter().flatten() {
            // SAFETY: the lines were there when this was read, and are not freed before the caller is counted out.
            let line = unsafe { &*line };
            line.slots().filter(|slot| slot.tag() == tag_of(spread)).for_each(|slot| slot.prefetch(entry_lines));
        }
    }

    #[inline]
    fn lines_of(self, spread: u32) -> Option<[*const Line; 2]> {
        let count = (self.0 >> Self::COUNT_SHIFT) as usize;
        if count == 0 || self == Self::SEVERAL {
            return None;
        }
        let lines: *const Line = std::ptr::with_exposed_provenance((self.0 & ((1 << Self::COUNT_SHIFT) - 1)) as usize);
        let first = line_of(spread, count);
        Some([first, other_line(first, tag_of(spread), count)].map(|line| lines.wrapping_add(line)))
    }
}

/// The first of the two lines in which something may be.
#[inline]
pub(crate) fn line_of(spread: u32, count: usize) -> usize {
    ((u64::from(spread) * count as u64) >> SPREAD_BITS) as usize
}

/// The other of the two lines in which something with this tag may be: of either, the other.
#[inline]
pub(crate) fn other_line(line: usize, tag: u16, count: usize) -> usize {
    let sum = ((u64::from(u32::from(tag).wrapping_mul(0x9E37_79B1)) * count as u64) >> 32) as usize;
    if sum >= line { sum - line } else { sum + count - line }
}

/// A hint without effect on what the program computes, so that a later read need not wait.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction reads nothing and faults on no address; SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
