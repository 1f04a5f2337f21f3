//! Core: one element's writes that nobody has overwritten yet.
//!
//! Nearly always one. Writes at the same time, unknown to each other, stay side by side until somebody overwrites what he saw; what
//! is read is the latest.

use crate::Dot;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot<V> {
    pub dot: Dot,
    pub value: V,
    /// Earlier ones than `dot`, the later first. Never empty. The vector is boxed so that who has none pays one word.
    #[allow(clippy::box_collection)]
    others: Option<Box<Vec<(Dot, V)>>>,
}

impl<V> Slot<V> {
    pub fn new(dot: Dot, value: V) -> Self {
        Self { dot, value, others: None }
    }

    pub fn writes(&self) -> impl Iterator<Item = (Dot, &V)> {
        let others = self.others.iter().flat_map(|others| others.iter());
        std::iter::once((self.dot, &self.value)).chain(others.map(|(dot, value)| (*dot, value)))
    }

    pub fn has(&self, dot: Dot) -> bool {
        self.writes().any(|(own, _)| own == dot)
    }

    pub fn write_count(&self) -> usize {
        1 + self.others.as_ref().map_or(0, |others| others.len())
    }

    /// Whether all of its writes are `gone`.
    pub fn is_gone(&self, gone: impl Fn(Dot) -> bool) -> bool {
        self.writes().all(|(dot, _)| gone(dot))
    }

    /// Drops the writes that are `gone`; not all of them are.
    pub fn forget(&mut self, gone: impl Fn(Dot) -> bool) {
        let Some(mut others) = self.others.take() else { return };
        others.retain(|(dot, _)| !gone(*dot));
        if gone(self.dot) && !others.is_empty() {
            (self.dot, self.value) = others.remove(0);
        }
        self.others = (!others.is_empty()).then_some(others);
    }

    /// What is left of it without the writes that are `gone`.
    pub fn without(mut self, gone: impl Fn(Dot) -> bool) -> Option<Self> {
        if self.is_gone(&gone) {
            return None;
        }
        self.forget(gone);
        Some(self)
    }

    pub fn into_writes(self) -> impl Iterator<Item = (Dot, V)> {
        let others = self.others.map(|others| *others).unwrap_or_default();
        std::iter::once((self.dot, self.value)).chain(others)
    }

    /// Adds a write, known or not.
    pub fn insert(&mut self, dot: Dot, value: V) {
        if self.has(dot) {
            return;
        }
        let others = self.others.get_or_insert_default();
        let other = match dot > self.dot {
            true => (std::mem::replace(&mut self.dot, dot), std::mem::replace(&mut self.value, value)),
            false => (dot, value),
        };
        let at = others.partition_point(|(dot, _)| *dot > other.0);
        others.insert(at, other);
    }

    /// Of any writes; `None` of none.
    pub fn of(writes: Vec<(Dot, V)>) -> Option<Self> {
        let mut writes = writes.into_iter();
        let (dot, value) = writes.next()?;
        let mut slot = Self::new(dot, value);
        writes.for_each(|(dot, value)| slot.insert(dot, value));
        Some(slot)
    }

    /// Its share in a collection's digest.
    pub fn digest(&self, element: &[u8]) -> u64 {
        match &self.others {
            None => self.dot.digest(element),
            Some(_) => self.writes().fold(0, |sum, (dot, _)| sum ^ dot.digest(element)),
        }
    }
}

/// What a value costs outside of its element.
pub(crate) trait Weight {
    fn heap_bytes(&self) -> usize;
}

impl Weight for () {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weight for f64 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weight for Box<[u8]> {
    fn heap_bytes(&self) -> usize {
        crate::size_class(self.len())
    }
}

impl<V: Weight> Weight for Slot<V> {
    fn heap_bytes(&self) -> usize {
        let Some(others) = &self.others else { return self.value.heap_bytes() };
        let room = size_of::<Vec<(Dot, V)>>() + others.capacity() * size_of::<(Dot, V)>();
        self.value.heap_bytes() + room + others.iter().map(|(_, value)| value.heap_bytes()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
