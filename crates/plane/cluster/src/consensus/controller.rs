//! Keeps the consensus group as the catalog wants it, and the ring whole: [`next_step`] and [`next_ring_step`] decide (core),
//! [`run`] does it on the leader (driver).
//!
//! One change at a time, each of which may be repeated without harm: a leader that dies in the middle leaves the rest to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ringway_catalog::{Catalog, Command, LAYOUT_REPLICAS, NodeState, Stamped};
use ringway_ports::{Membership, Reach};
use ringway_ring::NodeId;
use ringway_rt::random;
use tokio::time::Instant;
use tracing::{info, warn};

use super::group::{Group, Seats};
use super::types::Proposal;
use super::voters::{self, Candidate, Fitness};
use crate::roster::Roster;
use crate::wall_clock::WallClock;

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A voter that is down for longer loses its seat if another node can have it.
const REPLACE_AFTER: Duration = Duration::from_secs(60);
const STEP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    AddLearners(BTreeSet<NodeId>),
    SetVoters(BTreeSet<NodeId>),
    DropLearners(BTreeSet<NodeId>),
    /// It has given everything away.
    Remove(NodeId),
    /// It has been down for so long that what it holds is copied elsewhere.
    GiveUp(NodeId),
    /// It was given up and is there again.
    TakeBack(NodeId),
}

/// What is to be done next, if anything.
fn next_step(catalog: &Catalog, seats: &Seats, fitness: impl Fn(NodeId) -> Fitness) -> Option<Step> {
    let members: BTreeSet<NodeId> = catalog.nodes.keys().copied().collect();
    let seated: BTreeSet<NodeId> = seats.voters.union(&seats.learners).copied().collect();
    let missing: BTreeSet<NodeId> = members.difference(&seated).copied().collect();
    if !missing.is_empty() && !seats.joint {
        return Some(Step::AddLearners(missing));
    }
    let active = catalog.nodes.values().filter(|node| node.is_active());
    let candidates: Vec<Candidate> =
        active.map(|node| Candidate { id: node.id, zone: node.zone.clone(), fitness: fitness(node.id) }).collect();
    let fit =
        |id: &NodeId| seats.voters.contains(id) || (seats.caught_up.contains(id) && fitness(*id) == Fitness::Reachable);
    let mut wanted = voters::choose(&candidates, &seats.voters);
    let has_leaving = seats.voters.iter().any(|voter| candidates.iter().all(|candidate| candidate.id != *voter));
    if has_leaving && !wanted.iter().all(fit) {
        // A voter that goes does not wait for a dead node to take its seat: fewer vote for a while.
        let present: Vec<Candidate> = candidates.iter().filter(|candidate| fit(&candidate.id)).cloned().collect();
        wanted = voters::choose(&present, &seats.voters);
    }
    if seats.joint || (wanted != seats.voters && !wanted.is_empty() && wanted.iter().all(fit)) {
        return Some(Step::SetVoters(wanted));
    }
    let gone: BTreeSet<NodeId> = seats.learners.difference(&members).copied().collect();
    if !gone.is_empty() {
        return Some(Step::DropLearners(gone));
    }
    if catalog.ring.is_chord() {
        // Only the node itself knows when it has given everything away.
        return None;
    }
    let leaving = catalog.nodes.values().filter(|node| node.state == NodeState::Leaving).map(|node| node.id);
    leaving.into_iter().find(|id| !seats.voters.contains(id) && !catalog.is_holder(*id)).map(Step::Remove)
}

