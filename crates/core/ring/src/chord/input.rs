//! Core: what can happen to a node of a ring.

use crate::chord::Message;
use crate::{NodeId, Point, VirtualNode};

/// One thing that happened. Everything may come at any time, any number of times, in any order.
#[derive(Debug, Clone)]
pub enum Input {
    /// Begin a ring of one. It owns everything at once.
    Create,
    /// Join the ring that `known` is in. Asked again, it begins again.
    Join { known: VirtualNode },
    /// `from` is whom the transport knows to have sent it.
    Message { from: VirtualNode, message: Message },
    /// `next_wake` has come.
    Wake,
    /// A failure detector's verdict: the machine is dead, with all its virtual nodes. Acts at once. A verdict that was wrong heals
    /// by itself: whoever speaks and answers is alive.
    Down(NodeId),
    /// All virtual nodes that gossip believes alive, ourselves or not. Come again whenever it changes, and now and then.
    Members(Vec<VirtualNode>),
    /// Who owns `key`? Answered by [`super::Output::Found`] with the same ticket.
    Lookup { ticket: u64, key: Point },
    /// With `HandOver::WhenReleased`: the keys announced by `Event::Ceding` are with `to` now.
    Release { to: VirtualNode },
    /// Go, after telling the neighbours. `Event::Left` says when it is safe to stop.
    Leave,
}
