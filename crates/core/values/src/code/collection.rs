//! Core: collections as bytes.

use std::sync::Arc;

use super::{Damaged, Reader, write};
use crate::list::Item;
use crate::position::Step;
use crate::slot::Slot;
use crate::table::{Entry, Table};
use crate::{Body, Collection, Context, Dot, Hash, Kind, List, Position, Set, SortedSet};

pub(super) fn write(collection: &Collection, out: &mut Vec<u8>) {
    out.push(collection.kind() as u8);
    out.push(u8::from(collection.is_buried));
    write::dot(collection.floor, out);
    write::dot(collection.newest, out);
    write::life(collection.life, out);
    write::context(&collection.context, out);
    write::number(collection.len() as u64, out);
    let mut writer = Writer { context: &collection.context, last_time: 0, last_place: 0, out };
    match &collection.body {
        Body::List(list) => list.items().iter().for_each(|item| writer.item(item)),
        Body::Hash(hash) => writer.table(&hash.0, |value, out| write::bytes(value, out)),
        Body::Set(set) => writer.table(&set.0, |(), _| {}),
        Body::SortedSet(sorted_set) => writer.table(sorted_set.scores(), |score, out| write_score(*score, out)),
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Collection, Damaged> {
    let kind = reader.kind()?;
    let is_buried = reader.flag()?;
    let (floor, newest) = (reader.dot()?, reader.dot()?);
    let (life, context) = (reader.life()?, reader.context()?);
    let count = reader.count()?;
    if is_buried && count > 0 {
        return Err(Damaged("elements in a grave"));
    }
    let mut elements = Elements { reader, context: &context, floor, newest, last_time: 0, last_place: 0 };
    let body = match kind {
        Kind::String | Kind::List => Body::List(elements.list(count)?),
        Kind::Hash => Body::Hash(Hash(elements.table(count, |reader| reader.bytes().map(Box::from))?)),
        Kind::Set => Body::Set(Set(elements.table(count, |_| Ok(()))?)),
        Kind::SortedSet => Body::SortedSet(elements.sorted_set(count)?),
    };
    let mut collection = Collection { floor, newest, context, life, body, is_buried };
    collection.raise_floor(floor);
    Ok(collection)
}

pub(super) fn write_score(score: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(&score.to_bits().to_le_bytes());
}

/// A position on its own: its steps' number and each in full.
pub(super) fn write_position(position: &Position, out: &mut Vec<u8>) {
    write::number(position.rest().len() as u64, out);
    for step in std::iter::once(&position.first).chain(position.rest()) {
        write::signed(step.place, out);
        write::dot(step.dot, out);
    }
}

pub(super) fn read_position(reader: &mut Reader<'_>) -> Result<Position, Damaged> {
    let mut steps = Vec::new();
    for _ in 0..=reader.count()? {
        steps.push(Step { place: reader.signed()?, dot: reader.dot()? });
    }
    Ok(Position::of(&steps))
}

struct Writer<'a> {
    context: &'a Context,
    last_time: u64,
    last_place: i64,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn table<K: AsRef<[u8]>, V>(&mut self, table: &Table<K, V>, value: impl Fn(&V, &mut Vec<u8>))
    where
        V: crate::slot::Weight,
    {
        for Entry { key, slot } in table.entries() {
            write::bytes(key.as_ref(), self.out);
            self.slot(slot, &value);
        }
    }

    /// A position of one step that the element's own write made, as nearly all are, is only a difference.
    fn item(&mut self, item: &Item) {
        let Step { place, dot } = item.position.first;
        let is_plain = item.position.rest.is_none() && dot == item.slot.dot;
        self.out.push(u8::from(is_plain));
        if is_plain {
            write::signed(place.wrapping_sub(self.last_place), self.out);
        } else {
            write_position(&item.position, self.out);
        }
        self.last_place = place;
        self.slot(&item.slot, |value, out| write::bytes(value, out));
    }

    fn slot<V>(&mut self, slot: &Slot<V>, value: impl Fn(&V, &mut Vec<u8>)) {
        let mut left = slot.write_count();
        for (dot, one) in slot.writes() {
            left -= 1;
            let node = self.context.index_of(dot.node).expect("the context covers the elements' writes");
            write::number((node as u64) << 1 | u64::from(left > 0), self.out);
            write::signed(dot.time.wrapping_sub(self.last_time) as i64, self.out);
            self.last_time = dot.time;
            value(one, self.out);
        }
    }
}

struct Elements<'a, 'b> {
    reader: &'a mut Reader<'b>,
    context: &'a Context,
    floor: Dot,
    newest: Dot,
    last_time: u64,
    last_place: i64,
}

impl<'b> Elements<'_, 'b> {
    fn table<K, V>(
        &mut self,
        count: usize,
        value: impl Fn(&mut Reader<'b>) -> Result<V, Damaged>,
    ) -> Result<Table<K, V>, Damaged>
    where
        K: AsRef<[u8]> + for<'k> From<&'k [u8]>,
        V: crate::slot::Weight,
    {
        let mut table = Table::default();
        for _ in 0..count {
            let key = self.reader.bytes()?;
            let slot = self.slot(&value)?;
            if table.find(key).is_some() {
                return Err(Damaged("an element twice"));
            }
            table.add(K::from(key), slot);
        }
        Ok(table)
    }

    fn sorted_set(&mut self, count: usize) -> Result<SortedSet, Damaged> {
        let scores: Table<Arc<[u8]>, f64> = self.table(count, |reader| reader.score())?;
        Ok(SortedSet::of(scores))
    }

    fn list(&mut self, count: usize) -> Result<List, Damaged> {
        let mut list = List::default();
        for _ in 0..count {
            let item = self.item()?;
            if list.items().last().is_some_and(|last| last.position >= item.position) {
                return Err(Damaged("elements out of order"));
            }
            list.append(item);
        }
        Ok(list)
    }

    fn item(&mut self) -> Result<Item, Damaged> {
        let value = |reader: &mut Reader<'b>| reader.bytes().map(Box::from);
        if self.reader.flag()? {
            let place = self.last_place.wrapping_add(self.reader.signed()?);
            self.last_place = place;
            let slot = self.slot(&value)?;
            return Ok(Item { position: Position { first: Step { place, dot: slot.dot }, rest: None }, slot });
        }
        let position = read_position(self.reader)?;
        self.last_place = position.first.place;
        Ok(Item { position, slot: self.slot(&value)? })
    }

    fn slot<V>(&mut self, value: &impl Fn(&mut Reader<'b>) -> Result<V, Damaged>) -> Result<Slot<V>, Damaged> {
        let mut writes = Vec::new();
        loop {
            let head = self.reader.number()?;
            let time = self.last_time.wrapping_add(self.reader.signed()? as u64);
            self.last_time = time;
            let node = usize::try_from(head >> 1).ok().and_then(|at| self.context.dots().get(at));
            let dot = Dot { time, node: node.ok_or(Damaged("a node that the context does not name"))?.node };
            if !self.context.covers(dot) || dot <= self.floor || dot > self.newest {
                return Err(Damaged("a write that has not been seen"));
            }
            writes.push((dot, value(self.reader)?));
            if head & 1 == 0 {
                break;
            }
        }
        Slot::of(writes).ok_or(Damaged("an element without a write"))
    }
}
