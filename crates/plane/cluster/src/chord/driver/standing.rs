//! Driver: where this machine stands: its places are kept on disk, and one that is taken is given up for another.

use std::collections::BTreeSet;

use ringway_ring::{Point, VirtualNode};
use tokio::time::Instant;
use tracing::{error, warn};

use super::Driver;
use crate::chord::places;

impl Driver {
    /// So that after a restart this machine comes back to its arcs.
    pub(super) fn keep_places(&self) {
        if let Err(why) = places::save(&self.deps.dir, &self.wanted) {
            error!(%why, "places on the ring cannot be kept: after a restart this node joins with others");
        }
    }

    /// Instead of `at`, where somebody else stands.
    pub(super) fn draw_another(&mut self, at: Point, by: VirtualNode) {
        if by.node == self.deps.own {
            error!(
                point = at.0,
                "another machine stands on the ring with this node's identity: was its data directory copied?"
            );
        }
        let mut taken: BTreeSet<Point> = self.others.values().flat_map(|(points, _)| points).copied().collect();
        taken.extend(&self.wanted);
        taken.insert(by.point);
        self.wanted.remove(&at);
        self.shared.hosted().remove(at);
        match places::draw(&taken) {
            Some(point) => {
                let (place, instead) = (format!("{:016x}", at.0), format!("{:016x}", point.0));
                warn!(place, taken_by = ?by, instead, "place on the ring is taken: another is drawn");
                self.wanted.insert(point);
            }
            None => error!("no place on the ring is free: this node stands on fewer"),
        }
        self.keep_places();
        self.enter_again(Instant::now());
    }
}
