//! Core: the entries of one partition, found by key.
//!
//! A line is eight slots in one cache line. An entry lives in one of two lines, and the second follows from the first and the tag
//! alone ("partial-key cuckoo hashing", Fan et al., CoNEXT 2014), so entries are moved aside without looking at them, tables get
//! nine tenths full before they grow, and nothing is left behind where one was removed. A [`Segment`] grows by a quarter; past 64
//! lines it splits in two by the position of its keys, so that no write waits for the move of a large table, and walks in the order
//! of positions look at one segment at a time.

use crate::entry::Entry;
use crate::handle::{REGION_COUNT, region_of};
use crate::line::{LINE_SLOTS, Line, Lines, line_of, other_line, prefetch};
use crate::readers::Retired;
use crate::slot::{Slot, tag_of};

/// Longer segments split, as long as there are positions to split by.
const SEGMENT_LINES: usize = 64;
/// A segment that is emptier than this in eight shrinks.
const SHRINK_EIGHTHS: usize = 2;

/// The hash of a key that is moved.
pub(crate) trait Hash: Fn(&[u8]) -> u32 {}
impl<F: Fn(&[u8]) -> u32> Hash for F {}

#[derive(Debug, Default)]
pub(crate) struct Table {
    first: Segment,
    rest: Option<Box<Directory>>,
}

/// Many segments: which one has the keys of a region.
#[derive(Debug)]
struct Directory {
    segment_of: [u8; REGION_COUNT],
    segments: Vec<Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    lines: Box<[Line]>,
    len: u32,
    /// What fits into neither line although the segment is not full. Practically never anything.
    #[expect(clippy::box_collection, reason = "a word in each of 4096 tables")]
    stash: Option<Box<Vec<(Slot, u32)>>>,
}

/// Where an entry is, until the next change of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    segment: u16,
    line: u32,
    at: u32,
}

