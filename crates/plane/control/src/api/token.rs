//! Core: join tokens.

use serde::{Deserialize, Serialize};

/// `POST /v1/tokens`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IssueToken {
    /// None: an hour.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuedToken {
    /// What the new node shows; admits one node.
    pub token: String,
    pub expires_ms: u64,
}
