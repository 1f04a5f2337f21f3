//! Core: what a bucket promises and what it may lose, in sentences for those who have to decide whether that is enough.
//!
//! The rule: nothing is promised that a test does not hold the data tier to, and what may be lost is said with the event that it takes.
//! docs/buckets.md says the same at length.

use std::time::Duration;

use ringway_manifest::{Bucket as Spec, Consistency, Durability, Storage, show_duration};

use crate::api::{BucketOnNode, BucketWords, Reach};

/// Writes that arrive somewhere within this are as good as at once.
const STALE_MS: u64 = 1000;

/// How the copies of a bucket stand, counted in partitions (one, if its keys are together).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copies {
    /// Nodes that could hold copies.
    pub(crate) nodes: usize,
    pub(crate) partitions: usize,
    /// With fewer reachable copies than there could be.
    pub(crate) short: usize,
    /// With none.
    pub(crate) lost: usize,
}

pub(crate) fn words(spec: &Spec, copies: Copies, nodes: &[BucketOnNode]) -> BucketWords {
    let wanted = usize::from(spec.replicas);
    let (now, is_well) = now(spec, copies, nodes);
    BucketWords {
        promises: promises(spec, wanted.min(copies.nodes.max(1))),
        may_lose: may_lose(spec, wanted.min(copies.nodes.max(1))),
        now,
        is_well,
    }
}

fn promises(spec: &Spec, copies: usize) -> Vec<String> {
    let mut said = vec![level(spec.consistency)];
    said.push(match copies {
        1 => "one copy of each key, on one node".to_owned(),
        _ => format!(
            "{copies} copies of each key on as many nodes; a write is answered when all of them that are reachable have it"
        ),
    });
    said.push(match (spec.storage, spec.durability()) {
        (Storage::Memory, _) => "in memory: it lasts as long as one of the nodes with a copy runs".to_owned(),
        (Storage::Disk, Durability::Sync) => {
            "on disk before it is answered (fsync), on every reachable copy".to_owned()
        }
        (Storage::Disk, Durability::Batch) => {
            format!("with the operating system before it is answered, on disk within {}", batch())
        }
        (Storage::Disk, Durability::Memory) => "answered from memory, on disk a little later".to_owned(),
    });
    if spec.together {
        said.push(
            "all keys in one partition: transactions, scripts and commands on several keys take any of them".to_owned(),
        );
    } else {
        said.push(
            "transactions and scripts within one hash slot; MGET, MSET, DEL and their like on any keys".to_owned(),
        );
    }
    said
}

fn level(consistency: Consistency) -> String {
    match consistency {
        Consistency::Eventual => {
            "eventual: every node takes reads and writes; copies that came apart become equal again".to_owned()
        }
        other => other.to_string(),
    }
}

fn may_lose(spec: &Spec, copies: usize) -> Vec<String> {
    let all = match copies {
        1 => "the node with a key".to_owned(),
        2 => "both nodes with a key".to_owned(),
        many => format!("all {many} nodes with a key"),
    };
    let (fail, stop) = if copies == 1 { ("fails", "stops") } else { ("fail at once", "stop at once") };
    let mut said = Vec::new();
    match (spec.storage, spec.durability()) {
        (Storage::Memory, _) => {
            said.push(format!("everything of a key, when {all} {stop}"));
            said.push("what was used least, when a node's share of the limit is full".to_owned());
        }
        (Storage::Disk, Durability::Sync) => {
            said.push(format!("a key, when the disks of {all} are lost; nothing to a crash or a power cut"));
        }
        (Storage::Disk, Durability::Batch) => {
            let power = if copies == 1 { "the power of the node" } else { "the power of all nodes with a key" };
            said.push(format!("the last {}, when {power} {fail}; nothing, when processes are killed", batch()));
        }
        (Storage::Disk, Durability::Memory) => {
            said.push(format!(
                "the last few seconds, when the processes of {all} are killed at once or their power fails"
            ));
        }
    }
    if spec.consistency == Consistency::Eventual && copies > 1 {
        said.push(
            "of two writes to one string on both sides of a network partition, the earlier one; sets, hashes, lists, sorted sets and counters keep both"
                .to_owned(),
        );
    }
    said
}

