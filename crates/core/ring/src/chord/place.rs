//! Core: join, the decision alone: whether a member is the one before us, and whom to ask if not.

use crate::router::Peer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed<P> {
    /// Our place is between this member and its first successor.
    Here,
    /// Not here: ask this one.
    Ask(P),
    /// Somebody stands on our point: ourselves in a former life, or another.
    Taken(P),
    /// The member has no answer now.
    Nowhere,
}

/// What the state of `member` says about the place of `own`.
pub fn place<P: Peer>(own: P, member: P, predecessor: Option<P>, list: &[P]) -> Placed<P> {
    let head = list.first().copied().unwrap_or(member);
    let here = own.point();
    if let Some(taken) = [member, head].into_iter().find(|peer| peer.point() == here) {
        return Placed::Taken(taken);
    }
    if here.is_between(member.point(), head.point()) {
        return Placed::Here;
    }
    if let Some(before) = predecessor.filter(|before| here.is_between(before.point(), member.point())) {
        return Placed::Ask(before);
    }
    let preceding = list.iter().rev().find(|peer| peer.point().is_between(member.point(), here));
    preceding.map_or(Placed::Nowhere, |peer| Placed::Ask(*peer))
}

/// The list of a joiner: that of the member before it. A ring of one has none to give: then the member itself.
pub fn list_of_joiner<P: Peer + PartialEq>(own: P, member: P, its: &[P], length: usize) -> Vec<P> {
    match its.split_first() {
        None => vec![member],
        Some((head, rest)) => super::stabilise::list_behind(own, *head, rest, length),
    }
}
