//! Core: which writes a collection has seen: a version vector (Parker et al., 1983).
//!
//! Node to the greatest time seen of it. It says "all of this node's writes to this key up to then", which holds because a delta
//! is only applied by who has seen all that its writer had seen. Usually one or two nodes, so a small sorted vector.

use crate::Dot;

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Context(Vec<Dot>);

impl Context {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One dot a node, by node.
    pub fn dots(&self) -> &[Dot] {
        &self.0
    }

    pub fn covers(&self, dot: Dot) -> bool {
        match self.place(dot.node) {
            Ok(at) => dot.time <= self.0[at].time,
            Err(_) => false,
        }
    }

    /// The greatest dot seen.
    pub fn latest(&self) -> Dot {
        self.0.iter().copied().max().unwrap_or(Dot::NONE)
    }

    pub fn insert(&mut self, dot: Dot) {
        match self.place(dot.node) {
            Ok(at) => self.0[at].time = self.0[at].time.max(dot.time),
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, dot);
            }
        }
    }

    /// Of a greater node than all that are in.
    pub(crate) fn push(&mut self, dot: Dot) {
        self.0.push(dot);
    }

    pub(crate) fn merge(&mut self, other: &Context) {
        other.0.iter().for_each(|dot| self.insert(*dot));
    }

    /// Forgets what `floor` says anyway.
    pub(crate) fn raise(&mut self, floor: Dot) {
        self.0.retain(|dot| *dot > floor);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        crate::size_class(self.0.capacity() * size_of::<Dot>())
    }

    pub(crate) fn index_of(&self, node: u64) -> Option<usize> {
        self.place(node).ok()
    }

    fn place(&self, node: u64) -> Result<usize, usize> {
        // A handful at most: going through them beats a binary search.
        match self.0.iter().position(|dot| dot.node >= node) {
            Some(at) if self.0[at].node == node => Ok(at),
            Some(at) => Err(at),
            None => Err(self.0.len()),
        }
    }
}