/// And whether all of it is as it should be.
fn now(spec: &Spec, copies: Copies, nodes: &[BucketOnNode]) -> (Vec<String>, bool) {
    let wanted = usize::from(spec.replicas);
    let mut said = Vec::new();
    if copies.nodes < wanted {
        let (are, of) = (count(copies.nodes, "node"), count(wanted, "copy"));
        said.push(format!(
            "{are} for {of} of each key: {} until others join (`ringway token`)",
            count(copies.nodes.max(1), "copy")
        ));
    }
    let down: Vec<&str> = nodes
        .iter()
        .filter(|node| node.reach == Reach::Down && node.share.held > 0)
        .map(|node| node.node.name.as_str())
        .collect();
    if copies.lost > 0 {
        let part = part(copies.lost, copies.partitions);
        said.push(format!("{part} cannot be read or written: no node with a copy is reachable{}", down_are(&down)));
    }
    if copies.short > copies.lost {
        let part = part(copies.short - copies.lost, copies.partitions);
        said.push(format!("{part} have fewer copies than they should{}", down_are(&down)));
    }
    said.extend(nodes.iter().filter_map(|node| full(spec, node)));
    said.extend(behind(nodes));
    said.extend(damage(nodes));
    let is_well = said.is_empty();
    if is_well {
        let copies = count(wanted, "copy");
        said.push(format!("all is as it should be: {copies} of each key reachable, nobody behind"));
    }
    said.extend(staleness(nodes));
    (said, is_well)
}

fn down_are(down: &[&str]) -> String {
    match down {
        [] => String::new(),
        [one] => format!(" ({one} is down)"),
        many => format!(" ({} are down)", many.join(", ")),
    }
}

fn full(spec: &Spec, node: &BucketOnNode) -> Option<String> {
    let stats = node.stats.as_ref()?;
    // A memory bucket is full when it is used well.
    let is_full = spec.storage == Storage::Disk && stats.limit > 0 && stats.bytes >= stats.limit;
    is_full.then(|| {
        let name = &node.node.name;
        format!("{name} is full: writes are refused until keys go, or `ringway bucket set --limit` gives it more")
    })
}

fn behind(nodes: &[BucketOnNode]) -> Vec<String> {
    let mut owed = std::collections::BTreeMap::<&str, (u64, Option<u64>)>::new();
    for stats in nodes.iter().filter_map(|node| node.stats.as_ref()) {
        for (id, partitions) in &stats.behind {
            let Some(node) = nodes.iter().find(|node| node.node.id == *id) else { continue };
            let entry = owed.entry(&node.node.name).or_default();
            *entry = (entry.0.max(*partitions), entry.1.max(stats.lag_ms));
        }
    }
    let said = |(name, (partitions, lag_ms)): (&str, (u64, Option<u64>))| {
        let age = lag_ms.map(|ms| format!(", the oldest for {}", ms_shown(ms))).unwrap_or_default();
        format!("{name} lacks writes in {}{age}; they are brought to it", count(partitions as usize, "partition"))
    };
    owed.into_iter().map(said).collect()
}

fn damage(nodes: &[BucketOnNode]) -> Vec<String> {
    let said = |node: &BucketOnNode| {
        let stats = node.stats.as_ref().filter(|stats| stats.damaged > 0)?;
        let (name, lost) = (&node.node.name, stats.damaged.saturating_sub(stats.repaired));
        Some(match lost {
            0 => format!(
                "{name} found {} damaged entries on its disk and has them again from a copy: look at that disk",
                stats.damaged
            ),
            lost => format!(
                "{name} found {lost} damaged entries on its disk that no copy has brought back: look at that disk"
            ),
        })
    };
    nodes.iter().filter_map(said).collect()
}

/// Of reads at a copy that is not the first.
fn staleness(nodes: &[BucketOnNode]) -> Option<String> {
    let of = |get: fn(&ringway_ports::KvStats) -> Option<u64>| {
        nodes.iter().filter_map(|node| node.stats.as_ref()).filter_map(get).max()
    };
    let ever = of(|stats| stats.staleness_max_ms)?;
    let lately = of(|stats| stats.staleness_ms).unwrap_or(0);
    let told = if lately <= STALE_MS { "at most" } else { "up to" };
    Some(format!(
        "copies were {told} {} old in the last minute, {} at worst since they started",
        ms_shown(lately),
        ms_shown(ever)
    ))
}

fn batch() -> String {
    show_duration(Durability::BATCH_WITHIN)
}

fn ms_shown(ms: u64) -> String {
    match ms {
        0 => "less than 1ms".to_owned(),
        1..10_000 => show_duration(Duration::from_millis(ms)),
        _ => show_duration(Duration::from_secs(ms / 1000)),
    }
}

fn part(of: usize, all: usize) -> String {
    if of >= all { "all keys".to_owned() } else { format!("the keys of {of} of {all} partitions") }
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "copy") => format!("{number} copies"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests;