/// `Place::line` of what is in the stash.
const STASH: u32 = u32::MAX;

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.segments().map(|segment| segment.len as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn find(&self, key: &[u8], spread: u32) -> Option<Place> {
        let segment = if self.rest.is_none() { 0 } else { self.segment_at(region_of(key)) };
        self.find_in(segment, spread, |slot| slot.entry().has_key(key))
    }

    /// Of the entries that a handle may mean, one that `is_it`.
    pub(crate) fn find_by(&self, region: usize, spread: u32, is_it: impl FnMut(Slot) -> bool) -> Option<Place> {
        self.find_in(self.segment_at(region), spread, is_it)
    }

    #[inline]
    fn find_in(&self, segment: usize, spread: u32, is_it: impl FnMut(Slot) -> bool) -> Option<Place> {
        let (line, at) = self.segment(segment).find(spread, is_it)?;
        Some(Place { segment: segment as u16, line, at })
    }

    pub(crate) fn slot(&self, place: Place) -> Slot {
        let segment = self.segment(place.segment as usize);
        match (place.line, &segment.stash) {
            (STASH, Some(stash)) => stash[place.at as usize].0,
            _ => segment.lines[place.line as usize].get(place.at as usize),
        }
    }

    pub(crate) fn set_slot(&mut self, place: Place, slot: Slot) {
        let segment = self.segment_mut(place.segment as usize);
        match (place.line, &mut segment.stash) {
            (STASH, Some(stash)) => stash[place.at as usize].0 = slot,
            _ => segment.lines[place.line as usize].set(place.at as usize, slot),
        }
    }

    /// The key must not be there yet.
    pub(crate) fn insert(&mut self, region: usize, spread: u32, slot: Slot, retired: &mut Retired, hash: impl Hash) {
        let at = self.segment_at(region);
        if self.segment_mut(at).insert(spread, slot) {
            return;
        }
        self.make_space(at, retired, &hash);
        let at = self.segment_at(region);
        let segment = self.segment_mut(at);
        if !segment.insert(spread, slot) {
            segment.stash(spread, slot);
        }
    }

    pub(crate) fn remove(&mut self, place: Place, retired: &mut Retired, hash: impl Hash) -> Slot {
        let segment = self.segment_mut(place.segment as usize);
        segment.len -= 1;
        if place.line == STASH {
            let stash = segment.stash.as_mut().expect("the place is in the stash");
            return stash.swap_remove(place.at as usize).0;
        }
        let line = &segment.lines[place.line as usize];
        let slot = line.get(place.at as usize);
        line.set(place.at as usize, Slot::default());
        if segment.len as usize * 8 < segment.lines.len() * LINE_SLOTS * SHRINK_EIGHTHS {
            segment.rebuild(lines_for(segment.len as usize), retired, &hash);
        }
        slot
    }

    /// Where its lines are, for who may not look into it: see [`Lines`].
    pub(crate) fn lines(&self) -> Lines {
        if self.rest.is_some() { Lines::SEVERAL } else { Lines::of(&self.first.lines) }
    }

    /// All entries, in no order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.segments().flat_map(Segment::slots)
    }

    /// The entries of the segment that has a region, perhaps with some before it, and the first region that is not in it.
    pub(crate) fn slots_at(&self, region: usize) -> (impl Iterator<Item = Slot>, Option<usize>) {
        let at = self.segment_at(region);
        let next = (region..REGION_COUNT).find(|region| self.segment_at(*region) != at);
        (self.segment(at).slots(), next)
    }

    /// For tables of several segments: brings the line of a key into the cache, and then what is in it.
    pub(crate) fn prefetch(&self, key: &[u8], spread: u32, entry_lines: usize) {
        self.segment(self.segment_at(region_of(key))).find(spread, |slot| {
            slot.prefetch(entry_lines);
            false
        });
    }

    fn make_space(&mut self, at: usize, retired: &mut Retired, hash: &impl Hash) {
        let segment = self.segment(at);
        let lines = segment.lines.len();
        // Half empty and still no space: more lines would not help. The stash will do.
        if lines > 2 && (segment.len as usize) < lines * LINE_SLOTS / 2 {
            return;
        }
        let longer = lines + lines / 4 + 1;
        if longer <= SEGMENT_LINES || !self.split(at, retired, hash) {
            self.segment_mut(at).rebuild(longer, retired, hash);
        }
    }

    /// Whether there was anything to split by.
    fn split(&mut self, at: usize, retired: &mut Retired, hash: &impl Hash) -> bool {
        let first = std::mem::take(&mut self.first);
        let directory = self
            .rest
            .get_or_insert_with(|| Box::new(Directory { segment_of: [0; REGION_COUNT], segments: vec![first] }));
        let regions: Vec<usize> =
            (0..REGION_COUNT).filter(|region| usize::from(directory.segment_of[*region]) == at).collect();
        if regions.len() < 2 {
            return false;
        }
        let (new, middle) = (directory.segments.len(), regions[regions.len() / 2]);
        regions[regions.len() / 2..].iter().for_each(|region| directory.segment_of[*region] = new as u8);
        let old = std::mem::take(&mut directory.segments[at]);
        let is_upper = |slot: &Slot| region_of(slot.entry().key()) >= middle;
        let (upper, lower): (Vec<Slot>, Vec<Slot>) = old.slots().partition(is_upper);
        retired.push(old.lines);
        directory.segments[at] = Segment::of(&lower, lines_for(lower.len()), hash);
        directory.segments.push(Segment::of(&upper, lines_for(upper.len()), hash));
        true
    }

    fn segment_at(&self, region: usize) -> usize {
        self.rest.as_ref().map_or(0, |rest| rest.segment_of[region].into())
    }

    fn segment(&self, at: usize) -> &Segment {
        self.rest.as_ref().map_or(&self.first, |rest| &rest.segments[at])
    }

    fn segment_mut(&mut self, at: usize) -> &mut Segment {
        self.rest.as_mut().map_or(&mut self.first, |rest| &mut rest.segments[at])
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        match &self.rest {
            None => std::slice::from_ref(&self.first).iter(),
            Some(rest) => rest.segments.iter(),
        }
    }
}

impl Segment {
    fn of(slots: &[Slot], lines: usize, hash: &impl Hash) -> Self {
        let mut lines = lines;
        loop {
            if let Some(segment) = Self::filled(slots, lines, hash) {
                return segment;
            }
            if lines * LINE_SLOTS / 2 > slots.len() {
                break;
            }
            lines += lines / 4 + 1;
        }
        let mut segment = Self::empty(lines);
        for (slot, spread) in hashed(slots, hash) {
            if !segment.insert(spread, slot) {
                segment.stash(spread, slot);
            }
        }
        segment
    }

