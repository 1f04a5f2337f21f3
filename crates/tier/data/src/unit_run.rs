//! Core: the units of one batch: which of them are answered, and how many bytes of replies are held until somebody takes them.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use ringway_protocol::resp::RespVersion;

use crate::message::PART_BYTES_MAX;
use crate::unit::Unit;

/// Replies that are held for one client before it has taken those in front; one message may come on top.
pub(crate) const REPLIES_BYTES_MAX: usize = 64 << 20;
/// Of these, what is asked of other nodes at once before the client has taken what is there.
const ROOM_BYTES: usize = 8 << 20;
/// The most that one message brings.
const MESSAGE_BYTES_MAX: usize = 2 * PART_BYTES_MAX;

/// The units of one batch; shared with whoever runs some of them.
pub(crate) type Units = Arc<UnitList>;

/// Units whose replies are all wanted in the same version of the protocol.
#[derive(Debug)]
pub(crate) struct UnitList {
    units: Vec<Unit>,
    pub(crate) resp: RespVersion,
}

impl UnitList {
    pub(crate) fn new(units: Vec<Unit>, resp: RespVersion) -> Units {
        Arc::new(Self { units, resp })
    }
}

impl Deref for UnitList {
    type Target = [Unit];

    fn deref(&self) -> &[Unit] {
        &self.units
    }
}

/// Which of them.
pub(crate) type Picked = Vec<usize>;

/// Units on their way. Replies are taken from the front, in order.
pub(crate) struct UnitRun {
    units: Units,
    replies: Vec<Option<Bytes>>,
    front: usize,
    held: usize,
}

impl UnitRun {
    pub(crate) fn new(units: Vec<Unit>, resp: RespVersion) -> Self {
        Self { replies: vec![None; units.len()], units: UnitList::new(units, resp), front: 0, held: 0 }
    }

    pub(crate) fn units(&self) -> &Units {
        &self.units
    }

    /// The unit whose reply is taken next.
    pub(crate) fn front(&self) -> usize {
        self.front
    }

    pub(crate) fn is_done(&self) -> bool {
        self.front == self.units.len()
    }

    /// Whether the reply in front is there.
    pub(crate) fn is_ready(&self) -> bool {
        self.replies.get(self.front).is_some_and(Option::is_some)
    }

    /// Bytes of the replies that are there and not taken.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Of these, those among the next `count`.
    pub(crate) fn held_of_next(&self, count: usize) -> usize {
        self.replies.iter().skip(self.front).take(count).flatten().map(Bytes::len).sum()
    }

    /// Those without a reply.
    pub(crate) fn waiting(&self) -> Picked {
        (self.front..self.units.len()).filter(|at| self.replies[*at].is_none()).collect()
    }

    pub(crate) fn answer(&mut self, at: usize, reply: Bytes) {
        self.held += reply.len();
        if let Some(old) = self.replies[at].replace(reply) {
            self.held -= old.len();
        }
    }

    pub(crate) fn answer_waiting(&mut self, reply: &Bytes) {
        self.waiting().into_iter().for_each(|at| self.answer(at, reply.clone()));
    }

    /// Takes the reply in front.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let reply = self.replies.get_mut(self.front)?.take()?;
        self.front += 1;
        self.held -= reply.len();
        Some(reply)
    }

    /// Drops the next `count`: those without a reply are not run.
    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count.min(self.units.len() - self.front) {
            if self.take().is_none() {
                self.front += 1;
            }
        }
    }
}

/// Room for what a round of messages brings; each reserves what it may bring at most.
pub(crate) struct Room {
    used: AtomicUsize,
    messages_left: AtomicUsize,
    refused: AtomicBool,
}

impl Room {
    pub(crate) fn beside(held: usize) -> Self {
        Self { used: held.into(), messages_left: usize::MAX.into(), refused: false.into() }
    }

    /// However much is held: without it nobody could take anything.
    pub(crate) fn for_one_message() -> Self {
        Self { used: 0.into(), messages_left: 1.into(), refused: false.into() }
    }

    /// Reserves room for the replies of a message with these units; `None` if there is not enough.
    pub(crate) fn reserve<'a>(&self, units: impl Iterator<Item = &'a Unit>) -> Option<usize> {
        let mut most = 0;
        for unit in units {
            most += unit.reply_len_max();
            if most >= MESSAGE_BYTES_MAX {
                most = MESSAGE_BYTES_MAX;
                break;
            }
        }
        // One task polls all messages of a round, so nobody comes in between.
        let (used, left) = (self.used.load(Ordering::Relaxed), self.messages_left.load(Ordering::Relaxed));
        if used + most > ROOM_BYTES || left == 0 {
            self.refused.store(true, Ordering::Relaxed);
            return None;
        }
        self.used.store(used + most, Ordering::Relaxed);
        self.messages_left.store(left - 1, Ordering::Relaxed);
        Some(most)
    }

    /// What was reserved has become these replies.
    pub(crate) fn settle(&self, reserved: usize, replies: &[Bytes]) {
        let used = self.used.load(Ordering::Relaxed) + replies.iter().map(Bytes::len).sum::<usize>();
        self.used.store(used.saturating_sub(reserved), Ordering::Relaxed);
    }

    /// Whether a message was not sent for lack of room.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
