//! Driver: what the virtual nodes of this machine report: into the log, and on to whom it concerns.

use ringway_ring::Point;
use ringway_ring::chord::Event;
use tracing::{debug, info, warn};

use super::Driver;

impl Driver {
    pub(super) fn note_event(&mut self, at: Point, event: Event) {
        let place = format_args!("{:016x}", at.0).to_string();
        match event {
            Event::Joined => {
                info!(place, "in the ring");
                self.has_news = true;
            }
            Event::Gained { arc, from } => info!(place, ?arc, ?from, "this node answers for an arc"),
            Event::Ceded { arc, to } => info!(place, ?arc, ?to, "an arc went to another node"),
            Event::PointTaken { by } => self.draw_another(at, by),
            Event::JoinFailed => self.note_join_failed(at),
            Event::Isolated if self.others.is_empty() => debug!(place, "a ring of this machine alone begins"),
            Event::Isolated => warn!(place, "no successor is alive: neighbours are taken from what members said"),
            Event::Merging { with } => info!(place, ?with, "two rings are being merged"),
            Event::Dropped { peer } => info!(place, ?peer, "a neighbour is gone"),
            Event::Left => self.note_left(at),
            Event::Ceding { .. } | Event::PredecessorChanged { .. } | Event::SuccessorsChanged { .. } => {
                debug!(place, ?event, "neighbours changed");
            }
        }
    }
}
