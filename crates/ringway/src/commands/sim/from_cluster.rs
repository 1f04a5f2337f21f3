//! `ringway sim ring --from-cluster`: the nodes, places and layout of the running cluster, as the simulator wants them.

use anyhow::{Context as _, Result, bail};
use ringway_control::api::{RingView, Status};
use ringway_ring::{Layout, Member, NodeId, PARTITION_COUNT, Partition, Point};

use super::Town;
use crate::cli::TargetArgs;
use crate::find_node::find_node;

pub async fn town(target: &TargetArgs) -> Result<Town> {
    let client = find_node(target).await?;
    let (status, ring): (Status, RingView) = (client.get("/v1/status").await?, client.get("/v1/ring").await?);
    let members: Vec<Member> = ring.members.iter().map(|member| with_zone(member.id, &status)).collect();
    let is_chord = ring.kind.is_chord();
    let points = if is_chord { places(&ring)? } else { Partition::all().map(Partition::end).collect() };
    if points.len() < 2 {
        bail!("the cluster's ring has {} virtual nodes: there is nothing to look up", points.len());
    }
    let kind = if is_chord { "peer to peer" } else { "managed" };
    let told = format!(
        "the ring of cluster {} ({kind}, epoch {}): {} virtual nodes of {} nodes, each of which looks up for itself",
        status.cluster_id,
        ring.epoch,
        points.len(),
        members.len()
    );
    let layout = (!is_chord).then(|| layout(&ring)).transpose()?;
    Ok(Town { nodes: members.len(), members: Some(members), points: Some(points), layout, told: Some(told) })
}

fn with_zone(id: NodeId, status: &Status) -> Member {
    let view = status.nodes.iter().find(|node| node.id == id);
    Member {
        id,
        zone: view.map(|node| node.zone.clone()).unwrap_or_default(),
        capacity: view.map_or(1, |node| node.capacity),
    }
}

/// In order, each once.
fn places(ring: &RingView) -> Result<Vec<Point>> {
    let point = |text: &str| u64::from_str_radix(text, 16).with_context(|| format!("'{text}' is no place on the ring"));
    let mut points: Vec<Point> =
        ring.virtual_nodes.iter().map(|place| point(&place.point).map(Point)).collect::<Result<_>>()?;
    points.sort_unstable();
    points.dedup();
    Ok(points)
}

fn layout(ring: &RingView) -> Result<Layout> {
    let ids: Vec<NodeId> = ring.members.iter().map(|member| member.id).collect();
    let mut rows: Vec<Vec<NodeId>> = vec![Vec::new(); PARTITION_COUNT];
    for arc in &ring.arcs {
        let owners: Option<Vec<NodeId>> =
            arc.owners.iter().map(|owner| ids.get(usize::from(*owner)).copied()).collect();
        let owners = owners.context("the node named an owner that is no member")?;
        let range = usize::from(arc.from_partition)..=usize::from(arc.to_partition);
        rows.get_mut(range).context("the node named a partition that there is not")?.fill(owners);
    }
    Ok(Layout::from_rows(ring.epoch, &ids, |partition| rows[partition.index()].clone()))
}
