//! `ringway status`: the cluster, its nodes, its apps.

use anyhow::Result;
use ringway_control::api::{AppView, NodeView, Reach, Status};

use crate::cli::TargetArgs;
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs) -> Result<()> {
    let client = find_node(target).await?;
    let status: Status = client.get("/v1/status").await?;
    let apps: Vec<AppView> = client.get("/v1/apps").await?;
    if target.json {
        let mut value = serde_json::to_value(&status)?;
        value["apps"] = serde_json::to_value(&apps)?;
        return output::print_json(&value);
    }
    let nodes = if status.nodes.len() == 1 { "node" } else { "nodes" };
    say!("cluster {}  {} {nodes}  leader {}", status.cluster_id, status.nodes.len(), leader(&status));
    match status.ring.epoch {
        0 => say!("ring    peer to peer"),
        epoch => say!("ring    epoch {epoch}, {}", moving(&status)),
    }
    say!(
        "\n{}",
        output::table(
            &["NODE", "STATE", "HTTP", "HTTPS", "REDIS", "CONSOLE", "PRIMARY", "MEMORY", "UP"],
            status.nodes.iter().map(row)
        )
    );
    if apps.is_empty() {
        say!("\nno apps yet: try `ringway deploy examples/shop`");
        return Ok(());
    }
    say!("\n{}", output::table(&["APP", "RELEASE", "ROUTES", "URL"], apps.iter().map(app_row)));
    Ok(())
}

fn leader(status: &Status) -> String {
    let Some(leader) = &status.leader else { return "none: are most of the nodes up?".to_owned() };
    let is_down = status.nodes.iter().any(|node| node.id == leader.id && node.reach == Reach::Down);
    if is_down { format!("{} (down; the others are electing)", leader.name) } else { leader.name.clone() }
}

fn moving(status: &Status) -> String {
    match &status.ring.moving {
        None => "settled".to_owned(),
        Some(moving) => format!(
            "moving: {} of {} copies, waiting for {}",
            moving.copies_done,
            moving.copies_total,
            moving.waiting_for.join(", ")
        ),
    }
}

fn row(node: &NodeView) -> Vec<String> {
    let address =
        |address: Option<std::net::SocketAddr>| address.map_or("off".to_owned(), |address| address.to_string());
    vec![
        format!("{}{}", node.name, if node.is_self { " *" } else { "" }),
        reach(node).to_owned(),
        address(node.addresses.http),
        address(node.addresses.https),
        address(node.addresses.redis),
        node.addresses.admin.to_string(),
        node.share.primary.to_string(),
        node.memory_bytes.map(output::bytes).unwrap_or_default(),
        node.started_ms.map(output::age).unwrap_or_default(),
    ]
}

pub fn reach(node: &NodeView) -> &'static str {
    match (node.reach, node.state) {
        (Reach::Up, ringway_catalog::NodeState::Leaving) => "leaving",
        (Reach::Up, _) => "up",
        (Reach::Suspect, _) => "suspect",
        (Reach::Down, _) => "down",
    }
}

fn app_row(app: &AppView) -> Vec<String> {
    vec![
        app.name.clone(),
        app.current.to_string(),
        app.routes.len().to_string(),
        app.urls.first().cloned().unwrap_or_default(),
    ]
}
