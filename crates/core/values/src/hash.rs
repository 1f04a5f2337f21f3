//! Core: a hash: fields and their values.

use crate::table::{Entry, Table};

#[derive(Clone, Debug, Default)]
pub struct Hash(pub(crate) Table<Box<[u8]>, Box<[u8]>>);

impl Hash {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.0.get(field).map(AsRef::as_ref)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.0.entries().iter().map(pair)
    }

    /// Any order, but all of 0 to `len` are different fields.
    pub fn nth(&self, index: usize) -> Option<(&[u8], &[u8])> {
        self.0.entries().get(index).map(pair)
    }

    /// Calls `f` with at least `count` fields from `cursor` on (0: the beginning). The next cursor, 0 at the end. Whoever is there
    /// from the first to the last step is passed.
    pub fn scan(&self, cursor: u64, count: usize, mut f: impl FnMut(&[u8], &[u8])) -> u64 {
        self.0.scan(cursor, count, |entry| f(&entry.key, &entry.slot.value))
    }
}

fn pair(entry: &Entry<Box<[u8]>, Box<[u8]>>) -> (&[u8], &[u8]) {
    (&entry.key, &entry.slot.value)
}
