//! Core: rectify, the decision alone: what a notification means for our predecessor.

use crate::router::Peer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rectify {
    /// The notifier is our predecessor already.
    Known,
    /// It is nearer (or we have none): take it.
    Adopt,
    /// It is farther: take it only if our predecessor is dead.
    Check,
}

pub fn rectify<P: Peer + PartialEq>(own: P, predecessor: Option<P>, notifier: P) -> Rectify {
    match predecessor {
        None => Rectify::Adopt,
        Some(predecessor) if predecessor == notifier => Rectify::Known,
        Some(predecessor) if notifier.point().is_between(predecessor.point(), own.point()) => Rectify::Adopt,
        Some(_) => Rectify::Check,
    }
}
