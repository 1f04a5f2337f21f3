//! Core: log lines of an app's instances on all nodes.

use ringway_ports::LogLine;
use serde::{Deserialize, Serialize};

use super::status::NodeRef;

/// `GET /v1/logs?app=A&lines=N`, oldest first. `GET /v1/logs/follow?app=A&lines=N` sends [`LogEntry`]s without end, one JSON
/// object a line; an empty line now and then says that the node is still there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logs {
    pub lines: Vec<LogEntry>,
    /// Nodes whose lines are missing.
    pub unreachable: Vec<NodeRef>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogEntry {
    /// Name of the node.
    pub node: String,
    #[serde(flatten)]
    pub line: LogLine,
}
