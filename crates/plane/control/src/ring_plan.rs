//! Core: what a change of the ring would move, from the agreed catalog and what the nodes measured.
//!
//! Which copies of partitions move is the catalog's to say ([`ringway_catalog::ring_plan`]: the function that makes the change);
//! here they get their keys, bytes and minutes. The yardsticks are the ideal (K/N for a join) and `node[H % N]`, which knows no
//! yesterday.

use std::collections::{BTreeMap, BTreeSet};

use ringway_catalog::ring_plan::{plan_all, plan_places};
use ringway_catalog::{Catalog, NodeState, Refusal};
use ringway_ring::{Layout, NodeId, PARTITION_COUNT, Partition, VirtualNode};

use crate::api::{CopiesLeft, KeysHeld, KillPlan, Moved, NodeRef, PlanLoad, PlanMove, PlanNode, RingPlan, TakenOver};

/// Nodes that may be asked for at once.
pub const JOIN_MAX: usize = 64;

/// Who comes and who goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub join: usize,
    pub leave: BTreeSet<NodeId>,
    pub kill: BTreeSet<NodeId>,
}

/// Keys and bytes in each partition, one copy.
pub type Loads = BTreeMap<Partition, KeysHeld>;

/// The rows of a table: who holds each partition, primary first.
struct Rows(Vec<Vec<NodeId>>);

impl Rows {
    fn of(layout: &Layout) -> Self {
        Self(Partition::all().map(|partition| layout.owners(partition).collect()).collect())
    }

    /// `node[H % N]`, and its next neighbours in the list for the copies.
    fn modulo(nodes: &[NodeId], copies: usize) -> Self {
        let count = nodes.len().max(1);
        let row = |partition: Partition| {
            let hash = u64::from(partition.0).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
            let first = (hash % count as u64) as usize;
            (0..copies.min(nodes.len())).map(|copy| nodes[(first + copy) % count]).collect()
        };
        Self(Partition::all().map(row).collect())
    }

    fn moved_to(&self, then: &Rows, loads: &Loads) -> Moved {
        let mut moved = Moved::default();
        for partition in Partition::all() {
            let (before, after) = (&self.0[partition.index()], &then.0[partition.index()]);
            let copies = after.iter().filter(|node| !before.contains(node)).count() as u64;
            moved.add(loads.get(&partition), copies);
        }
        moved
    }

    fn held_by(&self, node: NodeId, loads: &Loads) -> PlanLoad {
        let mut sum = PlanLoad::default();
        for partition in Partition::all() {
            let Some(place) = self.0[partition.index()].iter().position(|owner| *owner == node) else { continue };
            let load = loads.get(&partition).copied().unwrap_or_default();
            sum.held += 1;
            sum.primary += u64::from(place == 0);
            sum.load = KeysHeld { keys: sum.load.keys + load.keys, bytes: sum.load.bytes + load.bytes };
        }
        sum
    }
}

impl Moved {
    fn add(&mut self, load: Option<&KeysHeld>, copies: u64) {
        let load = load.copied().unwrap_or_default();
        self.partitions += copies;
        self.keys += load.keys * copies;
        self.bytes += load.bytes * copies;
    }
}

/// What `change` would do to the ring of `catalog`; `places`: where its virtual nodes stand, if it is peer to peer.
pub fn plan(catalog: &Catalog, places: &[VirtualNode], change: &Change, loads: &Loads) -> Result<RingPlan, Refusal> {
    let agreed = match catalog.ring.is_chord() {
        true => plan_places(catalog, places, &changes(change))?,
        false => plan_all(catalog, &changes(change))?,
    };
    let settings = catalog.ring_settings;
    let (now, then) = (Rows::of(&agreed.before), Rows::of(&agreed.after));
    let names = Names { catalog, newcomers: newcomers(catalog, &agreed.joining) };
    let mut moves: Moves = BTreeMap::new();
    for flow in &agreed.flows {
        let moved = moves.entry((flow.from, flow.to)).or_default();
        flow.partitions.iter().for_each(|partition| moved.add(loads.get(partition), 1));
    }
    let moved = now.moved_to(&then, loads);
    let ideal = ideal(agreed.ideal, loads);
    let modulo = modulo(&agreed.before, &agreed.after, loads);
    let minutes = slowest(&moves, settings.transfer_rate);
    Ok(RingPlan {
        change: told(change, &names),
        epoch: catalog.epoch,
        replicas_now: agreed.before.replicas(),
        replicas_then: agreed.after.replicas(),
        nodes: nodes(&names, change, (&now, &then), &moves, loads),
        moves: moves
            .iter()
            .map(|((from, to), moved)| PlanMove { from: names.of(*from), to: names.of(*to), moved: *moved })
            .collect(),
        moved_over_ideal: agreed.moved_over_ideal(),
        modulo_over_ideal: ratio(modulo, ideal),
        moved,
        ideal,
        modulo,
        transfer_rate: settings.transfer_rate,
        minutes,
        kill: change.kill.first().map(|node| {
            let whole = (agreed.after.replicas() == agreed.before.replicas()).then(|| minutes.unwrap_or(0.0));
            kill_plan(&names, *node, &change.kill, &now, whole)
        }),
        unmeasured: Vec::new(),
    })
}

fn changes(change: &Change) -> Vec<ringway_catalog::Change> {
    let join = (change.join > 0).then_some(ringway_catalog::Change::Join { count: change.join });
    let leave = change.leave.iter().map(|node| ringway_catalog::Change::Leave { node: *node });
    let kill = change.kill.iter().map(|node| ringway_catalog::Change::Kill { node: *node });
    join.into_iter().chain(leave).chain(kill).collect()
}

