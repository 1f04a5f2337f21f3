//! Core: a list: elements in the order of their positions.

use bytes::Bytes;

use crate::chunked::{Chunked, Place};
use crate::slot::{Slot, Weight};
use crate::{Dot, Position};

#[derive(Clone, Debug, Default)]
pub struct List {
    items: Chunked<Item>,
    digest: u64,
    /// What positions and values take outside of the items.
    bytes: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub position: Position,
    pub slot: Slot<Box<[u8]>>,
}

impl List {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.items.get(index).map(Item::value)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        self.items.iter().map(Item::value)
    }

    pub fn iter_from(&self, index: usize) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        self.range(index..self.len())
    }

    /// Those of the range that are there.
    pub fn range(&self, range: std::ops::Range<usize>) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        self.items.range(range).map(Item::value)
    }

    pub(crate) fn items(&self) -> &Chunked<Item> {
        &self.items
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes + self.items.heap_bytes()
    }

    pub(crate) fn position(&self, index: usize) -> Option<&Position> {
        self.items.get(index).map(|item| &item.position)
    }

    /// A position for a new element that is to have this index.
    pub(crate) fn position_for(&self, index: usize, dot: Dot) -> Position {
        match (self.items.first(), self.items.last()) {
            (Some(first), _) if index == 0 => Position::before(&first.position, dot),
            (_, Some(last)) if index >= self.len() => Position::after(&last.position, dot),
            _ => match (self.position(index.wrapping_sub(1)), self.position(index)) {
                (Some(low), Some(high)) => Position::between(low, high, dot),
                _ => Position::only(dot),
            },
        }
    }

    /// Writes `value` over those writes at `position` that are `gone`.
    pub(crate) fn put(&mut self, position: &Position, dot: Dot, value: &[u8], gone: impl Fn(Dot) -> bool) {
        let place = self.place_for(position);
        match self.items.at(place).is_some_and(|item| item.position == *position) {
            true => self.overwrite(place, dot, value, gone),
            false => self.add(place, Item { position: position.clone(), slot: Slot::new(dot, value.into()) }),
        }
    }

    /// Drops the writes at `position` that are `gone`, and the element if none is left. Whether it was there.
    pub(crate) fn erase(&mut self, position: &Position, gone: impl Fn(Dot) -> bool) -> bool {
        let place = self.place_for(position);
        let Some(item) = self.items.at_mut(place).filter(|item| item.position == *position) else { return false };
        if item.slot.is_gone(&gone) {
            self.take(place);
            return true;
        }
        uncount(&mut self.digest, &mut self.bytes, item);
        item.slot.forget(gone);
        count(&mut self.digest, &mut self.bytes, item);
        true
    }

    pub(crate) fn take_at(&mut self, index: usize) -> Option<(Position, Bytes)> {
        let place = self.items.place_of(index)?;
        self.take(place).map(|item| (item.position, Bytes::from(item.slot.value)))
    }

    /// Drops all writes that are `gone`. Whether there were any.
    pub(crate) fn retain(&mut self, gone: impl Fn(Dot) -> bool) -> bool {
        if !self.items.iter().any(|item| item.slot.writes().any(|(dot, _)| gone(dot))) {
            return false;
        }
        let items = std::mem::take(self).items.into_items();
        items.filter_map(|item| item.without(&gone)).for_each(|item| self.append(item));
        true
    }

    /// See [`crate::table::Table::absorb`]: the same for elements in an order.
    pub(crate) fn absorb(&mut self, other: Self, seen: impl Fn(Dot) -> bool, seen_there: impl Fn(Dot) -> bool) -> bool {
        let (digest, len) = (self.digest, self.len());
        let mut theirs = other.items.into_items().peekable();
        for item in std::mem::take(self).items.into_items() {
            while let Some(item) = theirs.next_if(|their| their.position < item.position) {
                self.append_left(item.without(&seen));
            }
            match theirs.next_if(|their| their.position == item.position) {
                Some(their) => self.append_left(item.join(their, &seen, &seen_there)),
                None => self.append_left(item.without(&seen_there)),
            }
        }
        theirs.for_each(|item| self.append_left(item.without(&seen)));
        (digest, len) != (self.digest, self.len())
    }

    /// Adds an item after all others.
    pub(crate) fn append(&mut self, item: Item) {
        count(&mut self.digest, &mut self.bytes, &item);
        self.items.push_back(item);
    }

    fn append_left(&mut self, item: Option<Item>) {
        if let Some(item) = item {
            self.append(item);
        }
    }

    fn add(&mut self, place: Place, item: Item) {
        count(&mut self.digest, &mut self.bytes, &item);
        if self.items.first().is_some_and(|first| item.position < first.position) {
            return self.items.push_front(item);
        }
        self.items.insert(place, item);
    }

    fn overwrite(&mut self, place: Place, dot: Dot, value: &[u8], gone: impl Fn(Dot) -> bool) {
        let Some(item) = self.items.at_mut(place) else { return };
        uncount(&mut self.digest, &mut self.bytes, item);
        if item.slot.is_gone(&gone) {
            item.slot = Slot::new(dot, value.into());
        } else {
            item.slot.forget(gone);
            item.slot.insert(dot, value.into());
        }
        count(&mut self.digest, &mut self.bytes, item);
    }

    fn take(&mut self, place: Place) -> Option<Item> {
        let item = self.items.remove(place)?;
        uncount(&mut self.digest, &mut self.bytes, &item);
        Some(item)
    }

    fn place_for(&self, position: &Position) -> Place {
        self.items.partition_point(|item| item.position < *position)
    }
}

impl Item {
    fn value(&self) -> &[u8] {
        &self.slot.value
    }

    fn without(self, gone: impl Fn(Dot) -> bool) -> Option<Self> {
        let Self { position, slot } = self;
        slot.without(gone).map(|slot| Self { position, slot })
    }

    /// What is left of both replicas' writes at one position.
    fn join(self, other: Self, seen: impl Fn(Dot) -> bool, seen_there: impl Fn(Dot) -> bool) -> Option<Self> {
        let Self { position, slot } = self;
        let there = other.slot.writes().map(|(dot, _)| dot).collect::<Vec<_>>();
        let own = slot.without(|dot| seen_there(dot) && !there.contains(&dot));
        let slot = match (own, other.slot.without(seen)) {
            (Some(mut own), Some(news)) => {
                news.into_writes().for_each(|(dot, value)| own.insert(dot, value));
                Some(own)
            }
            (own, news) => own.or(news),
        };
        slot.map(|slot| Self { position, slot })
    }
}

fn count(digest: &mut u64, bytes: &mut usize, item: &Item) {
    *digest ^= digest_of(item);
    *bytes += item.position.heap_bytes() + item.slot.heap_bytes();
}

fn uncount(digest: &mut u64, bytes: &mut usize, item: &Item) {
    *digest ^= digest_of(item);
    *bytes -= item.position.heap_bytes() + item.slot.heap_bytes();
}

fn digest_of(item: &Item) -> u64 {
    item.slot.writes().fold(0, |sum, (dot, _)| sum ^ item.position.digest(dot))
}
