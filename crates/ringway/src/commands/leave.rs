//! `ringway leave`: the node's data goes to the others first.

use std::time::Duration;

use anyhow::{Result, bail};
use ringway_control::api::{Done, Moving, Status};

use crate::admin_client::segment;
use crate::cli::{LeaveArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};
use crate::progress::steps_bar;

const POLL: Duration = Duration::from_millis(300);

pub async fn run(target: &TargetArgs, arguments: &LeaveArgs) -> Result<()> {
    let client = find_node(target).await?;
    if let Some(name) = &arguments.dead {
        let _: Done = client.delete(&format!("/v1/nodes/{}", segment(name))).await?;
        if target.json {
            return output::print_json(&serde_json::json!({ "removed": name }));
        }
        say!("node {name} is out of the cluster; if it comes back it is refused");
        return Ok(());
    }
    let before: Status = client.get("/v1/status").await?;
    let _: Done = client.post("/v1/leave", &serde_json::json!({})).await?;
    if !arguments.no_wait {
        let bar = steps_bar("handing over", 1);
        // The node ends when it is out of the cluster: then it answers no more.
        while let Ok(status) = client.get::<Status>("/v1/status").await {
            if let Some(Moving { copies_done, copies_total, .. }) = status.ring.moving {
                bar.set_length(copies_total.max(1));
                bar.set_position(copies_done);
            }
            if !status.nodes.iter().any(|node| node.id == before.node.id) {
                break;
            }
            if status.nodes.len() == 1 {
                bail!("node {} is alone: there is nobody to hand its data to", before.node.name);
            }
            tokio::time::sleep(POLL).await;
        }
        bar.finish_and_clear();
    }
    if target.json {
        return output::print_json(&serde_json::json!({ "left": before.node.name, "waited": !arguments.no_wait }));
    }
    match arguments.no_wait {
        true => say!("node {} is leaving; it stops when the others have its data", before.node.name),
        false => say!("node {} has left; the others have its data", before.node.name),
    }
    Ok(())
}