    fn empty(lines: usize) -> Self {
        Self { lines: std::iter::repeat_with(Line::default).take(lines).collect(), ..Self::default() }
    }

    fn filled(slots: &[Slot], lines: usize, hash: &impl Hash) -> Option<Self> {
        let mut segment = Self::empty(lines);
        hashed(slots, hash).all(|(slot, spread)| segment.insert(spread, slot)).then_some(segment)
    }

    fn rebuild(&mut self, lines: usize, retired: &mut Retired, hash: &impl Hash) {
        let slots: Vec<Slot> = self.slots().collect();
        let old = std::mem::replace(self, Self::of(&slots, lines, hash));
        retired.push(old.lines);
    }

    #[inline]
    fn find(&self, spread: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<(u32, u32)> {
        if self.lines.is_empty() {
            return None;
        }
        let (tag, first) = (tag_of(spread), line_of(spread, self.lines.len()));
        for line in [first, other_line(first, tag, self.lines.len())] {
            // All at once and then bit by bit: where a tag is cannot be guessed by the processor.
            let mut tagged = self.lines[line].tagged(tag);
            while tagged != 0 {
                let at = tagged.trailing_zeros();
                tagged &= tagged - 1;
                if is_it(self.lines[line].get(at as usize)) {
                    return Some((line as u32, at));
                }
            }
        }
        let stash = self.stash.as_ref()?;
        let at = stash.iter().position(|(slot, other)| *other == spread && is_it(*slot))?;
        Some((STASH, at as u32))
    }

    fn insert(&mut self, spread: u32, slot: Slot) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let first = line_of(spread, self.lines.len());
        let lines = [first, other_line(first, slot.tag(), self.lines.len())];
        let free = lines.into_iter().find_map(|line| self.free_in(line));
        let Some((line, at)) = free.or_else(|| self.push_aside(lines)) else { return false };
        self.lines[line].set(at, slot);
        self.len += 1;
        true
    }

    fn free_in(&self, line: usize) -> Option<(usize, usize)> {
        let at = self.lines[line].slots().position(Slot::is_empty)?;
        Some((line, at))
    }

    /// Moves one of the entries of full lines to its other line. Where it was.
    fn push_aside(&mut self, lines: [usize; 2]) -> Option<(usize, usize)> {
        for line in lines {
            for at in 0..LINE_SLOTS {
                let slot = self.lines[line].get(at);
                let other = other_line(line, slot.tag(), self.lines.len());
                if other != line
                    && let Some((to, free)) = self.free_in(other)
                {
                    self.lines[to].set(free, slot);
                    return Some((line, at));
                }
            }
        }
        None
    }

    fn stash(&mut self, spread: u32, slot: Slot) {
        self.stash.get_or_insert_default().push((slot, spread));
        self.len += 1;
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let stashed = self.stash.iter().flat_map(|stash| stash.iter().map(|(slot, _)| *slot));
        self.lines.iter().flat_map(Line::slots).filter(|slot| !slot.is_empty()).chain(stashed)
    }
}

/// Looks at keys that are spread all over memory, some steps ahead of their use.
fn hashed(slots: &[Slot], hash: &impl Hash) -> impl Iterator<Item = (Slot, u32)> {
    const AHEAD: usize = 8;
    slots.iter().enumerate().map(move |(at, slot)| {
        if let Some(later) = slots.get(at + AHEAD) {
            prefetch(later.address());
        }
        (*slot, hash(slot.entry().key()))
    })
}

fn lines_for(len: usize) -> usize {
    len * 10 / 8 / LINE_SLOTS + usize::from(len > 0)
}

const _: () = assert!(size_of::<Table>() <= 40);

/// Frees the entries of a table that is not used any more.
pub(crate) fn free_all(table: Table, retired: &mut Retired) {
    table.slots().for_each(|slot| free(slot.entry()));
    let rest = table.rest.map_or_else(Vec::new, |rest| rest.segments);
    std::iter::once(table.first).chain(rest).for_each(|segment| retired.push(segment.lines));
}

fn free(entry: Entry) {
    // SAFETY: the table owned its entries and is gone.
    unsafe { entry.free() }
}
