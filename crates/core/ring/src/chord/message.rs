//! Core: what the nodes of a ring say to each other.

use serde::{Deserialize, Serialize};

use crate::chord::KeyArc;
use crate::router::Step;
use crate::{Point, VirtualNode};

/// One message. It may be lost, doubled, delayed and overtaken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which life of the sender speaks. A node that comes back has another, later one.
    pub incarnation: u64,
    /// An answer bears the number of its question. A driver that asks on its own account (`Body::Step` of its own lookups) uses
    /// numbers from `Message::FOREIGN_IDS` and keeps the answers with such numbers from the core.
    pub id: u64,
    pub body: Body,
}

impl Message {
    /// The core's own numbers stay below.
    pub const FOREIGN_IDS: u64 = 1 << 63;
}

/// Questions and their answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Answered by `State` or `Busy`.
    GetState,
    State {
        predecessor: Option<VirtualNode>,
        successors: Vec<VirtualNode>,
    },
    /// "I am alive, I have your question, and I cannot answer yet": the asker's timer starts again.
    Busy,
    /// "I believe that you are my successor." `after`: where the sender's arc begins, if it has one. `predecessors`: who stands
    /// before the sender, nearest first. Both are for the successor to remember, should the sender die. Answered by `Notified`.
    Notify {
        after: Option<Point>,
        predecessors: Vec<VirtualNode>,
    },
    /// The answerer's predecessor and where its own arc begins.
    Notified {
        predecessor: Option<VirtualNode>,
        after: Option<Point>,
        grant: Option<Grant>,
    },
    /// Answered by `Pong` at once, whatever else happens.
    Ping,
    /// `member`: whether the sender is in a ring. `owner`: whether it owns anything. Without being asked: "what you asked is for members
    /// alone, and I am none."
    Pong {
        member: bool,
        owner: bool,
    },
    /// One step of a lookup. Answered by `StepReply`.
    Step {
        key: Point,
    },
    StepReply(Step<VirtualNode>),
    /// "I am going; you are my successor (and get my arc), or you are my predecessor." Answered by `LeaveNoted`.
    Leave {
        arc: Option<KeyArc>,
        predecessors: Vec<VirtualNode>,
        successors: Vec<VirtualNode>,
    },
    LeaveNoted,
    /// "A later life of you is in the ring": what two machines with one identity find out.
    Replaced {
        by: u64,
    },
}

/// "I have stopped to own `arc`, and you own it from now on." `beyond` stands where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub arc: KeyArc,
    pub beyond: Option<VirtualNode>,
}
