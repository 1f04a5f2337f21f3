//! Core: the names of what was evicted lately, so that what comes back soon is not taken for new (S3-FIFO's ghost queue).
//!
//! Sets of eight, each a small first-in-first-out queue. That forgets a little earlier or later than one long queue would, and
//! needs four bytes for each name and nothing else.

use crate::handle::Handle;

const WAYS: usize = 8;
const EMPTY: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Ghost {
    sets: Vec<[u32; WAYS]>,
}

impl Ghost {
    /// Remembers that it was evicted, among about `count` others.
    pub(crate) fn remember(&mut self, handle: Handle, count: usize) {
        self.fit(count);
        self.push(handle.bits());
    }

    /// Whether it was evicted lately. Forgets it.
    pub(crate) fn take(&mut self, handle: Handle) -> bool {
        if self.sets.is_empty() {
            return false;
        }
        let set = self.set_of(handle.bits());
        match self.sets[set].iter().position(|name| *name == handle.bits()) {
            Some(at) => {
                self.sets[set][at..].rotate_left(1);
                self.sets[set][WAYS - 1] = EMPTY;
                true
            }
            None => false,
        }
    }

    fn push(&mut self, name: u32) {
        let set = self.set_of(name);
        self.sets[set].rotate_right(1);
        self.sets[set][0] = name;
    }

    fn set_of(&self, name: u32) -> usize {
        let mixed = name.wrapping_mul(0x9E37_79B1);
        ((u64::from(mixed) * self.sets.len() as u64) >> 32) as usize
    }

    /// Follows the number of entries, by halves: not at every eviction.
    fn fit(&mut self, count: usize) {
        let wanted = count / WAYS + 1;
        if (self.sets.len() * 2 / 3..=self.sets.len() * 3 / 2).contains(&wanted) {
            return;
        }
        let old = std::mem::replace(&mut self.sets, vec![[EMPTY; WAYS]; wanted]);
        for set in old {
            set.into_iter().rev().filter(|name| *name != EMPTY).for_each(|name| self.push(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_names_are_known_and_the_old_ones_are_not() {
        let mut ghost = Ghost::default();
        let handle = |name: u32| Handle::from_bits(name.wrapping_mul(7919));
        (0..10_000).for_each(|name| ghost.remember(handle(name), 1000));
        let known =
            |names: std::ops::Range<u32>, ghost: &mut Ghost| names.filter(|name| ghost.take(handle(*name))).count();
        assert!(known(9_700..10_000, &mut ghost) > 290);
        assert!(known(0..7_000, &mut ghost) < 20);
        assert_eq!(known(9_700..10_000, &mut ghost), 0, "a name is taken once");
    }

    #[test]
    fn names_survive_growing() {
        let mut ghost = Ghost::default();
        let handle = |name: u32| Handle::from_bits(name.wrapping_mul(7919));
        (0..100).for_each(|name| ghost.remember(handle(name), 200));
        ghost.remember(handle(100), 5_000);
        assert!((0..=100).filter(|name| ghost.take(handle(*name))).count() > 98);
    }
}
