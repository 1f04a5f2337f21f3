//! Core: to whom one write goes, when it is done, and who has missed it. The *eventual* level.
//!
//! The replica that executes a command (the acting primary) has the result already. The plan is about the others: those of the
//! layout that answers reads and, while data moves, those of the next one. All that are reachable are waited for, because a
//! client that reads from the next replica after ours died must find its write; but only for so long, because a hung machine
//! must not hang everybody. Whoever was not reached is owed a hint: repair brings it the write later.
//!
//! What may be lost: a write whose every holder dies before repair has made another copy.

use ringway_ring::NodeId;

/// What comes back from, or is found out about, a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has the write.
    Acked(NodeId),
    /// It could not be reached, or it refused.
    Failed(NodeId),
}

/// One write, or one batch of writes with the same replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritePlan {
    waiting: Vec<NodeId>,
    missed: Vec<NodeId>,
    copies: usize,
    deadline_ms: u64,
}

impl WritePlan {
    /// `own` has the write; `replicas` are the owners in both layouts (repetitions and `own` are ignored).
    pub fn new(
        own: NodeId,
        replicas: impl IntoIterator<Item = NodeId>,
        is_reachable: impl Fn(NodeId) -> bool,
        deadline_ms: u64,
    ) -> Self {
        let mut plan = Self { waiting: Vec::new(), missed: Vec::new(), copies: 1, deadline_ms };
        for node in replicas {
            if node == own || plan.waiting.contains(&node) || plan.missed.contains(&node) {
                continue;
            }
            let list = if is_reachable(node) { &mut plan.waiting } else { &mut plan.missed };
            list.push(node);
        }
        plan
    }

    /// Who is to be sent the write. Shrinks as answers come in.
    pub fn waiting(&self) -> &[NodeId] {
        &self.waiting
    }

    pub fn handle(&mut self, heard: Heard) {
        let (Heard::Acked(node) | Heard::Failed(node)) = heard;
        let Some(at) = self.waiting.iter().position(|waiting| *waiting == node) else { return };
        self.waiting.swap_remove(at);
        match heard {
            Heard::Acked(_) => self.copies += 1,
            Heard::Failed(_) => self.missed.push(node),
        }
    }

    /// Gives up on those that are late.
    pub fn tick(&mut self, now_ms: u64) {
        if now_ms >= self.deadline_ms {
            self.missed.append(&mut self.waiting);
        }
    }

    /// Whether the client may be told.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When [`WritePlan::tick`] is to be called, if the answers do not come first.
    pub fn next_wake(&self) -> Option<u64> {
        (!self.is_done()).then_some(self.deadline_ms)
    }

    /// How many replicas have the write, this one included.
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// Who is owed a hint.
    pub fn missed(&self) -> &[NodeId] {
        &self.missed
    }
}

#[cfg(test)]
mod tests;
