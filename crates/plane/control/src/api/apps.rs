//! Core: the apps and what they are made of.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppView {
    pub name: String,
    /// Number of the release that is served.
    pub current: u64,
    /// Oldest first.
    pub releases: Vec<ReleaseView>,
    pub hosts: Vec<String>,
    /// Where it can be reached through the node that was asked.
    pub urls: Vec<String>,
    pub routes: Vec<RouteView>,
    pub services: Vec<ServiceView>,
    pub functions: Vec<FunctionView>,
    /// Cluster-wide names.
    pub buckets: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseView {
    pub number: u64,
    pub files: String,
    pub files_len: u64,
    pub created_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    pub host: Option<String>,
    pub path: String,
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    pub name: String,
    pub min: u32,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionView {
    pub name: String,
    /// `wasm`, `lambda` or `cgi`
    pub kind: String,
}
