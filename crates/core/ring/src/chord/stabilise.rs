//! Core: stabilise, the decisions alone. They are functions over lists, so that the node and the model checker run the same.
//!
//! A list that is shorter than L stands for one that is filled up with identifiers that nobody has: Zave appends `last + 1` for
//! every dead head, this code leaves the place empty. Whoever reads a list sees the same entries either way.

use crate::router::Peer;

/// The list of `own` once `head` has answered with `its` list: itself, then what it knows, never past `own` (where the circle of a
/// young ring closes), `length` entries at most.
pub fn list_behind<P: Peer + PartialEq>(own: P, head: P, its: &[P], length: usize) -> Vec<P> {
    let mut list = Vec::with_capacity(length);
    list.push(head);
    for peer in its {
        if list.len() == length || peer.point() == own.point() || list.contains(peer) {
            break;
        }
        list.push(*peer);
    }
    list
}

/// Who should be asked in the second step: the predecessor of our successor, if it stands between us. It is adopted only if it
/// answers: the published protocol adopts it unasked.
pub fn nearer<P: Peer>(own: P, head: P, predecessor_of_head: Option<P>) -> Option<P> {
    predecessor_of_head.filter(|peer| peer.point().is_between(own.point(), head.point()))
}

/// The list without a peer that is dead.
pub fn list_without<P: Peer + PartialEq>(list: &[P], dead: P) -> Vec<P> {
    list.iter().copied().filter(|peer| *peer != dead).collect()
}