/// Whom the ring has to do without, or has again. `down_for`: how long a node has not been reachable; `None`: it is.
fn next_ring_step(catalog: &Catalog, down_for: impl Fn(NodeId) -> Option<Duration>) -> Option<Step> {
    if catalog.ring.is_chord() {
        return None;
    }
    let in_state = |state| catalog.nodes.values().filter(move |node| node.state == state).map(|node| node.id);
    if let Some(back) = in_state(NodeState::Away).find(|id| down_for(*id).is_none()) {
        return Some(Step::TakeBack(back));
    }
    // With so few nodes each has a copy of everything: there is nobody to make another.
    if in_state(NodeState::Active).count() <= LAYOUT_REPLICAS {
        return None;
    }
    let patience = Duration::from_millis(catalog.ring_settings.replace_after_ms);
    in_state(NodeState::Active).find(|id| down_for(*id).is_some_and(|down| down >= patience)).map(Step::GiveUp)
}

/// Until told to stop.
pub async fn run(
    own_id: NodeId,
    group: Group,
    roster: Arc<Roster>,
    membership: Arc<dyn Membership>,
    clock: WallClock,
    stop: tokio_util::sync::CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut down_since: BTreeMap<NodeId, Instant> = BTreeMap::new();
    let mut known_seats = Seats::default();
    // A newcomer is a learner at once: what is sent to it before that, it cannot place yet.
    let mut changes = group.view().catalog.clone();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            Ok(()) = changes.changed() => {}
        }
        let seats = group.seats();
        if seats.voters != known_seats.voters || seats.learners != known_seats.learners {
            roster.set_group(seats.voters.union(&seats.learners).copied().collect());
            known_seats = seats.clone();
        }
        let leads = group.is_leader();
        metrics::gauge!("ringway_cluster_leader").set(if leads { 1.0 } else { 0.0 });
        if !leads {
            down_since.clear();
            continue;
        }
        let reachable = membership.watch().borrow().clone();
        note_down(&mut down_since, &reachable, &seats, own_id);
        let fitness = |id: NodeId| match down_since.get(&id) {
            _ if id == own_id => Fitness::Reachable,
            Some(since) if since.elapsed() > REPLACE_AFTER => Fitness::Lost,
            Some(_) => Fitness::Away,
            None if reachable.get(&id) == Some(&Reach::Up) => Fitness::Reachable,
            None => Fitness::Away,
        };
        let catalog = group.view().catalog.borrow().clone();
        let down_for = |id: NodeId| down_since.get(&id).map(Instant::elapsed);
        let step = next_ring_step(&catalog, down_for).or_else(|| next_step(&catalog, &seats, fitness));
        let Some(step) = step else { continue };
        info!(?step, "changing the cluster");
        match tokio::time::timeout(STEP_WITHIN, take(&group, &clock, step)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => warn!(why, "the cluster could not be changed, will try again"),
            Err(_) => warn!("changing the cluster takes long, will look again"),
        }
    }
}

async fn take(group: &Group, clock: &WallClock, step: Step) -> Result<(), String> {
    match step {
        Step::AddLearners(ids) => group.add_learners(&ids).await,
        Step::SetVoters(ids) => group.set_voters(&ids).await,
        Step::DropLearners(ids) => group.drop_learners(&ids).await,
        Step::Remove(node) => write(group, clock, Command::Remove { node }).await,
        Step::GiveUp(node) => write(group, clock, Command::GiveUp { node }).await,
        Step::TakeBack(node) => write(group, clock, Command::TakeBack { node }).await,
    }
}

async fn write(group: &Group, clock: &WallClock, command: Command) -> Result<(), String> {
    let stamped = Stamped { now_ms: clock.now_ms(), command };
    let written = group.write(Proposal { number: random::number(), stamped }).await;
    written.map(|_| ()).map_err(|e| format!("{e:?}"))
}

fn note_down(
    down_since: &mut BTreeMap<NodeId, Instant>,
    reachable: &BTreeMap<NodeId, Reach>,
    seats: &Seats,
    own_id: NodeId,
) {
    for id in seats.voters.union(&seats.learners).filter(|id| **id != own_id) {
        match reachable.get(id) {
            Some(Reach::Up | Reach::Suspect) => {
                down_since.remove(id);
            }
            Some(Reach::Down) | None => {
                down_since.entry(*id).or_insert_with(Instant::now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
