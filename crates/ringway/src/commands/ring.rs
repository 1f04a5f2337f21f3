//! `ringway ring` and `ringway ring lookup`.

use std::io::IsTerminal as _;

use anyhow::Result;
use ringway_control::api::{Lookup, RingView, Status};

use super::status::reach;
use crate::admin_client::{AdminClient, segment};
use crate::cli::{RingArgs, RingCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};
use crate::ring_picture::{RingNode, RingPicture};

pub async fn run(target: &TargetArgs, arguments: &RingArgs) -> Result<()> {
    let client = find_node(target).await?;
    match &arguments.command {
        None => draw(&client, target.json).await,
        Some(RingCommand::Lookup { key, bucket }) => lookup(&client, key, bucket.as_deref(), target.json).await,
    }
}

async fn draw(client: &AdminClient, json: bool) -> Result<()> {
    let ring: RingView = client.get("/v1/ring").await?;
    if json {
        return output::print_json(&ring);
    }
    let status: Status = client.get("/v1/status").await?;
    let mut primaries = vec![0; ring.summary.partitions];
    for arc in &ring.arcs {
        let owner = arc.owners.first().map_or(0, |owner| usize::from(*owner));
        primaries[usize::from(arc.from_partition)..=usize::from(arc.to_partition)].fill(owner);
    }
    let nodes: Vec<RingNode> = ring
        .members
        .iter()
        .zip(&ring.shares)
        .map(|(member, share)| {
            let view = status.nodes.iter().find(|node| node.id == member.id);
            RingNode {
                name: member.name.clone(),
                reach: view.map_or("gone", reach).to_owned(),
                primary: share.primary,
                held: share.held,
            }
        })
        .collect();
    let state = if ring.summary.moving.is_some() { "moving" } else { "settled" };
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let centre = [format!("epoch {}", ring.epoch), format!("{state}, {} copies", ring.summary.replicas)];
    say!("{}", RingPicture { nodes: &nodes, primaries: &primaries, colour, centre }.draw());
    Ok(())
}

async fn lookup(client: &AdminClient, key: &str, bucket: Option<&str>, json: bool) -> Result<()> {
    let bucket = bucket.map(|bucket| format!("&bucket={}", segment(bucket))).unwrap_or_default();
    let lookup: Lookup = client.get(&format!("/v1/ring/lookup?key={}{bucket}", segment(key))).await?;
    if json {
        return output::print_json(&lookup);
    }
    say!("key {key}: slot {}, partition {}, point {}", lookup.slot, lookup.partition, lookup.point);
    let owners: Vec<String> = lookup.owners.iter().map(|owner| owner.name.clone()).collect();
    say!("owners, primary first (epoch {}): {}", lookup.epoch, owners.join(", "));
    for (number, hop) in lookup.path.iter().enumerate() {
        let time = match (&hop.failure, hop.round_trip_us) {
            (Some(failure), _) => failure.clone(),
            (None, Some(us)) => format!("{us} µs"),
            (None, None) => "start".to_owned(),
        };
        say!("  {number}  {}  {time}", hop.node.name);
    }
    Ok(())
}
