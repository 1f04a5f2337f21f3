//! Core: bringing an app in, looking whether it came up, going back.
//!
//! `POST /v1/plan` and `POST /v1/deploy` take the app directory as a zstd-compressed tar.

use ringway_manifest::{Change, Manifest};
use serde::{Deserialize, Serialize};

use super::failure::FaultView;

/// Header with the name of the app directory: the app's name if there is no manifest.
pub const NAME_HEADER: &str = "x-ringway-name";

/// `POST /v1/plan`: what a deploy would change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub app: String,
    /// The release that is served now.
    pub current: Option<u64>,
    pub changes: Vec<Change>,
    pub files_changed: bool,
    pub manifest: Manifest,
    pub warnings: Vec<FaultView>,
}

/// `POST /v1/deploy`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployed {
    pub app: String,
    pub release: u64,
    /// This is served already: no release was made.
    #[serde(default)]
    pub unchanged: bool,
    pub urls: Vec<String>,
    pub changes: Vec<Change>,
    pub warnings: Vec<FaultView>,
}

/// `GET /v1/deploys/{app}/{release}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    pub app: String,
    pub release: u64,
    pub is_current: bool,
    /// Every service that is to run has the healthy instances it asks for.
    pub ready: bool,
    pub units: Vec<UnitHealth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitHealth {
    pub unit: String,
    pub ready: bool,
    /// Instances over the whole cluster.
    pub wanted: u32,
    pub healthy: u32,
    pub starting: u32,
    /// What instances that are not healthy say, each with its node.
    pub notes: Vec<String>,
}

/// `POST /v1/rollback`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rollback {
    pub app: String,
    /// None: the release before the current one.
    #[serde(default)]
    pub to: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    pub app: String,
    pub release: u64,
}