/// Names that are free for nodes that are not there yet.
fn newcomers(catalog: &Catalog, joining: &[NodeId]) -> BTreeMap<NodeId, String> {
    let taken: BTreeSet<&str> = catalog.nodes.values().map(|node| node.name.as_str()).collect();
    let names = (1..).map(|number| format!("new-{number}")).filter(|name| !taken.contains(name.as_str()));
    joining.iter().copied().zip(names).collect()
}

type Moves = BTreeMap<(NodeId, NodeId), Moved>;

struct Names<'a> {
    catalog: &'a Catalog,
    newcomers: BTreeMap<NodeId, String>,
}

impl Names<'_> {
    fn of(&self, id: NodeId) -> String {
        let new = self.newcomers.get(&id).cloned();
        new.or_else(|| self.catalog.nodes.get(&id).map(|node| node.name.clone())).unwrap_or_else(|| id.short())
    }
}

fn told(change: &Change, names: &Names<'_>) -> String {
    let listed = |nodes: &BTreeSet<NodeId>| nodes.iter().map(|id| names.of(*id)).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    match change.join {
        0 => {}
        1 => parts.push("1 node joins".to_owned()),
        count => parts.push(format!("{count} nodes join")),
    }
    if !change.leave.is_empty() {
        let verb = if change.leave.len() == 1 { "leaves" } else { "leave" };
        parts.push(format!("{} {verb}", listed(&change.leave)));
    }
    if !change.kill.is_empty() {
        let verb = if change.kill.len() == 1 { "dies" } else { "die" };
        parts.push(format!("{} {verb}", listed(&change.kill)));
    }
    parts.join(", ")
}

/// So many copies of partitions that hold what the mean one does.
fn ideal(partitions: usize, loads: &Loads) -> Moved {
    let part = |total: u64| (u128::from(total) * partitions as u128 / PARTITION_COUNT as u128) as u64;
    Moved {
        partitions: partitions as u64,
        keys: part(loads.values().map(|load| load.keys).sum()),
        bytes: part(loads.values().map(|load| load.bytes).sum()),
    }
}

fn modulo(now: &Layout, then: &Layout, loads: &Loads) -> Moved {
    Rows::modulo(now.members(), now.replicas()).moved_to(&Rows::modulo(then.members(), then.replicas()), loads)
}

fn ratio(moved: Moved, ideal: Moved) -> Option<f64> {
    (ideal.partitions > 0).then(|| moved.partitions as f64 / ideal.partitions as f64)
}

/// All fetch at the same time: the one with the most is done last.
fn slowest(moves: &Moves, rate: u64) -> Option<f64> {
    let mut fetches: BTreeMap<NodeId, u64> = BTreeMap::new();
    moves.iter().for_each(|((_, to), moved)| *fetches.entry(*to).or_default() += moved.bytes);
    fetches.values().max().map(|bytes| *bytes as f64 / rate.max(1) as f64 / 60.0)
}

fn nodes(
    names: &Names<'_>,
    change: &Change,
    (now, then): (&Rows, &Rows),
    moves: &Moves,
    loads: &Loads,
) -> Vec<PlanNode> {
    let ids = names.catalog.nodes.keys().copied().chain(names.newcomers.keys().copied());
    let is_away = |id: &NodeId| names.catalog.nodes.get(id).is_some_and(|node| node.state == NodeState::Away);
    let role = |id: &NodeId| match () {
        () if change.kill.contains(id) => "dies",
        () if change.leave.contains(id) => "leaves",
        () if is_away(id) => "is away",
        () if names.catalog.nodes.contains_key(id) => "stays",
        () => "joins",
    };
    let fetches = |id: NodeId| {
        let own = moves.iter().filter(|((_, to), _)| *to == id);
        own.fold(Moved::default(), |sum, (_, moved)| Moved {
            partitions: sum.partitions + moved.partitions,
            keys: sum.keys + moved.keys,
            bytes: sum.bytes + moved.bytes,
        })
    };
    let mut nodes: Vec<PlanNode> = ids
        .map(|id| PlanNode {
            name: names.of(id),
            role: role(&id).to_owned(),
            now: now.held_by(id, loads),
            then: then.held_by(id, loads),
            fetches: fetches(id),
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}

fn kill_plan(names: &Names<'_>, node: NodeId, dead: &BTreeSet<NodeId>, now: &Rows, minutes: Option<f64>) -> KillPlan {
    // In a peer-to-peer ring nobody waits for the dead.
    let settings = names.catalog.ring_settings;
    let replace_after_ms = if names.catalog.ring.is_chord() { 0 } else { settings.replace_after_ms };
    let mut taken_over: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut copies_left: BTreeMap<u64, u64> = BTreeMap::new();
    for row in now.0.iter().filter(|row| row.iter().any(|owner| dead.contains(owner))) {
        let mut alive = row.iter().filter(|owner| !dead.contains(owner));
        let first = alive.next();
        if let (Some(next), Some(primary)) = (first, row.first())
            && dead.contains(primary)
        {
            *taken_over.entry(*next).or_default() += 1;
        }
        *copies_left.entry(u64::from(first.is_some()) + alive.count() as u64).or_default() += 1;
    }
    let taken = taken_over.into_iter().map(|(by, partitions)| TakenOver { by: names.of(by), partitions });
    KillPlan {
        node: NodeRef { id: node, name: names.of(node) },
        taken_over: taken.collect(),
        copies_left: copies_left.into_iter().map(|(copies, partitions)| CopiesLeft { copies, partitions }).collect(),
        replace_after_ms,
        whole_after_minutes: minutes.map(|minutes| replace_after_ms as f64 / 60_000.0 + minutes),
    }
}

#[cfg(test)]
mod tests;
