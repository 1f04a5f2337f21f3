//! Core: Chord as corrected by Zave: how the nodes of a ring find their neighbours, keep them, and hand arcs to each other, with
//! nobody above them.
//!
//! **The intuition.** People stand in a circle in the dark, each with a hand on the shoulder of the next. If somebody faints, the hand
//! has to find the one after; so each also remembers the next few (the successor list). Now and then everybody asks his neighbour
//! "whom do you hold, and who holds you?", and so learns of newcomers and of the fainted. All the care is about asking in the right
//! order, and about never taking a hand that has not just moved.
//!
//! **Where it is from.** Stoica et al., "Chord" (SIGCOMM 2001), for the ring, the lists and the fingers. Its maintenance loses the
//! ring: `tests/chord/checks.rs` finds it broken after one join and two failures, in six steps. Zave, "Reasoning about Identifier
//! Spaces: How to Make Chord Correct" (IEEE TSE 2017, arXiv 1610.01140), has the operations that are proved, and verdi-chord (Coq,
//! 2018) their messages:
//! - *join* ([`place`]): through the predecessor, which says itself that the place is behind it, and gives its whole list.
//! - *stabilise* ([`stabilise`]), in two steps: first the successor's list, then, if its predecessor is nearer, that one's; nobody is
//!   adopted who has not just answered.
//! - *rectify* ([`rectify`]): a farther notifier becomes the predecessor only if ours is dead.
//! - *Busy*: while a node waits for such an answer its own state is undefined. It says so, keeps the question, and answers later.
//! - Lists have always L entries. A place that a dead node leaves at the end stays empty, which to a reader is the same as Zave's
//!   identifier that nobody has.
//!
//! **What is added here**, since the proof stops there:
//! - *Ownership* ([`estate`], `node/owning.rs`): pointers route, arcs own. An arc is handed over like a baton, so that each point has
//!   at most one owner; [`ChordNode::owns`] ends every lookup. A newcomer owns (predecessor, itself] from when its successor's grant
//!   reaches it (`Event::Joined`); the arc of a dead node is its successor's from the verdict on.
//! - *Young rings* ([`young`]): the proof needs L + 1 members. With fewer, everybody on the gossiped table who answers is on
//!   everybody's list; a node that has lost all its successors takes the next of the table; and so do two rings, side by side, that
//!   a partition has left. The model checker finds the rule without it broken, and with it whole.
//! - *Waiting in a circle*: if everybody asks his successor at the same moment, all are `Busy`. Whoever waits for a lower point gives
//!   up his round.
//! - *Lives*: a node that comes back has a larger incarnation. What is known of the earlier one is then dead; of two machines with one
//!   identity the later wins, and the earlier hears `Replaced` and stops (`Event::PointTaken` by itself). So does a node that comes
//!   back with an older clock: it has to be started with a larger number.
//! - *Clocks* may stand still, go back or leap. After a leap a node owns nothing until its successor says that it still knows it.
//!
//! **What it does not do.** It moves no keys: it tells whose they are ([`Event`]). It does not detect failures but by unanswered
//! questions and by what it is told (`Input::Down`). A verdict that is wrong, and a partition, make two owners of an arc until they
//! hear of each other: this is for data that merges. It is no defence against nodes that lie; transports are authenticated.
//!
//! The node is a core: the live driver and the simulator run the same. The decisions of join, stabilise and rectify are functions
//! apart, over lists of anything, and the model checker runs these.

mod clock;
pub mod config;
mod dice;
pub mod estate;
pub mod input;
pub mod key_arc;
mod lives;
pub mod message;
pub mod node;
pub mod output;
pub mod place;
pub mod rectify;
mod requests;
pub mod stabilise;
mod table;
pub mod young;

pub use config::{ChordConfig, HandOver};
pub use input::Input;
pub use key_arc::KeyArc;
pub use message::{Body, Grant, Message};
pub use node::ChordNode;
pub use output::{Event, Output, Source};

/// One step of a lookup, between the nodes of a ring.
pub type Step = crate::router::Step<crate::VirtualNode>;
