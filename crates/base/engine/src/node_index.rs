//! Core: short numbers for the nodes that write versions.
//!
//! A version names its writer with 64 bits; an entry has 16 to spare. There are far fewer writers than that in the life of a
//! process, so the numbers are handed out once for the whole process and never taken back: reading one is a load from an array,
//! without a lock. Should they run out, [`number_of`] says so and the entry is stored the long way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

const NODES_MAX: usize = 1 << 16;

/// In the zeroed part of the image: only the pages that are used take memory.
static NODES: [AtomicU64; NODES_MAX] = [const { AtomicU64::new(0) }; NODES_MAX];
static NUMBERS: OnceLock<Mutex<HashMap<u64, u16>>> = OnceLock::new();

/// The node of a number that [`number_of`] gave.
pub(crate) fn node_at(number: u16) -> u64 {
    NODES[number as usize].load(Ordering::Relaxed)
}

/// Remembers the last few answers, so that the lock is taken rarely.
#[derive(Debug)]
pub(crate) struct NodeNumbers {
    recent: [(u64, u16); 8],
}

impl NodeNumbers {
    pub(crate) fn new() -> Self {
        // Node 0 is number 0, see `register`.
        Self { recent: [(0, 0); 8] }
    }

    /// `None`: all numbers are taken.
    pub(crate) fn number_of(&mut self, node: u64) -> Option<u16> {
        let recent = &mut self.recent[(node.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as usize];
        if recent.0 == node {
            return Some(recent.1);
        }
        let number = register(node)?;
        *recent = (node, number);
        Some(number)
    }
}

fn register(node: u64) -> Option<u16> {
    let numbers = NUMBERS.get_or_init(|| Mutex::new(HashMap::from([(0, 0)])));
    let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = numbers.get(&node) {
        return Some(*number);
    }
    let number = u16::try_from(numbers.len()).ok()?;
    NODES[number as usize].store(node, Ordering::Relaxed);
    numbers.insert(node, number);
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_gets_its_own_number_and_keeps_it() {
        let mut numbers = NodeNumbers::new();
        let nodes: Vec<u64> = (0..100).map(|n| n * 0x1234_5678_9ABC).collect();
        let first: Vec<u16> = nodes.iter().map(|node| numbers.number_of(*node).unwrap()).collect();
        for (node, number) in nodes.iter().zip(&first) {
            assert_eq!(NodeNumbers::new().number_of(*node), Some(*number));
            assert_eq!(node_at(*number), *node);
        }
    }
}
