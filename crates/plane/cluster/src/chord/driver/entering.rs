//! Driver: getting in: asks the others where they stand, and does what [`enter`] decides from their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use ringway_ring::chord::Input;
use ringway_ring::{NodeId, Point, VirtualNode};
use ringway_rt::random;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Driver, Stage};
use crate::chord::enter::{self, Entry, Seen};
use crate::chord::hosted::Effects;
use crate::chord::port::Shared;

/// Between attempts to enter.
const ENTER_EVERY: Duration = Duration::from_millis(300);
/// How long a member must be down to be left out of the question who founds: it may be just starting.
const DOWN_FOR: Duration = Duration::from_secs(3);

impl Driver {
    pub(super) fn ask_others(&mut self) {
        let catalog = self.catalog();
        let members: BTreeSet<NodeId> = catalog.nodes.keys().copied().collect();
        let down = self.down.iter().filter(|(_, since)| since.elapsed() >= DOWN_FOR).map(|(node, _)| *node).collect();
        let own = self.deps.own;
        let inside = self.shared.hosted().joined().into_iter().map(|point| VirtualNode { point, node: own });
        let answered: BTreeMap<NodeId, Vec<VirtualNode>> = [(own, inside.collect())].into();
        let seen = Seen { own, members, down, answered };
        self.stage = Stage::Asking(ask_all(self.shared.clone(), seen).boxed());
    }

    pub(super) fn enter(&mut self, seen: &Seen) {
        let mut effects = Effects::default();
        self.stage = match enter::decide(seen) {
            Entry::Wait => Stage::Outside { ask_at: Instant::now() + ENTER_EVERY },
            Entry::Found => {
                self.found(&mut effects);
                Stage::Inside
            }
            Entry::Join(known) => {
                self.give_up_taken(&known);
                self.join(&known, &mut effects);
                Stage::Inside
            }
        };
        self.perform(effects);
    }

    pub(super) fn note_join_failed(&mut self, at: Point) {
        warn!(place = format!("{:016x}", at.0), "nobody let this node into the ring: asking again");
        self.shared.hosted().remove(at);
        self.enter_again(Instant::now() + ENTER_EVERY);
    }

    /// With the places that are not in the ring. Who is on the way in or out anyhow goes on as it does.
    pub(super) fn enter_again(&mut self, ask_at: Instant) {
        if matches!(self.stage, Stage::Inside) {
            self.stage = Stage::Outside { ask_at };
        }
    }

    fn give_up_taken(&mut self, known: &[VirtualNode]) {
        let own = self.deps.own;
        let is_taken = |way: &&VirtualNode| way.node != own && self.wanted.contains(&way.point);
        let taken: Vec<VirtualNode> = known.iter().filter(is_taken).copied().collect();
        for by in taken {
            self.draw_another(by.point, by);
        }
    }

    fn found(&mut self, effects: &mut Effects) {
        let Some(first) = self.wanted.first().copied() else { return };
        info!(places = self.wanted.len(), "no member is in a ring: this node begins one");
        let now = self.now();
        self.shared.hosted().add(first, random::number());
        self.shared.hosted().give(now, first, Input::Create, effects);
        self.join(&[VirtualNode { point: first, node: self.deps.own }], effects);
    }

    /// With all places that are in no ring yet.
    fn join(&mut self, known: &[VirtualNode], effects: &mut Effects) {
        let now = self.now();
        let mut hosted = self.shared.hosted();
        let here: BTreeSet<Point> = hosted.points().into_iter().collect();
        let missing: Vec<Point> = self.wanted.difference(&here).copied().collect();
        info!(places = missing.len(), "joining the ring");
        for point in missing {
            let known = known[random::number() as usize % known.len()];
            hosted.add(point, random::number());
            hosted.give(now, point, Input::Join { known }, effects);
        }
    }
}

/// All members at once. Whoever does not answer is missing in `answered`.
async fn ask_all(shared: Arc<Shared>, mut seen: Seen) -> Seen {
    let others: Vec<NodeId> = seen.members.iter().copied().filter(|node| *node != seen.own).collect();
    let answers = join_all(others.iter().map(|node| shared.ask_places(*node))).await;
    for (node, places) in others.into_iter().zip(answers) {
        if let Some(places) = places {
            seen.answered.insert(node, places);
        }
    }
    seen
}
