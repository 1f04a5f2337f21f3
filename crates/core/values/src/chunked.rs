//! Core: a long sequence in chunks: both ends, any index, insertion and removal anywhere are quick.
//!
//! A deque of deques of at most [`CHUNK_LEN_MAX`] items. An index is found by going over the chunks' lengths from the nearer end
//! (a million items: some three thousand lengths, about a microsecond), a place in sorted items by two binary searches.

use std::collections::VecDeque;
use std::ops::Range;

const CHUNK_LEN_MAX: usize = 512;
/// Below it a chunk joins its neighbour if that has room.
const CHUNK_LEN_MIN: usize = CHUNK_LEN_MAX / 8;

#[derive(Clone, Debug)]
pub(crate) struct Chunked<T> {
    /// None of them empty.
    chunks: VecDeque<VecDeque<T>>,
    len: usize,
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    chunk: usize,
    offset: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, index: usize) -> Option<&T> {
        let place = self.place_of(index)?;
        self.at(place)
    }

    pub fn at(&self, place: Place) -> Option<&T> {
        self.chunks.get(place.chunk)?.get(place.offset)
    }

    pub fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        self.chunks.get_mut(place.chunk)?.get_mut(place.offset)
    }

    pub fn first(&self) -> Option<&T> {
        self.chunks.front()?.front()
    }

    pub fn last(&self) -> Option<&T> {
        self.chunks.back()?.back()
    }

    pub fn push_back(&mut self, item: T) {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN_MAX => chunk.push_back(item),
            _ => self.chunks.push_back(VecDeque::from([item])),
        }
        self.len += 1;
    }

    pub fn push_front(&mut self, item: T) {
        match self.chunks.front_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN_MAX => chunk.push_front(item),
            _ => self.chunks.push_front(VecDeque::from([item])),
        }
        self.len += 1;
    }

    /// The place of the item with that index; the one past the last is a place too.
    pub fn place_of(&self, index: usize) -> Option<Place> {
        if index > self.len {
            return None;
        }
        if index > self.len / 2 { Some(self.place_from_back(index)) } else { self.place_from_front(index) }
    }

    fn place_from_front(&self, index: usize) -> Option<Place> {
        let mut offset = index;
        for (chunk, items) in self.chunks.iter().enumerate() {
            if offset < items.len() {
                return Some(Place { chunk, offset });
            }
            offset -= items.len();
        }
        Some(self.end())
    }

    fn place_from_back(&self, index: usize) -> Place {
        let mut before = self.len;
        for (chunk, items) in self.chunks.iter().enumerate().rev() {
            if index >= before {
                break;
            }
            before -= items.len();
            if index >= before {
                return Place { chunk, offset: index - before };
            }
        }
        self.end()
    }

    /// Past the last item.
    fn end(&self) -> Place {
        let chunk = self.chunks.len().saturating_sub(1);
        Place { chunk, offset: self.chunks.get(chunk).map_or(0, VecDeque::len) }
    }

    /// How many items come before.
    pub fn index_of(&self, place: Place) -> usize {
        if place.chunk > self.chunks.len() / 2 {
            let from = self.chunks.range(place.chunk..).map(VecDeque::len).sum::<usize>();
            return self.len - from + place.offset;
        }
        self.chunks.range(..place.chunk).map(VecDeque::len).sum::<usize>() + place.offset
    }

    /// In sorted items: the first that is not `before`, or the end.
    pub fn partition_point(&self, before: impl Fn(&T) -> bool) -> Place {
        let after = self.chunks.partition_point(|chunk| chunk.front().is_some_and(&before));
        let Some(chunk) = after.checked_sub(1) else { return Place { chunk: 0, offset: 0 } };
        let offset = self.chunks[chunk].partition_point(&before);
        if offset == self.chunks[chunk].len() && chunk + 1 < self.chunks.len() {
            return Place { chunk: chunk + 1, offset: 0 };
        }
        Place { chunk, offset }
    }

    pub fn insert(&mut self, place: Place, item: T) {
        let Some(chunk) = self.chunks.get_mut(place.chunk) else { return self.push_back(item) };
        chunk.insert(place.offset.min(chunk.len()), item);
        self.len += 1;
        if chunk.len() > CHUNK_LEN_MAX {
            let half = chunk.split_off(CHUNK_LEN_MAX / 2);
            self.chunks.insert(place.chunk + 1, half);
        }
    }

    pub fn remove(&mut self, place: Place) -> Option<T> {
        let chunk = self.chunks.get_mut(place.chunk)?;
        let item = chunk.remove(place.offset)?;
        self.len -= 1;
        if chunk.len() < CHUNK_LEN_MIN {
            if chunk.len() < chunk.capacity() / 4 {
                chunk.shrink_to(chunk.len() * 2);
            }
            self.tidy(place.chunk);
        }
        Some(item)
    }

    /// A chunk became short: it goes, joins the one after it, or stays.
    fn tidy(&mut self, at: usize) {
        if self.chunks[at].is_empty() {
            self.chunks.remove(at);
            if self.chunks.is_empty() {
                self.chunks = VecDeque::new();
            }
            return;
        }
        let fits = self.chunks.get(at + 1).is_some_and(|next| next.len() + self.chunks[at].len() <= CHUNK_LEN_MAX / 2);
        if fits && let Some(mut next) = self.chunks.remove(at + 1) {
            self.chunks[at].append(&mut next);
        }
    }

    pub fn iter(&self) -> Items<'_, T> {
        self.range(0..self.len)
    }

    pub fn range(&self, range: Range<usize>) -> Items<'_, T> {
        let end = range.end.min(self.len);
        let left = end.saturating_sub(range.start);
        let start = if left == 0 { end } else { range.start };
        let front = self.place_of(start).unwrap_or_else(|| self.end());
        let back = self.place_of(end).unwrap_or_else(|| self.end());
        Items { chunks: &self.chunks, front, back, left }
    }

    pub fn into_items(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten()
    }

    /// About what it takes beyond its items' own allocations.
    pub fn heap_bytes(&self) -> usize {
        let heads = self.chunks.capacity() * size_of::<VecDeque<T>>();
        // Few chunks are counted exactly; of many, most are between half full and full.
        let room = match self.chunks.len() {
            0..=4 => self.chunks.iter().map(VecDeque::capacity).sum(),
            _ => self.len + self.len / 4,
        };
        heads + room * size_of::<T>()
    }
}

impl<T> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|item| all.push_back(item));
        all
    }
}

/// Some of the items, from either end.
#[derive(Debug)]
pub(crate) struct Items<'a, T> {
    chunks: &'a VecDeque<VecDeque<T>>,
    front: Place,
    /// Past the last.
    back: Place,
    left: usize,
}

impl<'a, T> Iterator for Items<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.left = self.left.checked_sub(1)?;
        let chunk = self.chunks.get(self.front.chunk)?;
        let item = chunk.get(self.front.offset);
        self.front.offset += 1;
        if self.front.offset == chunk.len() {
            self.front = Place { chunk: self.front.chunk + 1, offset: 0 };
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Items<'_, T> {}

impl<T> DoubleEndedIterator for Items<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.back.offset == 0 {
            let chunk = self.back.chunk.checked_sub(1)?;
            self.back = Place { chunk, offset: self.chunks[chunk].len() };
        }
        self.back.offset -= 1;
        self.chunks[self.back.chunk].get(self.back.offset)
    }
}

#[cfg(test)]
mod tests;
