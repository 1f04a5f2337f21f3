//! Core: what is different between two frames of the ring, a line each.

use ringway_catalog::NodeState;
use ringway_control::api::{NodeView, Reach, RingFrame, TransferView};

use crate::output;

/// Steps in which a transfer's progress is told.
const STEPS: u64 = 4;

/// In the order of nodes, ring, transfers. Without a frame before: how things are.
pub fn changes(before: Option<&RingFrame>, now: &RingFrame) -> Vec<String> {
    let Some(before) = before else { return vec![state(now)] };
    let mut lines = nodes(before, now);
    lines.extend(places(before, now));
    lines.extend(moving(before, now));
    lines.extend(transfers(&before.transfers, &now.transfers));
    lines
}

fn state(now: &RingFrame) -> String {
    let nodes: Vec<String> =
        now.status.nodes.iter().map(|node| format!("{} {}", node.name, word(node.reach))).collect();
    let kind = now.ring.as_ref().map(|ring| ring.kind).unwrap_or_default();
    let ring = match &now.status.ring.moving {
        _ if kind.is_chord() => "peer to peer".to_owned(),
        Some(_) => format!("epoch {}, moving", now.status.ring.epoch),
        None => format!("epoch {}, settled", now.status.ring.epoch),
    };
    format!("{ring}: {}", nodes.join(", "))
}

fn nodes(before: &RingFrame, now: &RingFrame) -> Vec<String> {
    let of = |frame: &RingFrame, node: &NodeView| frame.status.nodes.iter().find(|other| other.id == node.id).cloned();
    let mut lines = Vec::new();
    for node in &now.status.nodes {
        let Some(old) = of(before, node) else {
            lines.push(format!("{} joins", node.name));
            continue;
        };
        if old.reach != node.reach {
            lines.push(format!("{} is {}", node.name, word(node.reach)));
        }
        if old.state != node.state {
            lines.push(format!("{} {}", node.name, verdict(node.state)));
        }
    }
    let gone = before.status.nodes.iter().filter(|node| of(now, node).is_none());
    lines.extend(gone.map(|node| format!("{} is out of the cluster", node.name)));
    lines
}

/// Of a peer-to-peer ring: who got or gave up places on it.
fn places(before: &RingFrame, now: &RingFrame) -> Vec<String> {
    let count = |frame: &RingFrame, name: &str| {
        let ring = frame.ring.as_ref()?;
        let place = ring.members.iter().position(|member| member.name == name)?;
        Some(ring.virtual_nodes.iter().filter(|own| usize::from(own.node) == place).count())
    };
    let mut lines = Vec::new();
    for node in &now.status.nodes {
        let (old, new) = (count(before, &node.name).unwrap_or(0), count(now, &node.name).unwrap_or(0));
        if old != new {
            lines.push(format!("{} has {new} virtual nodes on the ring", node.name));
        }
    }
    lines
}

fn moving(before: &RingFrame, now: &RingFrame) -> Option<String> {
    match (&before.status.ring.moving, &now.status.ring.moving) {
        (None, Some(moving)) => Some(format!(
            "the ring moves to epoch {}: {} copies of partitions, waiting for {}",
            moving.to_epoch,
            moving.copies_total,
            moving.waiting_for.join(", ")
        )),
        (Some(_), Some(_)) => None,
        // It may have moved between two frames.
        (None, None) if before.status.ring.epoch == now.status.ring.epoch => None,
        (_, None) => Some(format!("the ring is settled in epoch {}", now.status.ring.epoch)),
    }
}

fn transfers(before: &[TransferView], now: &[TransferView]) -> Vec<String> {
    let is_same = |a: &TransferView, b: &TransferView| a.from.id == b.from.id && a.to.id == b.to.id;
    let mut lines = Vec::new();
    for transfer in now {
        let old = before.iter().find(|old| is_same(old, transfer));
        let told = old.map(step);
        if told.is_none() || told.is_some_and(|told| told < step(transfer)) {
            lines.push(progress(transfer));
        }
    }
    let ended = before.iter().filter(|old| !now.iter().any(|transfer| is_same(old, transfer)));
    lines.extend(ended.map(|old| format!("{} -> {}: ended", old.from.name, old.to.name)));
    lines
}

fn step(transfer: &TransferView) -> u64 {
    (transfer.partitions_done * STEPS).checked_div(transfer.partitions_total).unwrap_or(0)
}

fn progress(transfer: &TransferView) -> String {
    format!(
        "{} -> {}: {} of {} copies, {}",
        transfer.from.name,
        transfer.to.name,
        transfer.partitions_done,
        transfer.partitions_total,
        output::bytes(transfer.bytes_done)
    )
}

fn verdict(state: NodeState) -> &'static str {
    match state {
        NodeState::Active => "is active",
        NodeState::Away => "is given up until it comes back: others get copies of what it held",
        NodeState::Leaving => "is leaving",
    }
}

fn word(reach: Reach) -> &'static str {
    match reach {
        Reach::Up => "up",
        Reach::Suspect => "suspect",
        Reach::Down => "down",
    }
}

#[cfg(test)]
mod tests;
