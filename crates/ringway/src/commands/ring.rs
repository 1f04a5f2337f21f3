//! `ringway ring` and what comes after it.

mod changes;
mod lookup;
mod plan;
mod sample;
mod settings;
mod watch;

use anyhow::{Result, bail};
use ringway_control::api::{RingView, Status, TransferView};

use super::status::reach;
use crate::admin_client::AdminClient;
use crate::cli::{RingArgs, RingCommand, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};
use crate::ring_picture::{RingNode, RingPicture, Room, Transfer};
use crate::terminal_size;

pub async fn run(target: &TargetArgs, arguments: &RingArgs) -> Result<()> {
    if arguments.watch && arguments.command.is_some() {
        bail!("--watch is for `ringway ring` alone");
    }
    let client = find_node(target).await?;
    match &arguments.command {
        None if arguments.watch => watch::run(&client, target.json).await,
        None => draw(&client, target.json).await,
        Some(RingCommand::Lookup(lookup)) if lookup.sample.is_some() => sample::run(&client, lookup, target.json).await,
        Some(RingCommand::Lookup(lookup)) => lookup::run(&client, lookup, target.json).await,
        Some(RingCommand::Plan(plan)) => plan::run(&client, plan, target.json).await,
        Some(RingCommand::Set(wanted)) => settings::set(&client, wanted, target.json).await,
        Some(RingCommand::Cancel) => settings::cancel(&client, target.json).await,
        Some(RingCommand::Rebalance) => settings::rebalance(&client, target.json).await,
    }
}

async fn draw(client: &AdminClient, json: bool) -> Result<()> {
    let ring: RingView = client.get("/v1/ring").await?;
    if json {
        return output::print_json(&ring);
    }
    let status: Status = client.get("/v1/status").await?;
    let room = Room { rows: None, ..room() };
    say!("{}", picture(&ring, &status, &ring.transfers, room, output::has_colour()));
    Ok(())
}

/// Of the terminal, if standard output is one.
fn room() -> Room {
    let Some((columns, rows)) = terminal_size::of_standard_output() else { return Room::default() };
    Room { columns, rows: Some(rows) }
}

/// The ring, its nodes and what moves, at most 80 columns wide.
fn picture(ring: &RingView, status: &Status, transfers: &[TransferView], room: Room, colour: bool) -> String {
    // By name, as people look for them; the API has them by id.
    let mut places: Vec<usize> = (0..ring.members.len()).collect();
    places.sort_by_key(|place| &ring.members[*place].name);
    let row_of = |member: u16| places.iter().position(|place| *place == usize::from(member));
    let mut primaries = vec![None; ring.summary.partitions];
    for arc in &ring.arcs {
        let owner = arc.owners.first().and_then(|owner| row_of(*owner));
        primaries[usize::from(arc.from_partition)..=usize::from(arc.to_partition)].fill(owner);
    }
    let nodes: Vec<RingNode> = places.iter().map(|place| node(ring, status, *place)).collect();
    let transfers = transfers.iter().map(transfer).collect::<Vec<_>>();
    let centre = centre(ring, status);
    RingPicture { nodes: &nodes, primaries: &primaries, transfers: &transfers, colour, centre, room }.draw()
}

fn node(ring: &RingView, status: &Status, place: usize) -> RingNode {
    let member = &ring.members[place];
    let view = status.nodes.iter().find(|node| node.id == member.id);
    let share = ring.shares.get(place).copied().unwrap_or_default();
    let held = view.and_then(|view| view.held);
    let own = ring.virtual_nodes.iter().filter(|own| usize::from(own.node) == place).count();
    RingNode {
        name: member.name.clone(),
        reach: view.map_or("gone", reach).to_owned(),
        primary: share.primary,
        copies: share.held - share.primary,
        virtual_nodes: if ring.kind.is_chord() { own } else { share.primary },
        keys: held.map(|held| output::count(held.keys)),
        bytes: held.map(|held| output::bytes(held.bytes)),
    }
}

fn transfer(view: &TransferView) -> Transfer {
    let speed = (view.bytes_per_second > 0).then(|| format!("{}/s", output::bytes(view.bytes_per_second)));
    let is_here = view.partitions_done == view.partitions_total;
    let eta = view.eta_ms.filter(|_| !is_here).map(|ms| format!("{} left", output::span(ms)));
    let state =
        if is_here { Some("all here".to_owned()) } else { (view.state != "moving").then(|| view.state.clone()) };
    Transfer {
        from: view.from.name.clone(),
        to: view.to.name.clone(),
        done: view.partitions_done,
        total: view.partitions_total,
        facts: [Some(output::bytes(view.bytes_done)), speed, eta, state].into_iter().flatten().collect(),
    }
}

fn centre(ring: &RingView, status: &Status) -> [String; 2] {
    if ring.kind.is_chord() {
        let places = ring.virtual_nodes.len();
        return ["peer to peer".to_owned(), format!("{places} virtual nodes")];
    }
    let state = match &status.ring.moving {
        Some(moving) => format!("moving, {} of {}", moving.copies_done, moving.copies_total),
        None if ring.summary.replicas == 1 => "settled, 1 copy".to_owned(),
        None => format!("settled, {} copies", ring.summary.replicas),
    };
    [format!("epoch {}", ring.epoch), state]
}
