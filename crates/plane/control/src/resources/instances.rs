//! Driver: `GET /v1/ps`: what runs, on all nodes.

use std::sync::Arc;

use crate::api::{NodeInstances, Ps};
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn list(control: Arc<Control>, _call: Call) -> Reply {
    let answers = control.cluster.ask_all::<Report>(&control.catalog(), |_| Ask::Report).await;
    let nodes = answers.into_iter().map(|answer| match answer.result {
        Ok(report) => NodeInstances { node: answer.node, failure: None, instances: report.instances },
        Err(failure) => NodeInstances { node: answer.node, failure: Some(failure), instances: Vec::new() },
    });
    json(&Ps { nodes: nodes.collect() })
}
