//! Driver: what other machines are told: messages of the protocol, one frame per peer and turn, and where this machine stands.

use std::time::Duration;

use ringway_ports::{Priority, Service};
use ringway_ring::NodeId;
use ringway_rt::random;
use tokio::time::Instant;
use tracing::info;

use super::Driver;
use crate::chord::wire::{Envelope, Packet, encode};

/// How often machines tell each other their places, beyond when these change.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// To how many at once.
const TELL_COUNT_MAX: usize = 16;

impl Driver {
    pub(super) fn send(&mut self, node: NodeId, envelopes: Vec<Envelope>) {
        if !self.shared.is_member(node) {
            if self.told_removed.insert(node) {
                info!(peer = %node.short(), "ring messages to a node that is no member any more are dropped");
            }
            return;
        }
        metrics::counter!("ringway_ring_messages_total").increment(envelopes.len() as u64);
        let body = encode(&Packet::Messages(envelopes));
        self.deps.peers.tell(node, Priority::Control, Service::Ring, body);
    }

    /// The own places, to members drawn at random: whoever missed the news hears it in time.
    pub(super) fn tell_some(&mut self) {
        self.tell_places(TELL_COUNT_MAX);
    }

    /// The own places have changed.
    pub(super) fn tell_all(&mut self) {
        self.tell_places(usize::MAX);
    }

    fn tell_places(&mut self, count_max: usize) {
        self.tell_at = Instant::now() + TELL_EVERY;
        let points = self.shared.hosted().joined();
        let catalog = self.catalog();
        let mut peers: Vec<NodeId> = catalog
            .nodes
            .values()
            .filter(|node| node.id != self.deps.own && !self.down.contains_key(&node.id))
            .map(|node| node.id)
            .collect();
        let skip = random::number() as usize % peers.len().max(1);
        peers.rotate_left(skip);
        let body = encode(&Packet::Places(points));
        for peer in peers.into_iter().take(count_max) {
            self.deps.peers.tell(peer, Priority::Control, Service::Ring, body.clone());
        }
    }
}
