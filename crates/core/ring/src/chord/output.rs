//! Core: what a node of a ring wants done.

use crate::chord::{KeyArc, Message};
use crate::{Point, VirtualNode};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send once; it may get lost. The core asks again by itself.
    Send {
        to: VirtualNode,
        message: Message,
    },
    Event(Event),
    /// The end of an `Input::Lookup`. `owner` said itself that it owns the key. None: nobody was found in time (say so and try
    /// again). `hops` counts the nodes asked on the way, the owner included, this node not; `timeouts` those that did not answer.
    Found {
        ticket: u64,
        key: Point,
        owner: Option<VirtualNode>,
        hops: u32,
        timeouts: u32,
    },
}

/// What the data tier, the logs and the tests want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The ring knows us and our first arc is ours: from now on we answer for it.
    Joined,
    /// Keys in `arc` are ours from now on. Where two have owned the same for a while (a partition, a verdict that was wrong), it may
    /// come for keys that we had already: the other had them too.
    Gained {
        arc: KeyArc,
        from: Source,
    },
    /// With `HandOver::WhenReleased`: copy the keys in `arc` to `to`, then `Input::Release`. We own them until then.
    Ceding {
        arc: KeyArc,
        to: VirtualNode,
    },
    /// Keys in `arc` are `to`'s from now on. Until it has heard of that (a message's way), nobody answers for them.
    Ceded {
        arc: KeyArc,
        to: VirtualNode,
    },
    PredecessorChanged {
        from: Option<VirtualNode>,
        to: Option<VirtualNode>,
    },
    /// The list, nearest first; shorter than L in a young ring.
    SuccessorsChanged {
        to: Vec<VirtualNode>,
    },
    /// A peer did not answer, or was declared dead, and has been dropped from our neighbours.
    Dropped {
        peer: VirtualNode,
    },
    /// A joiner found its point taken: draw another point. If `by` is our own virtual node, two machines have one identity.
    PointTaken {
        by: VirtualNode,
    },
    /// Nobody answered in the ring that we were to join. Give `Input::Join` again, with somebody else.
    JoinFailed,
    /// None of the successors is alive. The list is rebuilt from `Input::Members`; alone for good, a node goes on as a ring of one.
    Isolated,
    /// Gossip showed a member between us and our successor: two rings, side by side, are being merged.
    Merging {
        with: VirtualNode,
    },
    /// The neighbours know, the arc is the successor's.
    Left,
}

/// From whom an arc came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// We began the ring.
    Created,
    /// Its holder handed it to us: it has the keys.
    GrantedBy(VirtualNode),
    /// Its holder left and handed it to us.
    LeftBy(VirtualNode),
    /// Its holder died: what we have of it is what replication gave us. None: nobody knows who held it.
    Inherited(Option<VirtualNode>),
}
