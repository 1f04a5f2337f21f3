//! Driver: getting out, for good: out of the ring with all places, then, once its data is elsewhere, out of the cluster.

use std::time::Duration;

use ringway_catalog::Command;
use ringway_ring::Point;
use ringway_ring::chord::Input;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, info};

use super::{Driver, Stage};
use crate::chord::hosted::Effects;

const EMPTIED_CHECK_EVERY: Duration = Duration::from_millis(200);
/// Longer than a proposal takes at most.
const RESIGN_EVERY: Duration = Duration::from_secs(6);

impl Driver {
    pub(super) fn depart(&mut self, reply: oneshot::Sender<()>, effects: &mut Effects) {
        self.departing.push(reply);
        if matches!(self.stage, Stage::Departing { .. }) {
            return;
        }
        // Those that are still joining as well: else they would get in behind our back.
        let points = self.shared.hosted().points();
        info!(places = points.len(), "leaving the ring");
        self.stage = Stage::Departing { until_left: points.iter().copied().collect() };
        let now = self.now();
        for point in points {
            self.shared.hosted().give(now, point, Input::Leave, effects);
        }
        if matches!(&self.stage, Stage::Departing { until_left } if until_left.is_empty()) {
            self.end_departure();
        }
    }

    pub(super) fn note_left(&mut self, at: Point) {
        let Stage::Departing { until_left } = &mut self.stage else { return };
        until_left.remove(&at);
        if until_left.is_empty() {
            self.end_departure();
        }
    }

    /// What this machine had is elsewhere.
    pub(super) fn note_emptied(&mut self) {
        if let Stage::Departed { emptied, check_at } = &mut self.stage {
            (*emptied, *check_at) = (true, Instant::now());
        }
    }

    /// Out of the cluster, once the others can decide without this node.
    pub(super) fn resign(&mut self) {
        let own = self.deps.own;
        let seats = self.deps.group.seats();
        let is_needed = seats.joint || seats.voters.contains(&own);
        if let Stage::Departed { check_at, .. } = &mut self.stage {
            *check_at = Instant::now() + if is_needed { EMPTIED_CHECK_EVERY } else { RESIGN_EVERY };
        }
        if is_needed {
            return;
        }
        let proposal = self.deps.control_log.propose(Command::Remove { node: own });
        self.tasks.spawn("resignation", async move {
            if let Err(why) = proposal.await {
                debug!(%why, "this node is not out of the cluster yet");
            }
        });
    }

    fn end_departure(&mut self) {
        // The places stay to say that they are in no ring: else whoever still knows them would wait for an answer.
        info!("out of the ring");
        self.tell_all();
        self.stage = Stage::Departed { emptied: false, check_at: Instant::now() };
        for waiting in self.departing.drain(..) {
            // Who has stopped waiting does not want to know.
            let _ = waiting.send(());
        }
    }
}
