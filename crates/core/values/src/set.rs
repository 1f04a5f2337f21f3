//! Core: a set of members.

use crate::table::Table;

#[derive(Clone, Debug, Default)]
pub struct Set(pub(crate) Table<Box<[u8]>, ()>);

impl Set {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.find(member).is_some()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.entries().iter().map(|entry| entry.key.as_ref())
    }

    /// Any order, but all of 0 to `len` are different members.
    pub fn nth(&self, index: usize) -> Option<&[u8]> {
        self.0.entries().get(index).map(|entry| entry.key.as_ref())
    }

    /// See [`crate::Hash::scan`].
    pub fn scan(&self, cursor: u64, count: usize, mut f: impl FnMut(&[u8])) -> u64 {
        self.0.scan(cursor, count, |entry| f(&entry.key))
    }
}
