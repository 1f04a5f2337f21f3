//! Core: what a node does with the members that gossip shows.
//!
//! The proof of the corrected protocol needs L + 1 members that nobody skips. A ring begins with one. Among so few, all of a list
//! may be dead while others live, and no list leads back. So a young ring does not rely on lists alone: everybody on the gossiped
//! table, once it has answered, belongs on the list of everybody else; and a node without any live successor takes the next of the
//! table, in a ring of any size. The table also shows the other ring to two rings that a partition has left side by side.

use crate::router::Peer;

/// Whether lists must be filled from the table: fewer than L + 1 members are known (ourselves among them).
pub fn is_young(members: usize, length: usize) -> bool {
    members <= length
}

/// The next of the table (sorted clockwise from `own`) that is missing from the list of a young ring.
pub fn missing<P: Peer + PartialEq>(own: P, list: &[P], table: &[P]) -> Option<P> {
    table.iter().copied().find(|peer| peer.point() != own.point() && !list.contains(peer))
}

/// The first of the table between us and our successor; anybody, if we have none.
pub fn nearer_member<P: Peer>(own: P, head: Option<P>, table: &[P]) -> Option<P> {
    let end = head.map_or(own.point(), |head| head.point());
    table.iter().copied().find(|peer| peer.point().is_between(own.point(), end))
}

/// The list with a live member put in its place.
pub fn list_with<P: Peer + PartialEq>(own: P, list: &[P], peer: P, length: usize) -> Vec<P> {
    let away = |peer: P| own.point().distance_to(peer.point());
    let mut longer = list.to_vec();
    if peer.point() != own.point() && !longer.contains(&peer) {
        let at = longer.iter().position(|other| away(*other) > away(peer)).unwrap_or(longer.len());
        longer.insert(at, peer);
        longer.truncate(length);
    }
    longer
}
