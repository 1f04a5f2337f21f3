//! Core: what runs, on every node.

use ringway_ports::InstanceView;
use serde::{Deserialize, Serialize};

use super::status::NodeRef;

/// `GET /v1/ps`: one entry a node, those that did not answer included.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ps {
    pub nodes: Vec<NodeInstances>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeInstances {
    pub node: NodeRef,
    /// Why the node's instances are not known.
    pub failure: Option<String>,
    pub instances: Vec<InstanceView>,
}

/// An instance and where it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceEntry {
    /// Name of the node.
    pub node: String,
    #[serde(flatten)]
    pub instance: InstanceView,
}
