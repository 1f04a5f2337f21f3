//! `ringway ps`: what runs where, and why it is in the state it is in.

use anyhow::{Result, bail};
use ringway_control::api::{NodeInstances, Ps};
use ringway_ports::InstanceView;

use crate::cli::TargetArgs;
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, app: Option<&str>) -> Result<()> {
    let client = find_node(target).await?;
    let mut ps: Ps = client.get("/v1/ps").await?;
    for node in &mut ps.nodes {
        node.instances.retain(|instance| app.is_none_or(|app| instance.app == app));
    }
    if target.json {
        return output::print_json(&ps);
    }
    let rows: Vec<Vec<String>> = ps.nodes.iter().flat_map(rows).collect();
    if let Some(app) = app.filter(|_| rows.is_empty()) {
        bail!("app {app} has no instances here: `ringway status` shows the apps there are");
    }
    match rows.is_empty() {
        true => say!("nothing is deployed: try `ringway deploy examples/shop`"),
        false => say!(
            "{}",
            output::table(&["NODE", "INSTANCE", "KIND", "STATE", "PID", "BUSY", "REQUESTS", "AGE", "NOTE"], rows)
        ),
    }
    for node in &ps.nodes {
        if let Some(failure) = &node.failure {
            eprintln!("node {} did not answer: {failure}", node.node.name);
        }
    }
    Ok(())
}

fn rows(node: &NodeInstances) -> Vec<Vec<String>> {
    node.instances.iter().map(|instance| row(&node.node.name, instance)).collect()
}

fn row(node: &str, instance: &InstanceView) -> Vec<String> {
    let state = serde_json::to_value(instance.state)
        .ok()
        .and_then(|state| state.as_str().map(str::to_owned))
        .unwrap_or_default();
    let is_cold = instance.id.is_empty();
    vec![
        node.to_owned(),
        if is_cold { format!("{}/{}", instance.app, instance.unit) } else { instance.id.clone() },
        instance.kind.clone(),
        state.replace('_', "-"),
        instance.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        instance.in_flight.to_string(),
        instance.requests.to_string(),
        if instance.started_ms == 0 { String::new() } else { output::age(instance.started_ms) },
        instance.note.clone(),
    ]
}
