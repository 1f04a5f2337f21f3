//! Core: router 0, the key index. One node, the directory, keeps for every key which node has it; everybody else knows only the
//! directory. Two hops, O(K) entries in one place, and everything stops when that place does: here as the baseline that the
//! others are compared with, and for small buckets whose keys are to be placed by hand.

use std::collections::HashMap;

use crate::Point;
use crate::router::{Next, Peer, Router, Verdict, Via};

/// How many keys of a bucket a directory keeps.
pub const KEYS_MAX: usize = 100_000;

/// What the directory keeps for one bucket.
#[derive(Clone, Debug)]
pub struct KeyDirectory<P> {
    places: HashMap<Point, P>,
    keys_max: usize,
}

/// Why a key was not entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key index of a bucket is full: it keeps {0} keys; use the table or fingers for larger buckets")]
pub struct DirectoryFull(pub usize);

impl<P> Default for KeyDirectory<P> {
    fn default() -> Self {
        Self { places: HashMap::new(), keys_max: KEYS_MAX }
    }
}

impl<P: Copy> KeyDirectory<P> {
    /// Notes who has the key.
    pub fn enter(&mut self, key: Point, place: P) -> Result<(), DirectoryFull> {
        if self.places.len() >= self.keys_max && !self.places.contains_key(&key) {
            return Err(DirectoryFull(self.keys_max));
        }
        self.places.insert(key, place);
        Ok(())
    }

    pub fn strike(&mut self, key: Point) {
        self.places.remove(&key);
    }

    pub fn find(&self, key: Point) -> Option<P> {
        self.places.get(&key).copied()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// What one node knows: where the directory is, and what it owns itself. `keys` only on the directory's own node.
#[derive(Clone, Debug)]
pub struct KeyIndex<'a, P, F> {
    directory: P,
    keys: Option<&'a KeyDirectory<P>>,
    owns: F,
}

impl<'a, P: Peer, F: Fn(Point) -> bool> KeyIndex<'a, P, F> {
    pub fn new(directory: P, keys: Option<&'a KeyDirectory<P>>, owns: F) -> Self {
        Self { directory, keys, owns }
    }
}

impl<P: Peer, F: Fn(Point) -> bool> Router<P> for KeyIndex<'_, P, F> {
    fn via(&self) -> Via {
        Via::Index
    }

    fn entries(&self) -> usize {
        self.keys.map_or(1, KeyDirectory::len)
    }

    fn look(&self, key: Point, next: &mut Next<P>) -> Verdict {
        next.clear();
        if (self.owns)(key) {
            return Verdict::Mine;
        }
        let place = match self.keys {
            None => Some(self.directory),
            Some(keys) => keys.find(key),
        };
        let Some(place) = place else { return Verdict::Unknown };
        next.push(place);
        Verdict::Ask
    }
}

#[cfg(test)]
mod tests;
