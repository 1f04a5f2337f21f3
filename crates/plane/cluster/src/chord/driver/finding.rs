//! Driver: lookups for whoever waits here: the virtual node next before the key asks around, its answer finds back by a ticket.

use ringway_ring::chord::Input;
use ringway_ring::{Point, VirtualNode};
use tokio::sync::oneshot;

use super::Driver;
use crate::chord::hosted::{Effects, FoundOwner};

impl Driver {
    pub(super) fn look_up(&mut self, key: Point, reply: oneshot::Sender<Option<VirtualNode>>, effects: &mut Effects) {
        let Some(from) = self.shared.hosted().nearest_before(key) else {
            let _ = reply.send(None);
            return;
        };
        self.next_ticket += 1;
        self.tickets.retain(|_, waiting| !waiting.is_closed());
        self.tickets.insert(self.next_ticket, reply);
        let input = Input::Lookup { ticket: self.next_ticket, key };
        let now = self.now();
        self.shared.hosted().give(now, from, input, effects);
    }

    pub(super) fn answer(&mut self, found: &FoundOwner) {
        if let Some(waiting) = self.tickets.remove(&found.ticket) {
            // Who has stopped waiting does not want it.
            let _ = waiting.send(found.owner);
        }
    }
}
