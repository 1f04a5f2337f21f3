//! Core: who owns which arc, the decision alone.
//!
//! Pointers route, arcs own. A predecessor pointer may point too far or too near for a while, and the protocol is proved to mend
//! it; but if ownership followed the pointer, two nodes would answer for one key meanwhile. So the arc is a thing apart that is
//! handed from one node to the next, like the baton of a relay: whoever gives it away stops to own it before the other starts.

use crate::Point;
use crate::chord::KeyArc;

/// How the arc compares with the predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estate {
    Settled,
    /// The predecessor stands inside our arc: this part is to be handed to it.
    Cede(KeyArc),
    /// Points between the predecessor and us are nobody's, as far as we know. For them we wait.
    Gap,
}

/// `after`: where our arc begins; None if we have none. `predecessor`: None if unknown. `alone`: we have no successor either.
pub fn estate(own: Point, after: Option<Point>, predecessor: Option<Point>, alone: bool) -> Estate {
    match (after, predecessor) {
        (Some(after), Some(predecessor)) if predecessor == after => Estate::Settled,
        (Some(after), Some(predecessor)) if predecessor.is_between(after, own) => {
            Estate::Cede(KeyArc { after, until: predecessor })
        }
        (Some(after), None) if after == own && alone => Estate::Settled,
        _ => Estate::Gap,
    }
}

/// What remains to the heir of a node at `dead` that owned (`after`, `dead`] and had `next` before it: if `next` stands inside, the
/// dead node was handing the part up to it over, and may have done so.
pub fn inheritance(dead: Point, after: Point, next: Option<Point>) -> Point {
    next.filter(|next| next.is_between(after, dead)).unwrap_or(after)
}
