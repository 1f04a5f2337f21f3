//! Core: the purges that began on this node, for those who were away; and up to where this node has heard of the others' ones.
//!
//! Numbers count from 1 within one life of a node (`boot`). Who has missed more than is kept forgets all that it has stored.

use std::collections::{HashMap, VecDeque};

use ringway_ports::Purge;
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};

const KEPT_MAX: usize = 1024;
/// What is kept fits into one message.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A node's life, and how many purges have begun there in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) boot: u64,
    pub(crate) count: u64,
}

#[derive(Debug)]
pub(crate) struct PurgeLog {
    at: Position,
    kept: VecDeque<Purge>,
    bytes: usize,
}

/// Of the others.
#[derive(Debug, Default)]
pub(crate) struct Heard(HashMap<NodeId, Position>);

impl PurgeLog {
    pub(crate) fn new(boot: u64) -> Self {
        Self { at: Position { boot, count: 0 }, kept: VecDeque::new(), bytes: 0 }
    }

    /// The position with it.
    pub(crate) fn push(&mut self, purge: Purge) -> Position {
        self.at.count += 1;
        self.bytes += len_of(&purge);
        self.kept.push_back(purge);
        while self.kept.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            self.bytes -= self.kept.pop_front().map_or(0, |oldest| len_of(&oldest));
        }
        self.at
    }

    pub(crate) fn at(&self) -> Position {
        self.at
    }

    /// What began since then. `None`: more than is kept.
    pub(crate) fn since(&self, known: Option<Position>) -> Option<Vec<Purge>> {
        let known = known.filter(|known| known.boot == self.at.boot).map_or(0, |known| known.count);
        let missed = self.at.count.saturating_sub(known) as usize;
        let skipped = self.kept.len().checked_sub(missed)?;
        Some(self.kept.iter().skip(skipped).cloned().collect())
    }
}

impl Heard {
    /// `node` has said its purge with this position. Whether nothing before it was missed.
    pub(crate) fn hear(&mut self, node: NodeId, at: Position) -> bool {
        let known = self.0.get(&node).copied();
        let before = known.filter(|known| known.boot == at.boot).map_or(0, |known| known.count);
        // The first that is heard of a life, though it has said others before: those are missed.
        if at.count > before + 1 {
            return false;
        }
        self.catch_up(node, Position { count: at.count.max(before), ..at });
        true
    }

    /// All of `node`'s purges up to this position have been done.
    pub(crate) fn catch_up(&mut self, node: NodeId, at: Position) {
        let known = self.0.entry(node).or_insert(at);
        let is_later = known.boot != at.boot || known.count < at.count;
        if is_later {
            *known = at;
        }
    }

    pub(crate) fn of(&self, node: NodeId) -> Option<Position> {
        self.0.get(&node).copied()
    }
}

fn len_of(purge: &Purge) -> usize {
    const FIXED: usize = 64;
    FIXED
        + match purge {
            Purge::Url { host, target, .. } | Purge::Prefix { host, target } => host.len() + target.len(),
            Purge::Tag { app, tag } => app.len() + tag.len(),
            Purge::App(app) => app.len(),
            Purge::All => 0,
        }
}

#[cfg(test)]
mod tests;
